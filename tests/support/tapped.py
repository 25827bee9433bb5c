"""What a browser hears: a relay between it and the gateway that keeps every byte of the answers, as the browser gets them."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httptools

from support.gateway import HOST, Running

_PUMPED = 65_536


@dataclass
class Answered:
    """One answer: its header fields and its body, out of any framing and coding."""

    fields: bytes
    body: bytes


class _Reader:
    """Takes the answers of one connection apart."""

    def __init__(self) -> None:
        self.done: list[Answered] = []
        self._fields, self._body, self._coding = bytearray(), bytearray(), b""

    def on_status(self, status: bytes) -> None:
        self._fields += status + b"\n"

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += name + b": " + value + b"\n"
        if name.lower() == b"content-encoding":
            self._coding = value.lower()

    def on_body(self, piece: bytes) -> None:
        self._body += piece

    def on_message_complete(self) -> None:
        body = bytes(self._body)
        if self._coding == b"gzip" and body:
            body = gzip.decompress(body)
        elif self._coding not in {b"", b"gzip", b"identity"}:
            raise AssertionError(f"a coding that nothing here reads: {self._coding!r}")
        self.done.append(Answered(bytes(self._fields), body))
        self._fields, self._body, self._coding = bytearray(), bytearray(), b""


@dataclass
class Tap:
    """Where the relay listens, and what came through it by connection."""

    port: int
    heard: list[bytearray] = field(default_factory=list)

    def answers(self) -> Iterator[Answered]:
        """Yield every answer that came whole."""
        for stream in self.heard:
            reader = _Reader()
            parser = httptools.HttpResponseParser(reader)
            parser.feed_data(bytes(stream))
            yield from reader.done

    def told(self, values: Iterable[str]) -> dict[str, list[str]]:
        """Return which of these values stand anywhere in what was heard, as it came or opened, and in which answers."""
        spelt = {value: [value.encode(coding).lower() for coding in ("utf-8", "utf-16-le")] for value in values}
        found: dict[str, list[str]] = {}
        whole = [("as it came", bytes(stream)) for stream in self.heard]
        whole += [(one.fields[:200].decode("latin-1"), one.fields + one.body) for one in self.answers()]
        for place, data in whole:
            lower = data.lower()
            for value, spellings in spelt.items():
                if any(spelling in lower for spelling in spellings):
                    found.setdefault(value, []).append(place)
        return found


@asynccontextmanager
async def tapped(run: Running) -> AsyncIterator[Tap]:
    """Listen as the gateway does, pass everything on both ways, and keep what comes from the gateway."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(run.folder / "tls/server.pem", run.folder / "tls/server.key")
    tap = Tap(0)
    running: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None = None) -> None:
        try:
            while piece := await reader.read(_PUMPED):
                if kept is not None:
                    kept += piece
                writer.write(piece)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            ahead = await asyncio.open_connection(run.https.host, run.https.port, ssl=run.bare, server_hostname=HOST)
            kept = bytearray()
            tap.heard.append(kept)
            await asyncio.gather(pump(reader, ahead[1]), pump(ahead[0], writer, kept))
        finally:
            writer.transport.abort()
            running.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()
