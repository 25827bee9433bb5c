"""One connection to the archive: it asks once at a time, and any doubt about a reply's framing closes it (RFC 9112)."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from leadglass.limits import (
    UPSTREAM_COPIED_BYTES,
    UPSTREAM_HEAD_BYTES,
    UPSTREAM_HEAD_SECONDS,
    UPSTREAM_IDLE_SECONDS,
    UPSTREAM_INTERIM,
    UPSTREAM_TAIL_BYTES,
)
from leadglass.model.errors import Refusal, UpstreamBroken, refuse
from leadglass.model.reasons import Code
from leadglass.upstream.framing import Framing, ReplyHead, parse_head
from leadglass.upstream.memory import Memory
from leadglass.upstream.reply import Reply


class ConnectionDied(UpstreamBroken):
    """The connection ended before a reply came. `silent`: not one byte of it had come."""

    def __init__(self, detail: str, *, silent: bool) -> None:
        super().__init__(detail)
        self.silent = silent


class Place(Protocol):
    """A place among the requests that run at one time; given back when the reply has ended."""

    def release(self) -> None:
        """Give it back. Harmless when done twice."""
        ...


class Connection(asyncio.BufferedProtocol):
    """One connection: asks once at a time, and tells `ended` when it is free again or gone.

    `alive` is False once it must not be used; `fresh` is True until it has served a reply; `whole` says that the request
    was sent to its end before the reply came. `memory` is shared.
    """

    def __init__(self, ended: "Callable[[Connection], None]", memory: Memory) -> None:
        self.alive = False
        self.fresh = True
        self.idle_since = 0.0
        self._ended, self._memory = ended, memory
        self._transport: asyncio.Transport | None = None
        self._place: Place | None = None
        self._waiter: asyncio.Future[Reply] | None = None
        self._reply: Reply | None = None
        self._head: ReplyHead | None = None
        self._buffer = b""
        self._interim = 0
        self._remaining = 0
        self._tail = b""
        self._keep = True
        self.whole = True
        self._paused = False
        self._moved = False
        self._quiet_since = 0.0
        self._writable: asyncio.Future[None] | None = None

    # --- asking ---

    def ask(self, head: bytes, place: Place, *, whole: bool = True) -> "asyncio.Future[Reply]":
        """Send a request head and return the future of its reply.

        The future fails with ConnectionDied, UpstreamBroken or Refusal `upstream-timeout`; then `place` is still the
        caller's. With a reply it is given back when the reply ends. `whole` is False when a body follows.
        """
        transport = self._transport
        if transport is None or self._waiter is not None or self._reply is not None:
            raise RuntimeError("the connection is not free")
        self._place, self._interim, self._buffer = place, 0, b""
        self.whole = whole
        self._moved = True
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        transport.write(head)
        return waiter

    async def send(self, data: bytes) -> None:
        """Send a piece of the request body; waits while the archive takes none. Raises ConnectionDied."""
        if self._transport is None or not self.alive:
            raise ConnectionDied("connection lost while sending", silent=True)
        self._moved = True
        self._transport.write(data)
        if self._writable is not None:
            await asyncio.shield(self._writable)

    def last(self) -> None:
        """Say that with the next piece the request is whole. An answer that has come before is of one cut short."""
        self.whole = self._waiter is not None

    # --- what happens to it ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are not of that class
        self.alive = True

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - what the loop would read is not our bound
        """See asyncio.BufferedProtocol."""
        return self._memory.start if self._reply is None else self._memory.whole

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio.BufferedProtocol."""
        reply, head, data = self._reply, self._head, self._memory.whole[:nbytes]
        if reply is None or head is None:
            self._head_bytes(bytes(data))
            return
        self._moved = True
        if head.framing is Framing.LENGTH:
            self._counted(data, reply)
        else:
            self._body_bytes(bytes(data), reply, head)

    def _counted(self, data: bytes | memoryview, reply: Reply) -> None:
        """Take bytes of a body whose length was told: the common case, and many at once are not copied."""
        remaining = self._remaining = self._remaining - len(data)
        if remaining < 0:
            self._fail(UpstreamBroken("bytes beyond Content-Length"))
            return
        if len(data) <= UPSTREAM_COPIED_BYTES:
            reply.feed(bytes(data))
        elif not reply.feed(data):
            self._memory.renew()
        if remaining == 0 and self._reply is reply:
            self._complete()

    def _body_bytes(self, data: bytes, reply: Reply, head: ReplyHead) -> None:
        """Take body bytes that are chunked or go to the end of the connection."""
        if head.chunked is None:
            size = UPSTREAM_TAIL_BYTES
            self._tail = data[-size:] if len(data) >= size else (self._tail + data)[-size:]
            reply.feed(data)
            return
        try:
            pieces = head.chunked.feed(data)
        except UpstreamBroken as error:
            self._fail(error)
            return
        for piece in pieces:
            if self._reply is not reply:
                return
            reply.feed(piece)
        if head.chunked.complete and self._reply is reply:
            self._complete()

    def _head_bytes(self, data: bytes) -> None:
        if self._waiter is None:
            self._fail(UpstreamBroken("bytes that nobody asked for"))
            return
        if self._buffer:
            data = self._buffer + data
        while True:
            end = data.find(b"\r\n\r\n", 0, UPSTREAM_HEAD_BYTES)
            if end < 0:
                if len(data) >= UPSTREAM_HEAD_BYTES:
                    self._fail(UpstreamBroken("head too large"))
                self._buffer = data
                return
            try:
                head = parse_head(data[: end + 4])
            except UpstreamBroken as error:
                self._fail(error)
                return
            data = data[end + 4 :]
            if head.status >= 200:  # noqa: PLR2004 - the first final status
                break
            self._interim += 1
            if self._interim > UPSTREAM_INTERIM:
                self._fail(UpstreamBroken("too many interim replies"))
                return
        self._begin(head, data)

    def _begin(self, head: ReplyHead, rest: bytes) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():  # whoever asked has gone
            self._fail(UpstreamBroken("nobody waits"))
            return
        self._keep = self.whole and head.keep
        self._buffer = b""
        reply = self._reply = Reply(head, self)
        self._head, self._remaining, self._tail = head, head.length or 0, b""
        if head.framing is Framing.NONE:
            if rest:
                self._fail(UpstreamBroken("bytes after a reply without a body"))
            else:
                self._complete()
        elif rest:
            if head.framing is Framing.LENGTH:
                self._counted(rest, reply)
            else:
                self._body_bytes(rest, reply, head)
        if self._reply is reply:
            self.pause()  # until somebody takes it
        waiter.set_result(reply)

    def _complete(self) -> None:
        """The reply is whole: free the connection, or close it when it cannot be trusted with another."""
        reply, self._reply, self._head = self._reply, None, None
        self.fresh = False
        if not self._keep:
            self.alive = False
            if self._transport is not None:
                self._transport.close()
        elif self._paused:
            self.resume()
        self._give_back()
        if reply is not None:
            reply.end()

    def _give_back(self) -> None:
        place, self._place = self._place, None
        self._ended(self)
        if place is not None:
            place.release()

    def _fail(self, error: Exception) -> None:
        """End the exchange, if any, with `error`, and the connection with it."""
        if not self.alive:
            return
        self.alive = False
        if self._transport is not None:
            self._transport.abort()
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        waiter, self._waiter = self._waiter, None
        reply, self._reply, self._head = self._reply, None, None
        if waiter is not None:
            self._place = None  # still the asker's
            if not waiter.done():
                waiter.set_exception(error)
        self._give_back()
        if reply is not None:
            reply.end(error)

    def abort(self) -> None:
        """Close at once, whatever runs."""
        if self.alive:
            self._fail(UpstreamBroken("given up"))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol. The end of a reply that has no length must have shown its closing delimiter."""
        if not self.alive:
            return
        head = self._head
        if head is not None and head.framing is Framing.CLOSE and exc is None and self._closed_well(head):
            self._keep = False
            self._complete()
        elif self._waiter is not None:
            self._fail(
                ConnectionDied("connection lost before the reply", silent=not self._buffer and not self._interim)
            )
        else:
            self._fail(UpstreamBroken("connection lost before the end of the reply"))

    def _closed_well(self, head: ReplyHead) -> bool:
        before, closer, after = self._tail.rpartition(head.closer or b"\0")
        return bool(closer) and not after.strip(b" \t\r\n") and (not before or before.endswith(b"\n"))

    def check(self, now: float) -> None:
        """Look whether the archive has been quiet for too long; `now` is monotonic seconds."""
        if self._moved or self._paused:
            self._moved = False
            self._quiet_since = now
        elif self._waiter is not None:
            if now - self._quiet_since >= UPSTREAM_HEAD_SECONDS:
                self._fail(timed_out())
        elif self._reply is not None and now - self._quiet_since >= UPSTREAM_IDLE_SECONDS:
            self._fail(UpstreamBroken("the archive stopped in the middle of a reply"))

    # --- flow ---

    def pause(self) -> None:
        """Stop reading."""
        if not self._paused and self._transport is not None and self.alive:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if self._paused:
            self._paused = False
            if self._transport is not None and self.alive:
                self._transport.resume_reading()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)


def timed_out() -> Refusal:
    """Return the refusal for an archive that did not answer in time."""
    return refuse(Code.UPSTREAM_TIMEOUT, f"no reply head within {UPSTREAM_HEAD_SECONDS:.0f} s")
