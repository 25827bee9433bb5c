"""An upstream of raw bytes: it says exactly what a test tells it to, right or wrong."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Step: TypeAlias = bytes | Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request as it came in: its head (with the empty line), and the two streams."""

    head: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes = b""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def take_body(self) -> bytes:
        """Read a chunked or counted request body and return it decoded."""
        head = self.head.lower()
        if b"transfer-encoding: chunked" in head:
            while size := int((await self.reader.readline()).strip(), 16):
                self.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        elif b"content-length: " in head:
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            self.body = await self.reader.readexactly(length)
        return self.body


@dataclass
class RawUpstream:
    """Answers requests with the steps given, in order over all connections; then with the last one for ever.

    A step of bytes is sent as it is; `b""` closes the connection without an answer.
    """

    steps: deque[Step]
    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    closing: bool = False  # close after each answer
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                step = self.steps.popleft() if len(self.steps) > 1 else self.steps[0]
                if step == b"":
                    return
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await step(Exchange(head, reader, writer))
                if self.closing:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.writers.discard(writer)
            writer.close()

    def drop(self) -> None:
        """Close every connection, as an archive does with idle ones."""
        for writer in self.writers:
            writer.close()


@asynccontextmanager
async def raw_upstream(
    *steps: Step, closing: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawUpstream]:
    """Listen on a free port of 127.0.0.1 for as long as the block lasts."""
    upstream = RawUpstream(deque(steps), closing=closing)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        upstream.drop()
        await asyncio.sleep(0)
        await server.wait_closed()


def reply(body: bytes = b"", *, status: str = "200 OK", fields: Iterable[str] = ()) -> bytes:
    """Return a sound reply with Content-Length."""
    head = "".join(f"{field}\r\n" for field in (f"Content-Length: {len(body)}", *fields))
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body
