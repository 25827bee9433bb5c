"""The door to the archive: opens nothing without a Permit (law 6).

What the archive answers is sorted here, once: a reply that `open` returns is a 2xx with sound framing, and everything
else is a refusal. Bodies of the archive's errors quote real UIDs and are never passed on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from leadglass.clock import Clock
from leadglass.limits import UPSTREAM_RETRY_AFTER_SECONDS
from leadglass.model.ask import Ask
from leadglass.model.errors import Cause, ConfigurationError, Refusal, UpstreamBroken, refuse
from leadglass.model.permit import Permit
from leadglass.model.reasons import REASONS, Code
from leadglass.tasks import Tasks
from leadglass.telemetry.metrics import UPSTREAM_ERRORS
from leadglass.telemetry.traces import CLIENT, Attributes, Span, begin, current
from leadglass.upstream.assertion import Assertions
from leadglass.upstream.channel import Channel, Channels, NoChannelError, handshake, new_key
from leadglass.upstream.credentials import Credentials
from leadglass.upstream.facts import Facts
from leadglass.upstream.heads import Heads
from leadglass.upstream.links import links_of
from leadglass.upstream.pool import Pool, Slot
from leadglass.upstream.protocol import Connection, ConnectionDied
from leadglass.upstream.reply import Reply
from leadglass.upstream.settings import UpstreamSettings
from leadglass.upstream.signer import Signer

# A refusal by the archive keeps its own status only where that tells the client what to do about its request.
KEPT_STATUSES: Final = frozenset({400, 406, 409, 411, 413, 415, 501, 503})
# What PS3.18 section 8.5 knows, and 203 of a cache between. A 205 has no body, which one that came with it would contradict.
_SUCCESS: Final = frozenset({200, 201, 202, 203, 204, 206})
_SAFE: Final = frozenset({"GET", "HEAD"})
_NOT_THERE: Final = frozenset({404, 410})
_OUR_CREDENTIALS: Final = frozenset({401, 403, 407})
_AWAY: Final = frozenset({Code.UPSTREAM_UNREACHABLE, Code.UPSTREAM_TIMEOUT, Code.UPSTREAM_CREDENTIALS})


def refusal_of(status: int) -> Refusal:
    """Return the refusal that a status of the archive amounts to; `status` is none of success."""
    if status in _NOT_THERE:
        return refuse(Code.STUDY_NOT_VISIBLE, f"the archive answered {status}")
    if status in _OUR_CREDENTIALS:
        return refuse(Code.UPSTREAM_CREDENTIALS, f"the archive answered {status}")
    if status < 400:  # noqa: PLR2004 - a redirect leads away from what the permit is for, and the rest nobody asked for
        return refuse(Code.UPSTREAM_INVALID, f"the archive answered {status}")
    reason = REASONS[Code.UPSTREAM_REFUSED]
    if status in KEPT_STATUSES:
        reason = replace(reason, status=status)
    headers = {"Retry-After": str(UPSTREAM_RETRY_AFTER_SECONDS)} if status == 503 else {}  # noqa: PLR2004 - as above
    return Refusal(Cause(reason, {"status": str(status)}), detail=f"the archive answered {status}", headers=headers)


def _assertions(
    settings: UpstreamSettings, clock: Clock, public_urls: Sequence[str], signer: Signer | None
) -> Assertions | None:
    if settings.auth is None or not settings.auth.assertion:
        return None
    if signer is None or not public_urls:
        raise ConfigurationError("assertions need a key and a name of the gateway's", where="auth.assertion")
    return Assertions(signer.keys(), clock, issuer=public_urls[0], audience=settings.url)


class Upstream:
    """One archive. `facts` is its narrow second door (model.ports.FactsDoor).

    `name` is its own under `upstreams`. `public_urls` are the gateway's own origins, from which links in replies are built; the first
    one is its name in assertions, which `signer` signs where the archive is to be told. `beside` are the archives that its
    links may lead to, too. Raises ConfigurationError.
    `root` is where it is asked: the same one under another name is the same archive.
    `trouble` is why it could not be asked when it was last tried, None when it answered.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        clock: Clock,
        tasks: Tasks,
        *,
        name: str = "main",
        public_urls: Sequence[str] = (),
        beside: Iterable[UpstreamSettings] = (),
        signer: Signer | None = None,
    ) -> None:
        self.name, self.kind, self.root = name, settings.kind, f"{settings.url}{settings.dicomweb}"
        self.trouble: str | None = None
        parts = urlsplit(settings.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tasks = tasks
        self._place: Attributes = {
            "leadglass.upstream": name, "server.address": parts.hostname or "", "server.port": port, "url.scheme": parts.scheme,
        }  # fmt: skip
        self._heads = Heads(settings, public_urls, _assertions(settings, clock, public_urls, signer))
        self._links = links_of(settings, public_urls, beside)
        self._credentials = credentials = Credentials(settings)
        self._heads.show(credentials.authorization)
        self.pool = Pool(parts.hostname or "", port, credentials.tls, size=settings.max_connections, clock=clock)
        self._watch = tasks.spawn(credentials.watch(self._show), name="upstream.files") if credentials.watched else None
        self._channels = Channels()
        self.facts = Facts(self.probe, kind=settings.kind)

    def _show(self) -> None:
        """Show other credentials from now on; no request goes over a connection that was opened under the old ones."""
        self._heads.show(self._credentials.authorization)
        self.pool.renew(self._credentials.tls)

    def open(self, permit: Permit, ask: Ask, body: AsyncIterator[bytes] | None = None) -> Coroutine[Any, Any, Reply]:
        """Ask for what the permit allows and return the reply, always 2xx. A permit is for one archive alone.

        Raises Refusal: `study-not-visible` for 404, `upstream-credentials` for 401 and 403, `upstream-refused` for
        other errors, `upstream-invalid` for redirects and doubtful framing, `upstream-busy`, `upstream-unreachable`,
        `upstream-timeout`; and whatever `body` raises, after closing the connection.
        """
        span = begin(ask.method, CLIENT)
        asking = self._open(permit, ask, body, span)
        return asking if span is None else self._traced(span, ask.method, ask.traffic, asking)

    async def _open(self, permit: Permit, ask: Ask, body: AsyncIterator[bytes] | None, span: Span | None) -> Reply:
        if permit.resource.upstream != self.name:
            raise refuse(Code.INTERNAL_FAULT, f"a permit for another archive than {self.name}")
        subject = permit.question.subject.id
        try:
            slot = self.pool.take(subject, ask.traffic)
            if slot is None:
                slot = await self.pool.wait(subject, ask.traffic)

            def head() -> bytes:
                return self._head(ask, permit, span, body=body is not None)

            if body is None:
                reply = await self._ask(slot, head, retry=ask.retry and ask.method == "GET")
            else:
                reply = await self._store(slot, head, body, ask.length)
            self.trouble = None
            if span is not None:
                span.answered(reply.status)
            if self._links:
                reply.links = self._links[ask.authority]  # one that is not there is a fault, not a reply as it is
            return _sorted(reply)
        except Refusal as refusal:
            code = self._noted(refusal)
            if code.startswith("upstream-"):
                UPSTREAM_ERRORS.add((self.name, code))
            raise

    async def channel(self, permit: Permit, ask: Ask) -> Channel:
        """Open the event channel that the permit allows. It is to be closed.

        Raises Refusal as `open` does; anything but a sound 101 is none.
        """
        if permit.resource.upstream != self.name:
            raise refuse(Code.INTERNAL_FAULT, f"a permit for another archive than {self.name}")
        key = new_key()
        try:
            return await self._channels.open(
                self.pool.address,
                self._head(ask, permit, None, body=False, more=handshake(key)),
                key,
                permit.question.subject.id,
            )
        except UpstreamBroken as error:
            UPSTREAM_ERRORS.add((self.name, str(Code.UPSTREAM_INVALID)))
            raise _broken(error) from error
        except Refusal as refusal:
            UPSTREAM_ERRORS.add((self.name, self._noted(refusal)))
            raise
        except NoChannelError as answered:
            raise refusal_of(answered.status) from None

    def probe(self, ask: Ask, more: str = "") -> Coroutine[Any, Any, Reply]:
        """Ask over the places kept for facts and return the reply whatever its status.

        For the facts door and for `config check`, whose questions are fixed; nothing of it is relayed, and nothing is
        changed by it. `more` are field lines of our own.
        """
        if ask.method not in _SAFE:
            raise ValueError(ask.method)
        span = begin(ask.method, CLIENT)
        asking = self._probe(ask, more, span)
        return asking if span is None else self._traced(span, ask.method, "facts", asking)

    async def _probe(self, ask: Ask, more: str, span: Span | None) -> Reply:
        slot = self.pool.take("", "facts") or await self.pool.wait("", "facts")
        try:
            reply = await self._ask(slot, lambda: self._head(ask, None, span, body=False, more=more), retry=True)
        except Refusal as refusal:
            self._noted(refusal)
            raise
        self.trouble = str(Code.UPSTREAM_CREDENTIALS) if reply.status in _OUR_CREDENTIALS else None
        if span is not None:
            span.answered(reply.status)
        return reply

    def _head(self, ask: Ask, permit: Permit | None, span: Span | None, *, body: bool, more: str = "") -> bytes:
        """Return the head of a request as it is to be sent now: an assertion in it is for this moment alone."""
        head = self._heads.build(ask, body=body, permit=permit, more=more)
        return head if span is None else span.into(head)

    def _noted(self, refusal: Refusal) -> str:
        code = str(refusal.causes[0].reason.code)
        if code in _AWAY:
            self.trouble = code
        return code

    async def _traced(self, span: Span, method: str, traffic: str, asking: Coroutine[Any, Any, Reply]) -> Reply:
        """Ask under a span, which ends with the head of the reply."""
        span.attributes = {**self._place, "http.request.method": method, "leadglass.traffic": traffic}
        with span:
            return await asking

    async def _ask(self, slot: Slot, head: Callable[[], bytes], *, retry: bool) -> Reply:
        """Ask over a kept connection where there is one; once more over a fresh one when that died silently."""
        connection = self.pool.idle()
        try:
            if connection is not None:
                try:
                    return await _answer(connection, head(), slot)
                except ConnectionDied as died:
                    if not (retry and died.silent):
                        raise
                    if (span := current()) is not None:
                        span.attributes["http.request.resend_count"] = 1
            connection = await self.pool.connect()
            return await _answer(connection, head(), slot)
        except BaseException as error:
            slot.release()
            if isinstance(error, UpstreamBroken):
                raise _broken(error) from error
            raise

    async def _store(
        self, slot: Slot, head: Callable[[], bytes], body: AsyncIterator[bytes], length: int | None
    ) -> Reply:
        """Send a request with a body, always over a fresh connection, because it cannot be sent twice.

        When the archive answers before the body is whole, sending stops; such an answer may be a refusal, never a success.
        """
        connection: Connection | None = None
        sender: asyncio.Task[Exception | None] | None = None
        answer: asyncio.Future[Reply] | None = None
        try:
            connection = await self.pool.connect()
            answer = connection.ask(head(), slot, whole=False)
            sender = self._tasks.spawn(_send(connection, body, length), name="upstream.store")
            return await _outcome(connection, sender, answer)
        except BaseException as error:
            if answer is not None and answer.done() and not answer.cancelled() and answer.exception() is None:
                answer.result().abort()
            if connection is not None:
                connection.abort()
            if answer is not None and answer.done() and not answer.cancelled():
                answer.exception()  # why it ended is told by `error`; nobody else asks
            slot.release()
            if isinstance(error, UpstreamBroken):
                raise _broken(error) from error
            raise
        finally:
            if sender is not None and not sender.done():
                sender.cancel()

    def close(self) -> None:
        """Close every connection to the archive."""
        if self._watch is not None:
            self._watch.cancel()
        self.pool.close()


def _sorted(reply: Reply) -> Reply:
    """Return a reply of success, and raise the refusal that any other amounts to."""
    if reply.status in _SUCCESS:
        return reply
    reply.abort()
    raise refusal_of(reply.status)


async def _answer(connection: Connection, head: bytes, slot: Slot) -> Reply:
    answer = connection.ask(head, slot)
    try:
        return await answer
    except asyncio.CancelledError:
        # The reply may have come in the very moment; it may even have ended and its connection serve another.
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            answer.result().abort()
        else:
            connection.abort()
        raise


async def _outcome(
    connection: Connection, sender: "asyncio.Task[Exception | None]", answer: "asyncio.Future[Reply]"
) -> Reply:
    """Return the reply, or raise why the body could not be sent: a part was refused, or the client is gone."""
    await asyncio.wait((sender, answer), return_when=asyncio.FIRST_COMPLETED)
    if sender.done() and not answer.done() and (failure := sender.result()) is not None:
        raise failure
    reply = await answer
    if reply.status in _SUCCESS and not connection.whole:
        raise UpstreamBroken("a success before the body was whole: nobody can tell what was stored")
    return reply


async def _send(connection: Connection, body: AsyncIterator[bytes], length: int | None) -> Exception | None:
    """Send the body and return what went wrong: what `body` raised, or ConnectionDied."""
    try:
        await _send_all(connection, body, length)
    except Exception as error:  # noqa: BLE001 - a value for the waiting exchange, not a failed task
        return error
    return None


async def _send_all(connection: Connection, body: AsyncIterator[bytes], length: int | None) -> None:
    """Send the body, chunked when its length is not known."""
    count = 0
    async for chunk in body:
        if not chunk:
            continue
        count += len(chunk)
        if length is None:
            await connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        elif count <= length:
            if count == length:
                connection.last()
            await connection.send(chunk)
    if length is None:
        connection.last()
        await connection.send(b"0\r\n\r\n")
    elif count != length:
        raise UpstreamBroken("the body is not of the length that was declared")


def _broken(error: UpstreamBroken) -> Refusal:
    if isinstance(error, ConnectionDied):
        return refuse(Code.UPSTREAM_UNREACHABLE, str(error))
    return refuse(Code.UPSTREAM_INVALID, str(error))
