"""A running HTTP door with a pipeline of the test's own, and a client that speaks raw bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from leadglass.clock import SystemClock
from leadglass.codec.head import clean
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.listener import HttpListener
from leadglass.gateways.http.settings import Address, ListenSettings, ProxySettings
from leadglass.model.errors import ClientGone, Refusal, UpstreamBroken
from leadglass.model.permit import Sealed
from leadglass.model.ports import BodySource, Reply
from leadglass.model.request import CleanRequest, Incoming

DECISION = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
HOSTS = frozenset({"pacs.example.org"})
TEXT = ((b"Content-Type", b"text/plain"),)

QUICK = Bounds(
    handshake_seconds=0.5,
    proxy_header_seconds=0.3,
    head_seconds=0.3,
    keep_alive_seconds=0.6,
    stall_seconds=0.4,
    linger_seconds=0.2,
    drain_seconds=0.5,
)

Act: TypeAlias = Callable[[CleanRequest, BodySource, Reply], Awaitable[None]]


async def echo(request: CleanRequest, body: BodySource, reply: Reply) -> None:
    """Answer with the method, the path and the body."""
    taken = b"".join([chunk async for chunk in body.chunks()])
    await reply.forward(Sealed(200, TEXT, f"{request.method} {request.path} ".encode() + taken), DECISION)


async def unread(request: CleanRequest, body: BodySource, reply: Reply) -> None:
    """Answer without a look at the body."""
    await reply.forward(Sealed(200, TEXT, b"unread"), DECISION)


@dataclass
class FakePipeline:
    """Hygiene as the real one, then whatever the test wants. Remembers what it was handed."""

    act: Act = echo
    accepted: list[CleanRequest] = field(default_factory=list)
    incoming: list[Incoming] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    ended: list[BaseException | None] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)  # an exchange has ended

    async def handle(self, incoming: Incoming, body: BodySource, reply: Reply) -> None:
        try:
            await self._handle(incoming, body, reply)
        finally:
            self.over.set()

    async def _handle(self, incoming: Incoming, body: BodySource, reply: Reply) -> None:
        self.incoming.append(incoming)
        self.replies.append(reply)
        try:
            if incoming.fault is not None:
                raise incoming.fault
            request = clean(incoming.head, HOSTS)
            self.accepted.append(request)
            await self.act(request, body, reply)
        except Refusal as refusal:
            self.refused.append(refusal)
            reply.refuse(refusal, DECISION)
        except (UpstreamBroken, ClientGone) as error:
            self.ended.append(error)
            reply.cut()
        except asyncio.CancelledError as error:
            self.ended.append(error)
            raise
        else:
            self.ended.append(None)


class RawClient:
    """A client that says what it is told to say, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes, *, bytewise: bool = False) -> None:
        """Send; an end of the connection by the other side is no error here."""
        with suppress(ConnectionError):
            if not bytewise:
                self.writer.write(data)
                await self.writer.drain()
                return
            for index in range(len(data)):
                if self.writer.is_closing():  # a transport of uvloop that is closed raises RuntimeError
                    return
                self.writer.write(data[index : index + 1])
                await asyncio.sleep(0)

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        """Read one reply that has a Content-Length or none at all."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, fields = parse_head(head)
        body = await self.reader.readexactly(int(fields.get("content-length", "0")))
        return status, fields, body

    async def rest(self) -> bytes:
        """Read to the end, however it ends."""
        taken = bytearray()
        try:
            while data := await self.reader.read(65_536):
                taken += data
        except ConnectionError:
            taken += self.reader._buffer  # type: ignore[attr-defined]  # a reset hides what came before it
        return bytes(taken)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, TimeoutError, OSError):
            await self.writer.wait_closed()


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the fields (lower-case names) of a reply head."""
    first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        assert name.lower() not in fields, f"{name} twice"
        fields[name.lower()] = value.strip()
    return int(first.split(" ")[1]), fields


@dataclass
class Door:
    """A door that listens in plain text on a port of its own."""

    listener: HttpListener
    pipeline: FakePipeline

    @property
    def address(self) -> Address:
        return self.listener.addresses["http"]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RawClient]:
        client = RawClient(*await asyncio.open_connection(self.address.host, self.address.port))
        try:
            yield client
        finally:
            await client.close()

    async def works(self) -> bool:
        """Return whether a plain request is still served as ever."""
        async with self.client() as client:
            await client.send(get())
            status, _, _ = await client.reply()
            return status == 200


async def closed(running: Door) -> None:
    """Wait until no connection is open."""
    async with asyncio.timeout(5):
        while running.listener.open:  # noqa: ASYNC110 - a closing has no event to wait for
            await asyncio.sleep(0.01)


@asynccontextmanager
async def door(
    act: Act = echo, bounds: Bounds = QUICK, proxies: Iterable[ProxySettings] = (), host: str = "127.0.0.1"
) -> AsyncIterator[Door]:
    """Run a door for the time of the block."""
    pipeline = FakePipeline(act)
    settings = ListenSettings(http=Address(host, 0))
    listener = HttpListener(settings, pipeline, SystemClock(), bounds=bounds, proxies=proxies)
    await listener.start()
    try:
        yield Door(listener, pipeline)
    finally:
        await listener.stop()


def get(path: str = "/studies", *fields: str) -> bytes:
    """Return a plain GET."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: pacs.example.org", *fields, "", ""]).encode("latin-1")


def post(body: bytes, *fields: str) -> bytes:
    """Return a POST whose framing fields are given."""
    return "\r\n".join(["POST /studies HTTP/1.1", "Host: pacs.example.org", *fields, "", ""]).encode("latin-1") + body
