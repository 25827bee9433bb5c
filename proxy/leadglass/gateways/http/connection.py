"""One HTTP/1.1 connection (RFC 9112): heads held whole before they are read, one exchange at a time.

Raw bytes are held until CRLFCRLF; only that head reaches the parser. What follows is the body, counted by us, and
then the next head, which nobody looks at before this exchange has ended. One task lives as long as the connection:
a task for each request costs more. After any doubt about framing the connection is closed, so that left-over bytes
are never read as a request.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

from leadglass.audit.noise import source_of
from leadglass.gateways.http.body import NO_BODY, NoBody, RequestBody
from leadglass.gateways.http.framing import HeadReader
from leadglass.gateways.http.gone import gone
from leadglass.gateways.http.hub import Hub
from leadglass.gateways.http.progress import Progress
from leadglass.gateways.http.reply import HttpReply
from leadglass.gateways.http.sockets import keep_little, reset_on_close
from leadglass.gateways.http.tunnel import Tunnel
from leadglass.limits import CLIENT_BUFFER_BYTES, HEAD_BYTES, HEAD_FEEDS
from leadglass.model.errors import ClientGone, Refusal, refuse
from leadglass.model.ports import Pausable
from leadglass.model.reasons import Code
from leadglass.model.request import NO_HEAD, Incoming, Peer

_log = logging.getLogger("leadglass.gateways.http")

_DOOR: Final = "http"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_HEAD, _EXCHANGE, _LINGER = range(3)


class Connection(asyncio.Protocol):
    """A client's connection, past its TLS handshake. The listener runs `live` and sweeps over it for deadlines.

    `counted` is the source that it counts for by now: that of `peer`, or None for a proxy while it carries nobody's request.
    """

    __slots__ = (
        "_body", "_closing", "_deaf", "_drained", "_feeds", "_heads", "_held", "_hub", "_own", "_peer", "_pending", "_reader",
        "_reading", "_retired", "_scanned", "_since", "_state", "_streaming", "_task", "_transport", "_wake",
        "_written", "congested", "counted", "lost", "source",
    )  # fmt: skip

    def __init__(self, hub: Hub, peer: Peer, counted: str | None) -> None:
        now = hub.clock.monotonic()
        self._hub, self._peer = hub, peer
        self._own = self.counted = counted
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None
        self._state = _HEAD
        self._since = now  # when this head, or the wait for it, or the lingering began
        self._held = bytearray()  # an unfinished head, or bytes that came before their turn
        self._scanned = 0  # bytes held in which no head ends
        self._feeds = 0
        self._heads = HeadReader()
        self._reading = True
        self._deaf = False  # what comes is thrown away
        self._closing = False  # the request or a fault asked for it
        self._retired = False  # what stands between is no longer what it was
        self._pending: Incoming | None = None
        self._body: RequestBody | NoBody | Tunnel = NO_BODY
        self._wake: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._streaming = False
        self._written = 0
        self._reader = Progress(hub.bounds.stall_seconds, hub.bounds.minimum_rate, now)  # who takes the reply
        self.source: Pausable | None = None
        self.congested = False
        self.lost = False

    @property
    def ended(self) -> bool:
        """`lost`, for who asks again after a wait."""
        return self.lost

    @property
    def must_close(self) -> bool:
        """Whether no further request is read from this connection."""
        return self._closing or self._retired or self._hub.draining or not self._body.finished

    # --- what the transport says -----------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; after the handshake where there is one."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=CLIENT_BUFFER_BYTES)
        if self._peer.tls:
            certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            self._peer = replace(self._peer, certificate=certificate)
        self._since = self._hub.clock.monotonic()
        self._hub.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes: of the head, of the body, or before their turn."""
        if self._state == _HEAD:
            if not self._held:
                self._since = self._hub.clock.monotonic()
                if 0 < data.find(b"\r\n\r\n") == len(data) - 4 < HEAD_BYTES - 4:
                    self._begin(data)  # one head and nothing else: the common case, not copied
                    return
            self._held += data
            self._scan()
        elif not self._deaf:
            body = self._body
            if not body.arrived:
                data = cast("RequestBody", body).feed(data)
                if cast("RequestBody", body).full:
                    self._pause()
            if data:
                self._held += data
                self._pause()

    def eof_received(self) -> None:
        """Close: a client that sends no more is taken to have left, as a proxy cannot tell a half from a whole."""
        if self._state == _EXCHANGE and not self.lost:
            self._leave()
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it ended does not matter
        """End the exchange that runs, if any."""
        self._hub.connections.discard(self)
        self._leave()

    def _leave(self) -> None:
        """Write no more, and end the exchange that runs unless it is the one that ended the connection."""
        already, self.lost = self.lost, True
        self.source = None
        if self._task is not None and not already:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Too much is unsent: the source waits."""
        self.congested = True
        if self.source is not None:
            self.source.pause_reading()

    def resume_writing(self) -> None:
        """Enough has been taken."""
        self.congested = False
        if self.source is not None:
            self.source.resume_reading()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # --- reading ---------------------------------------------------------------------------------------------------
    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._reading and not self.lost:
            self._reading = True
            self._transport.resume_reading()

    def resume_body(self) -> None:
        """Read on from the socket, unless bytes of a later request wait already."""
        if not self._held:
            self._resume()

    def send_continue(self) -> None:
        """Send `100 Continue`: somebody wants the body."""
        if not self.lost:
            self.send(_CONTINUE)

    def _scan(self) -> None:
        """Look for the end of a head in what is held."""
        held = self._held
        end = held.find(b"\r\n\r\n", self._scanned) + 4
        if end > HEAD_BYTES or (end < 4 and len(held) > HEAD_BYTES):  # noqa: PLR2004 - find gave -1
            self._fault(refuse(Code.HEAD_TOO_LARGE, "head"))
        elif end >= 4:  # noqa: PLR2004 - likewise
            head = bytes(held[:end])
            del held[:end]
            self._begin(head)
        else:
            self._feeds += 1
            if held.find(b"\n\n", self._scanned) >= 0:
                self._fault(refuse(Code.HTTP_MALFORMED, "bare LF"))
            elif self._feeds > HEAD_FEEDS:
                self._fault(refuse(Code.HTTP_MALFORMED, "head in too many pieces"))
            self._scanned = max(0, len(held) - 3)

    def _begin(self, head: bytes) -> None:
        """Start an exchange. What is held by now followed the head."""
        hub, held = self._hub, self._held
        if hub.draining:
            self._fault(refuse(Code.DRAINING, headers={"Retry-After": "5"}))
            return
        try:
            raw, fields = self._heads.read(head)
            client = hub.proxies.client(self._peer, raw.fields) if hub.proxies else self._peer
            self._charge(client)
        except Refusal as fault:
            self._fault(fault)
            return
        self._closing = fields.close
        if fields.length == 0:
            self._body = NO_BODY
        else:
            pace = Progress(hub.bounds.stall_seconds, hub.bounds.minimum_rate, self._since)  # of who sends it
            self._body = body = RequestBody(self, fields.length, hub.bounds.body_bytes, expect=fields.expect, pace=pace)
            if held:
                rest = body.feed(bytes(held))
                held.clear()
                held += rest
                if body.full:
                    self._pause()
        if held:
            self._pause()
        self._start(Incoming(_DOOR, raw, client, self._since))

    def _charge(self, client: Peer) -> None:
        """Count this connection for whom a proxy now speaks, as long as the exchange lasts. Raises Refusal."""
        if client is not self._peer:
            source = source_of(client.ip)
            if not self._hub.charge(source):
                self._hub.counts.turned_away += 1
                raise refuse(Code.RATE_LIMITED, "too many requests at once", headers={"Retry-After": "1"})
            self.counted = source

    def _fault(self, fault: Refusal) -> None:
        """Start the exchange that answers what could not be read; nothing is read after it."""
        self._hub.counts.faults += 1
        self._closing = self._deaf = True
        self._held.clear()
        self._body = NO_BODY
        self._start(Incoming(_DOOR, NO_HEAD, self._peer, self._since, fault))

    def _start(self, incoming: Incoming) -> None:
        self._state = _EXCHANGE
        self._scanned = self._feeds = 0
        self._pending = incoming
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # --- the life of it --------------------------------------------------------------------------------------------
    async def live(self) -> None:
        """Serve exchanges until the connection ends. Run as the connection's own task."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        hub = self._hub
        while not self.lost:
            incoming = self._pending
            if incoming is None:
                self._wake = loop.create_future()
                await self._wake
                self._wake = None
                continue
            self._pending = None
            body = self._body if isinstance(self._body, RequestBody) else NO_BODY
            reply = HttpReply(self, hub.heads, incoming.head)
            hub.counts.requests += 1
            try:
                await hub.pipeline.handle(incoming, body, reply)
            except Exception:  # noqa: BLE001 - it promised not to raise; a broken promise must not look like a reply
                _log.exception("the pipeline raised")
                reply.done = False
            self._end(reply, body)

    def _end(self, reply: HttpReply, body: "RequestBody | NoBody") -> None:
        if self.counted != self._own:
            self._hub.release(self.counted)
            self.counted = self._own
        if self.lost:
            return
        if not reply.done:
            self.reset("no whole reply")
        elif reply.close or self._retired or not body.finished:
            self._close(unread=self._deaf or not self._closing or not body.finished or bool(self._held))
        else:
            self._state = _HEAD
            self._since = self._hub.clock.monotonic()
            if self._held:
                self._scan()
            if self._state == _HEAD:
                self._resume()

    def _close(self, *, unread: bool) -> None:
        """Close after a reply. With bytes unread a plain close is a reset that can destroy the reply: linger."""
        self._body = NO_BODY
        self._held.clear()
        if not unread:
            self._transport.close()
            return
        self._state, self._deaf = _LINGER, True
        self._since = self._hub.clock.monotonic()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._resume()

    # --- writing ---------------------------------------------------------------------------------------------------
    def send(self, data: bytes | memoryview) -> bool:
        """Write, unless the client is gone, and return whether nothing is held any more of what was written."""
        if not self._writable():
            return False
        self._written += len(data)
        self._transport.write(data)
        return not self._transport.get_write_buffer_size()

    def send_parts(self, parts: list[bytes | memoryview]) -> bool:
        """Write several pieces without joining them; returns as `send` does."""
        if not self._writable():
            return False
        self._written += sum(map(len, parts))
        self._transport.writelines(parts)
        return not self._transport.get_write_buffer_size()

    def _writable(self) -> bool:
        # A TLS transport that met a bare EOF closes, and says so to its protocol only when its buffer is empty.
        if not self.lost and self._transport.is_closing():
            self._leave()
        return not self.lost

    def begin_stream(self) -> None:
        """Keep little in the kernel from here on, so that a cut is a cut."""
        if not self._streaming and not self.lost:
            self._streaming = True
            keep_little(self._transport)

    async def drained(self) -> None:
        """Wait until no longer congested. Raises ClientGone."""
        if self.ended:
            raise ClientGone("the client left during the reply")
        self._drained = asyncio.get_running_loop().create_future()
        try:
            await self._drained
        except asyncio.CancelledError:
            if self.ended:
                raise gone("the client left during the reply") from None
            raise
        finally:
            self._drained = None

    def reset(self, why: str, *, cancel: bool = False, flush: bool = False) -> None:
        """End the connection at once, or with `flush` after what was written; `cancel` ends an exchange of others too."""
        if self.lost:
            return
        _log.debug("reset: %s", why)
        self._hub.counts.cuts += 1
        if cancel:
            self._leave()
        self.lost = True
        if flush:
            self._transport.close()  # and the sweep sees to a client that takes nothing
            return
        reset_on_close(self._transport)
        self._transport.abort()

    def tunnel(self, ended: Callable[[], None]) -> Tunnel | None:
        """Take what comes from now on for frames of a WebSocket; None when something came already."""
        if self._held:
            return None
        self._body = tunnel = Tunnel(self, ended, self._hub.clock.monotonic())
        self._resume()
        return tunnel

    # --- deadlines -------------------------------------------------------------------------------------------------
    def sweep(self, now: float) -> None:
        """Look whether the client keeps up. Called by the listener about once a second."""
        if self.lost:
            self._transport.abort()  # it waits to send what nobody will take
            return
        bounds = self._hub.bounds
        unsent = self._transport.get_write_buffer_size()
        if self._reader.behind(now, self._written - unsent, waited_for=unsent > 0):
            self.reset("the client takes nothing, or too little", cancel=True)
        elif self._state == _EXCHANGE:
            self._body.tick(now)
        elif self._state == _HEAD:
            if self._held:
                if now - self._since >= bounds.head_seconds:
                    self._fault(refuse(Code.HEAD_TOO_SLOW, "head"))
            elif not unsent and now - self._since >= (
                bounds.keep_alive_seconds if self._written else bounds.head_seconds
            ):
                self._transport.close()
        elif unsent:
            self._since = now
        elif now - self._since >= bounds.linger_seconds:
            self._transport.close()

    def retire(self) -> None:
        """Read no further request: who stands at the other end may be another."""
        self._retired = True
        if self._state == _HEAD and not self.lost:
            self._transport.close()

    def drain(self) -> None:
        """Close now if nothing is under way; else this exchange is the last."""
        if self._state == _HEAD and not self._held and not self.lost:
            self._transport.close()
        elif isinstance(self._body, Tunnel):
            self._body.drain()
