"""A request body as it streams in: counted by us, bounded, and paused when nobody takes it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

from leadglass.gateways.http.chunks import ChunkDecoder
from leadglass.gateways.http.gone import gone
from leadglass.gateways.http.progress import Progress
from leadglass.limits import BODY_BUFFER_BYTES
from leadglass.model.errors import ClientGone, LeadglassError, Refusal, refuse
from leadglass.model.reasons import Code


class Carrier(Protocol):
    """The connection that a body comes in on."""

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        ...

    def resume_body(self) -> None:
        """Read on from the socket."""
        ...

    def send_continue(self) -> None:
        """Send `100 Continue`."""
        ...


class NoBody:
    """The body of a request that has none."""

    __slots__ = ()
    arrived = finished = True

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        return self

    def tick(self, now: float) -> None:
        """Look for nothing: nothing is waited for."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


NO_BODY = NoBody()


class RequestBody:
    """A `BodySource`. `length` in bytes is None for a chunked body.

    `arrived` says that the last byte has come in; `finished` that it has been handed out, and that what follows on
    the connection may be read as the next request.
    """

    __slots__ = (
        "_buffered",
        "_carrier",
        "_decoder",
        "_error",
        "_expect",
        "_length",
        "_limit",
        "_pace",
        "_queue",
        "_started",
        "_waiter",
        "arrived",
        "finished",
        "received",
    )

    def __init__(
        self, carrier: Carrier, length: int | None, limit: int, *, expect: bool, pace: Progress | None = None
    ) -> None:
        self._pace = pace
        self._carrier, self._length, self._limit, self._expect = carrier, length, limit, expect
        self._decoder = ChunkDecoder() if length is None else None
        self._queue: deque[bytes] = deque()
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: LeadglassError | None = None
        self._started = False
        self.received = 0  # body bytes that have come in
        self.arrived = length == 0
        self.finished = length == 0

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for bytes that the client has not sent."""
        return self._waiter is not None

    def tick(self, now: float) -> None:
        """Look whether the client keeps up."""
        if self._pace is not None and self._pace.behind(now, self.received, waited_for=self.awaited):
            self.fail(refuse(Code.BODY_TOO_SLOW, "body"))

    @property
    def full(self) -> bool:
        """Whether enough is held, so that reading should pause."""
        return self._buffered >= BODY_BUFFER_BYTES

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection and return those beyond the body."""
        if self._error is not None:
            return b""
        if self._decoder is None:
            wanted = (self._length or 0) - self.received
            rest = data[wanted:]
            pieces = [data[:wanted] if rest else data]
        else:
            try:
                pieces, rest = self._decoder.feed(data)
            except Refusal as fault:
                self.fail(fault)
                return b""
        for piece in pieces:
            self.received += len(piece)
            self._buffered += len(piece)
        if self.received > self._limit:
            self.fail(refuse(Code.BODY_TOO_LARGE, "body"))
            return b""
        if pieces:
            self._queue.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        self.arrived = self._decoder.done if self._decoder is not None else self.received == self._length
        if pieces or self.arrived:
            self._wake()
        return rest

    def fail(self, error: LeadglassError) -> None:
        """End the body with an error: what is held is dropped, whoever reads gets the error."""
        if self._error is None and not self.finished:
            self._error = error
            self._queue.clear()
            self._buffered = 0
            self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises Refusal (413, 408, 400) or ClientGone."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def _start(self) -> None:
        self._started = True
        if self._length is not None and self._length > self._limit:
            self.fail(refuse(Code.BODY_TOO_LARGE, "content-length"))
        elif self._expect and not self.received and not self.arrived:
            self._carrier.send_continue()

    async def __anext__(self) -> bytes:
        if not self._started:
            self._start()
        while True:
            if self._error is not None:
                raise self._error
            if self._queue:
                piece = self._queue.popleft()
                self._buffered -= len(piece)
                if not self._queue:
                    self.finished = self.arrived
                    self._carrier.resume_body()
                return piece
            if self.arrived:
                self.finished = True
                raise StopAsyncIteration
            if self._carrier.lost:
                raise ClientGone("the client left while it sent the body")
            await self._wait()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._waiter = None
            if self._carrier.lost:
                raise gone("the client left while it sent the body") from None
            raise
