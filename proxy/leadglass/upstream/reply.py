"""A reply whose head has arrived, and the ways to take its body: relay it, read it, or walk through it.

A relayed body chunk goes straight from the socket to the sink: no queue and no await between. Until someone takes a
reply, what came with its head is held and reading pauses.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from leadglass.limits import UPSTREAM_BUFFER_BYTES
from leadglass.model.errors import UpstreamBroken, refuse
from leadglass.model.ports import Links, Pausable, Sink
from leadglass.model.reasons import Code
from leadglass.upstream.framing import ReplyHead


class Line(Protocol):
    """The connection that a reply comes over."""

    def pause(self) -> None:
        """Stop reading."""
        ...

    def resume(self) -> None:
        """Go on reading."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class Reply:
    """A reply whose head has arrived: `model.ports.UpstreamReply`, and what the sink pauses (`Pausable`)."""

    __slots__ = (
        "_connection",
        "_error",
        "_future",
        "_held",
        "_pieces",
        "_sink",
        "_taken",
        "headers",
        "length",
        "links",
        "status",
    )

    def __init__(self, head: ReplyHead, connection: Line) -> None:
        self.status: int = head.status
        self.headers: Mapping[str, str] = head.headers
        self.length: int | None = head.length
        self.links: Links | None = None
        self._connection: Line | None = connection
        self._pieces: list[bytes] = []
        self._held = 0
        self._sink: Sink | None = None
        self._future: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._taken = False

    # --- the connection's side ---

    def feed(self, data: bytes | memoryview) -> bool:
        """Take a piece of the body, and return whether nothing holds its memory any more (as `Sink.write` does)."""
        self._held += len(data)
        if self._sink is None:
            self._pieces.append(bytes(data))
            return True
        try:
            return self._sink.write(data)
        except Exception as error:  # noqa: BLE001 - whatever the sink says ends the relay and is told to its caller
            connection = self._connection
            self.end(error)
            if connection is not None:
                connection.abort()
            return False

    def end(self, error: Exception | None = None) -> None:
        """Say that no more comes: the body is whole, or `error` says why not."""
        self._connection = None
        if self._error is None:
            self._error = error
        future = self._future
        if future is not None and not future.done():
            if self._error is None:
                future.set_result(None)
            else:
                future.set_exception(self._error)

    # --- Pausable ---

    def pause_reading(self) -> None:
        """Read nothing more from the archive until resumed."""
        if self._connection is not None:
            self._connection.pause()

    def resume_reading(self) -> None:
        """Go on reading."""
        if self._connection is not None:
            self._connection.resume()

    # --- UpstreamReply ---

    async def relay(self, sink: Sink) -> int:
        """Write the body to `sink` as it comes and return its length. Raises UpstreamBroken and what the sink raises."""
        if self._taken:
            raise RuntimeError("a reply is taken once")
        self._taken = True
        if self._error is not None:
            raise self._error
        pieces, self._pieces = self._pieces, []
        if self._connection is None:  # the whole body is here
            for piece in pieces:
                sink.write(piece)
            return self._held
        self._future = asyncio.get_running_loop().create_future()
        try:
            self.resume_reading()
            sink.attach(self)
            for piece in pieces:
                sink.write(piece)
            self._sink = sink
            await self._future
        except BaseException:
            self.abort()
            raise
        finally:
            self._sink = None
            sink.attach(None)
        return self._held

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises Refusal `upstream-invalid` beyond `limit` bytes or on a broken body."""
        if self.length is not None and self.length > limit:
            self.abort()
            raise refuse(Code.UPSTREAM_INVALID, f"a reply of {self.length} bytes where {limit} are taken")
        collector = _Collector(limit)
        try:
            await self.relay(collector)
        except UpstreamBroken as error:
            raise refuse(Code.UPSTREAM_INVALID, f"reply broken: {error}") from error
        return b"".join(collector.pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises UpstreamBroken."""
        if self._taken:
            raise RuntimeError("a reply is taken once")
        self._taken = True
        queue = _Queue()
        if self._error is not None:
            raise self._error
        for piece in self._pieces:
            queue.write(piece)
        self._pieces = []
        if self._connection is None:
            for piece in queue.pieces:
                yield piece
            return
        future = self._future = asyncio.get_running_loop().create_future()
        future.add_done_callback(queue.wake)
        self._sink = queue
        queue.attach(self)
        self.resume_reading()
        try:
            while True:
                while queue.pieces:
                    yield queue.take()
                if future.done():
                    future.result()
                    if not queue.pieces:
                        return
                await queue.more()
        finally:
            self._sink = None
            future.cancel()
            self.abort()

    def abort(self) -> None:
        """Give up the reply and close its connection; harmless when it has ended."""
        connection = self._connection
        if connection is not None:
            self.end(UpstreamBroken("given up"))
            connection.abort()
        if self._future is not None and self._future.done() and not self._future.cancelled():
            self._future.exception()  # nobody may be waiting any more
        if self._error is None:
            self._error = UpstreamBroken("given up")  # what was held is gone, so nobody may take it for the body
        self._pieces = []


class _Collector:
    """A sink that keeps everything, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.pieces: list[bytes] = []
        self._left = limit
        self._limit = limit

    def write(self, chunk: bytes | memoryview) -> bool:
        self._left -= len(chunk)
        if self._left < 0:
            raise refuse(Code.UPSTREAM_INVALID, f"a reply of more than {self._limit} bytes")
        self.pieces.append(bytes(chunk))
        return True

    def attach(self, source: Pausable | None) -> None:
        """Nothing to pause: the limit is the bound."""


class _Queue:
    """A sink that hands pieces on one by one and pauses its source while too many wait."""

    def __init__(self) -> None:
        self.pieces: deque[bytes] = deque()
        self._size = 0
        self._source: Pausable | None = None
        self._event = asyncio.Event()

    def write(self, chunk: bytes | memoryview) -> bool:
        self.pieces.append(bytes(chunk))
        self._size += len(chunk)
        if self._size > UPSTREAM_BUFFER_BYTES and self._source is not None:
            self._source.pause_reading()
        self._event.set()
        return True

    def attach(self, source: Pausable | None) -> None:
        self._source = source

    def take(self) -> bytes:
        piece = self.pieces.popleft()
        self._size -= len(piece)
        if self._size <= UPSTREAM_BUFFER_BYTES and self._source is not None:
            self._source.resume_reading()
        return piece

    def wake(self, _: object) -> None:
        self._event.set()

    async def more(self) -> None:
        self._event.clear()
        await self._event.wait()
