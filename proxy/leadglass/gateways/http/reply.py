"""The door's side of one exchange: refusals, relayed replies, and cuts.

A relayed chunk costs one write and a counter. A reply that breaks is cut by a reset, so that no client takes a part
for the whole: `close()` would deliver what is buffered and end the stream cleanly.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final, Protocol

from leadglass.gateways.http.gone import gone
from leadglass.gateways.http.heads import Heads
from leadglass.gateways.http.replies import Fields, refusal_reply
from leadglass.gateways.http.tunnel import Tunnel
from leadglass.limits import CLIENT_BUFFER_BYTES
from leadglass.model.errors import ClientGone, Refusal, UpstreamBroken, refuse
from leadglass.model.permit import ControlReply, Sealed
from leadglass.model.ports import Pausable, UpstreamReply
from leadglass.model.reasons import Code
from leadglass.model.request import RawHead

_JOIN_BYTES: Final = 16 * 1024  # copying so much is cheaper than a vectored write
_PIECE_BYTES: Final = CLIENT_BUFFER_BYTES // 4
_BODILESS: Final = frozenset({204, 304})
_LAST_CHUNK: Final = b"0\r\n\r\n"
# After these, what follows on the connection may not be what the client takes it for.
_DOUBTS: Final = frozenset({Code.HTTP_MALFORMED, Code.HEAD_TOO_LARGE, Code.CONTENT_ENCODING_REFUSED, Code.HOST_UNKNOWN})


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    """Yield a large body bit by bit: what a TLS transport is given at once it takes at once, whoever reads or not."""
    for at in range(0, len(body), _PIECE_BYTES):
        yield body[at : at + _PIECE_BYTES]


class Line(Protocol):
    """The connection that a reply goes out on."""

    source: Pausable | None

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        ...

    @property
    def congested(self) -> bool:
        """Whether so much is unsent that nothing more should be written."""
        ...

    @property
    def must_close(self) -> bool:
        """Whether no further request is read from this connection."""
        ...

    def send(self, data: bytes | memoryview) -> bool:
        """Write, and return whether nothing is held any more of what was written."""
        ...

    def send_parts(self, parts: list[bytes | memoryview]) -> bool:
        """Write several pieces without joining them; returns as `send` does."""
        ...

    def begin_stream(self) -> None:
        """Keep little in the kernel from here on, so that a cut is a cut."""
        ...

    def reset(self, why: str, *, cancel: bool = False, flush: bool = False) -> None:
        """End the connection at once (SO_LINGER 0, abort), or with `flush` once what was written has left."""
        ...

    async def drained(self) -> None:
        """Wait until no longer congested. Raises ClientGone."""
        ...

    def tunnel(self, ended: Callable[[], None]) -> Tunnel | None:
        """Take what comes from now on for frames of a WebSocket; None when something came already."""
        ...


class HttpReply:
    """A `Reply` and the `Sink` of a relayed body. Of use for one exchange only."""

    __slots__ = (
        "_chunked",
        "_doubt",
        "_head",
        "_heads",
        "_length",
        "_line",
        "_request",
        "_shared",
        "_tunnel",
        "close",
        "done",
        "sent",
        "started",
    )

    def __init__(self, line: Line, heads: Heads, request: RawHead) -> None:
        self._line, self._heads, self._request = line, heads, request
        self._head = b""  # written with the first chunk
        self._shared: Fields = ()
        self._tunnel: Tunnel | None = None
        self._chunked = self._doubt = False
        self._length = -1  # -1 while no length is promised
        self.close = False  # whether the head said that the connection closes
        self.started = False
        self.done = False
        self.sent = 0

    def share(self, fields: Fields) -> None:
        """Add header fields that say which pages may read the reply, whatever it will be."""
        self._shared = fields

    # --- whole replies ---------------------------------------------------------------------------------------------
    def refuse(self, refusal: Refusal, decision_id: str) -> None:
        """Send a refusal as a problem document or a page."""
        self._doubt = refusal.causes[0].reason.code in _DOUBTS
        status, fields, body = refusal_reply(refusal, decision_id, self._request)
        self._whole(ControlReply(status, fields, body), decision_id)

    def answer(self, reply: ControlReply, decision_id: str) -> None:
        """Send an answer of the control side."""
        self._whole(reply, decision_id)

    def _whole(self, reply: ControlReply, decision_id: str) -> None:
        if self.started or self._line.lost:
            return
        self._settle()
        length, shared = len(reply.body), self._shared
        head = self._heads.own(reply.status, reply.headers, decision_id, length, close=self.close, shared=shared)
        self.started = self.done = True
        if self._bodiless(reply.status):
            self._line.send(head)
        else:
            self._line.send(head + reply.body)
            self.sent = len(reply.body)

    def _settle(self) -> None:
        """Decide whether the connection outlives this reply; the head says so."""
        self.close = self._doubt or self._line.must_close

    def _bodiless(self, status: int) -> bool:
        return status in _BODILESS or self._request.method == "HEAD"

    # --- sealed replies --------------------------------------------------------------------------------------------
    async def forward(self, sealed: Sealed, decision_id: str) -> None:
        """Send a sealed reply. Raises ClientGone, UpstreamBroken; the caller then cuts."""
        line, body = self._line, sealed.body
        if line.lost:
            raise ClientGone("the client left before the reply")
        self._settle()
        if not isinstance(body, bytes):
            await self._forward_stream(sealed, body, decision_id)
        elif len(body) > CLIENT_BUFFER_BYTES and not self._bodiless(sealed.status):
            await self._forward_stream(sealed, _pieces(body), decision_id)
        else:
            self._forward_whole(sealed, body, decision_id)
        if line.congested:
            await line.drained()
        self.done = True

    def _opening(self, sealed: Sealed, decision_id: str, length: int | None) -> bytes:
        try:
            head = self._heads.own if sealed.own else self._heads.sealed
            return head(sealed.status, sealed.headers, decision_id, length, close=self.close, shared=self._shared)
        except ValueError as error:
            raise UpstreamBroken(str(error)) from None

    def _forward_whole(self, sealed: Sealed, body: bytes, decision_id: str) -> None:
        head = self._opening(sealed, decision_id, len(body))
        self.started = True
        if self._bodiless(sealed.status):
            self._line.send(head)
            return
        self.sent = len(body)
        if len(body) <= _JOIN_BYTES:
            self._line.send(head + body)
        else:
            self._line.send_parts([head, body])

    async def _forward_stream(
        self, sealed: Sealed, body: UpstreamReply | AsyncIterator[bytes], decision_id: str
    ) -> None:
        self._head = self._opening(sealed, decision_id, sealed.length)
        bodiless = self._bodiless(sealed.status)
        self._chunked = sealed.length is None and not bodiless
        if bodiless:
            self._length = 0
        elif sealed.length is not None:
            self._length = sealed.length
        self.started = True
        self._line.begin_stream()
        try:
            if isinstance(body, AsyncIterator):
                await self._pump(body)
            else:
                await body.relay(self)
        except asyncio.CancelledError:
            if self._line.lost:
                raise gone("the client left during the reply") from None
            raise
        finally:
            self._line.source = None
        if self._length >= 0 and self.sent != self._length and not (self._line.lost and self.sent < self._length):
            raise UpstreamBroken(f"the reply has {self.sent} bytes where {self._length} were promised")
        if self._line.lost:
            raise ClientGone("the client left during the reply")
        if self._head:
            self._line.send(self._head)
            self._head = b""
        if self._chunked:
            self._line.send(_LAST_CHUNK)

    async def _pump(self, body: AsyncIterator[bytes]) -> None:
        line = self._line
        try:
            async for chunk in body:
                self.write(chunk)
                if line.lost:
                    break  # the caller finds out why
                if line.congested:
                    await line.drained()
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()  # its upstream connection must not wait for the garbage collector

    # --- channels ----------------------------------------------------------------------------------------------------
    def switch(self, accept: str, decision_id: str, ended: Callable[[], None]) -> Tunnel:
        """Accept a WebSocket's handshake. Raises ClientGone, Refusal `http-malformed`."""
        line = self._line
        if line.lost:
            raise ClientGone("the client left before the channel was open")
        tunnel = line.tunnel(ended)
        if tunnel is None:
            raise refuse(Code.HTTP_MALFORMED, "frames before the handshake was answered")
        self._tunnel, self.close, self.started, self.done = tunnel, True, True, True
        tunnel.count = self._count
        line.begin_stream()
        line.send(self._heads.switching(accept, decision_id, self._shared))
        return tunnel

    def _count(self, size: int) -> None:
        self.sent += size

    # --- sink ------------------------------------------------------------------------------------------------------
    def write(self, chunk: bytes | memoryview) -> bool:
        """Send a chunk of the body; the head goes with the first. Returns whether its memory is free again."""
        size = len(chunk)
        if not size:
            return True
        self.sent += size
        if 0 <= self._length < self.sent:
            # More than promised: these bytes would be read as the next reply. `forward` raises when the relay ends.
            self._line.reset("the archive sent more than it promised")
            return False
        head, self._head = self._head, b""
        if self._chunked:
            return self._line.send_parts([b"%b%x\r\n" % (head, size), chunk, b"\r\n"])
        if not head:
            return self._line.send(chunk)
        if size <= _JOIN_BYTES:
            return self._line.send(head + chunk)
        return self._line.send_parts([head, chunk])

    def attach(self, source: Pausable | None) -> None:
        """Name the source that back-pressure pauses."""
        line = self._line
        line.source = source
        if source is not None and line.congested:
            source.pause_reading()

    def cut(self) -> None:
        """End the connection at once."""
        self.done = False
        self.close = True
        self._line.reset("cut")

    def sever(self) -> None:
        """Cut, and end the exchange too. A channel is told why by its code, where that is the next thing it reads."""
        told = self._tunnel is not None and self._tunnel.sever()
        self.done = False
        self.close = True
        self._line.reset("severed", cancel=True, flush=told)
