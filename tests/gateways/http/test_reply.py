"""Replies: whole, relayed, re-framed, paused, and cut."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import pytest

from leadglass.limits import CLIENT_BUFFER_BYTES
from leadglass.model.errors import ClientGone, UpstreamBroken, refuse
from leadglass.model.permit import ControlReply, Sealed
from leadglass.model.ports import BodySource, Pausable, Reply, Sink
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest
from support.door import DECISION, QUICK, TEXT, Act, Door, RawClient, door, get, parse_head

CHUNK = b"x" * 65_536


class Archive:
    """An upstream reply that writes as fast as it may, and can break."""

    status = 200
    headers: Mapping[str, str] = MappingProxyType({})
    links = None

    def __init__(self, *pieces: bytes, length: int | None = None, broken: bool = False, endless: bool = False) -> None:
        self.pieces, self.length, self.broken, self.endless = pieces, length, broken, endless
        self.go = asyncio.Event()
        self.go.set()
        self.written = 0
        self.pauses = 0

    def pause_reading(self) -> None:
        self.pauses += 1
        self.go.clear()

    def resume_reading(self) -> None:
        self.go.set()

    async def relay(self, sink: Sink) -> int:
        sink.attach(self)
        try:
            while True:
                for piece in self.pieces:
                    await self.go.wait()
                    sink.write(piece)
                    self.written += len(piece)
                    await asyncio.sleep(0)
                if self.broken:
                    raise UpstreamBroken("it closed mid-body")
                if not self.endless:
                    return self.written
        finally:
            sink.attach(None)

    async def read(self, limit: int) -> bytes:
        raise NotImplementedError

    def chunks(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


async def pieces(*parts: bytes, broken: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if broken:
        raise UpstreamBroken("it closed mid-body")


def forwards(sealed: Sealed) -> Act:
    """Return a pipeline's act that forwards what it is given."""

    async def act(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        await reply.forward(sealed, DECISION)

    return act


async def drink(client: RawClient) -> int:
    """Read until the connection is reset, and return how much there was. A clean end fails the test."""
    size = 0
    try:
        while piece := await client.reader.read(1_000_000):
            size += len(piece)
    except ConnectionResetError:
        return size
    pytest.fail("a clean end, which a client takes for the whole")


async def fetch(client: RawClient, path: str = "/studies") -> tuple[dict[str, str], bytes]:
    """Ask, and undo the chunked coding if there is one."""
    await client.send(get(path))
    status, fields = parse_head(await client.reader.readuntil(b"\r\n\r\n"))
    assert status == 200
    if "content-length" in fields:
        return fields, await client.reader.readexactly(int(fields["content-length"]))
    body = b""
    while size := int(await client.reader.readline(), 16):
        body += await client.reader.readexactly(size)
        assert await client.reader.readexactly(2) == b"\r\n"
    assert await client.reader.readexactly(2) == b"\r\n"
    return fields, body


@pytest.mark.parametrize("length", [None, 0], ids=["chunked", "counted"])
@pytest.mark.parametrize("parts", [(), (b"a",), (b"a", b"", b"bc"), (CHUNK, b"x", CHUNK)], ids=["0", "1", "3", "big"])
@pytest.mark.parametrize("kind", ["archive", "iterator", "bytes"])
async def test_a_sealed_reply_arrives_whole(kind: str, parts: tuple[bytes, ...], length: int | None) -> None:
    whole = b"".join(parts)
    size = None if length is None else len(whole)

    async def act(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        content: Archive | AsyncIterator[bytes] | bytes = whole
        if kind == "archive":
            content = Archive(*parts, length=size)
        elif kind == "iterator":
            content = pieces(*parts)
        await reply.forward(Sealed(200, TEXT, content, size), DECISION)

    async with door(act) as running, running.client() as client:
        for _ in range(2):
            fields, body = await fetch(client)
            assert body == whole
            assert fields["leadglass-decision-id"] == DECISION
        assert [reply.sent for reply in running.pipeline.replies] == [len(whole)] * 2
        assert all(reply.started for reply in running.pipeline.replies)


@pytest.mark.parametrize(
    "sealed",
    [
        lambda: Sealed(200, TEXT, Archive(CHUNK, length=200_000, broken=True), 200_000),
        lambda: Sealed(200, TEXT, Archive(CHUNK, broken=True), None),
        lambda: Sealed(200, TEXT, Archive(CHUNK, length=200_000), 200_000),
        lambda: Sealed(200, TEXT, Archive(CHUNK, CHUNK, length=70_000), 70_000),
        lambda: Sealed(200, TEXT, pieces(CHUNK, broken=True), None),
        lambda: Sealed(200, TEXT, pieces(CHUNK), 65_537),
        lambda: Sealed(200, TEXT, pieces(CHUNK), 65_535),
    ],
    ids=["breaks", "breaks-chunked", "short", "long", "iterator-breaks", "iterator-short", "iterator-long"],
)
async def test_a_reply_that_breaks_is_never_taken_for_whole(sealed: object) -> None:
    assert callable(sealed)
    async with door(forwards(sealed())) as running, running.client() as client:
        await client.send(get())
        await drink(client)
        assert isinstance(running.pipeline.ended[0], UpstreamBroken)
        assert running.listener.counts.cuts == 1


async def test_a_cut_is_a_reset_that_leaves_little_behind() -> None:
    archive = Archive(CHUNK, endless=True)
    started = asyncio.Event()

    async def act(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        relaying = asyncio.get_running_loop().create_task(reply.forward(Sealed(200, TEXT, archive, 10**12), DECISION))
        await started.wait()
        reply.cut()
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)

    async with door(act) as running, running.client() as client:
        await client.send(get())
        await client.reader.readexactly(1_000_000)
        await asyncio.sleep(0.05)
        started.set()
        await running.pipeline.over.wait()  # before the client reads on
        taken = 1_000_000 + await drink(client)
        assert taken + CLIENT_BUFFER_BYTES // 2 < archive.written, "what was buffered here is not delivered"
        assert running.listener.counts.cuts == 1


async def test_a_reader_that_stops_pauses_the_archive_and_is_cut() -> None:
    archive = Archive(CHUNK, endless=True)
    async with door(forwards(Sealed(200, TEXT, archive, None))) as running, running.client() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport reads
        client.writer.write(get())
        await asyncio.wait_for(running.pipeline.over.wait(), 5)
        assert isinstance(running.pipeline.ended[0], ClientGone)
        assert archive.pauses == 1
        assert archive.written < 16_000_000, "what the kernel took, and one buffer"


async def test_a_reader_that_trickles_is_cut() -> None:
    archive = Archive(CHUNK, endless=True)
    async with door(forwards(Sealed(200, TEXT, archive, None))) as running, running.client() as client:
        client.writer.write(get())

        async def sip() -> None:
            while await client.reader.read(100):  # noqa: ASYNC110 - slowness is the point
                await asyncio.sleep(0.01)

        sipping = asyncio.get_running_loop().create_task(sip())
        await asyncio.wait_for(running.pipeline.over.wait(), 5)
        assert isinstance(running.pipeline.ended[0], ClientGone)
        sipping.cancel()


async def test_a_slow_archive_is_not_the_clients_fault() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(3 * QUICK.stall_seconds)
        yield b"b"

    async with door(forwards(Sealed(200, TEXT, slow(), 2))) as running, running.client() as client:
        assert (await fetch(client))[1] == b"ab"


async def test_a_client_that_leaves_mid_reply_is_told_to_the_pipeline() -> None:
    archive = Archive(CHUNK, endless=True)
    async with door(forwards(Sealed(200, TEXT, archive, None))) as running:
        async with running.client() as client:
            await client.send(get())
            await client.reader.readexactly(1_000)
            client.writer.transport.abort()
            await asyncio.wait_for(running.pipeline.over.wait(), 2)
        assert isinstance(running.pipeline.ended[0], ClientGone)


async def test_a_client_that_leaves_while_the_archive_is_silent_is_told_at_once() -> None:
    archive = Archive(b"x", endless=True)
    async with door(forwards(Sealed(200, TEXT, archive, None))) as running:
        async with running.client() as client:
            await client.send(get())
            await client.reader.readexactly(100)
            archive.go.clear()
        await asyncio.wait_for(running.pipeline.over.wait(), 2)
        assert isinstance(running.pipeline.ended[0], ClientGone)


async def test_a_header_that_would_split_the_reply_is_never_written() -> None:
    sealed = Sealed(200, ((b"Content-Type", b"a\r\nSet-Cookie: b"),), b"")
    async with door(forwards(sealed)) as running, running.client() as client:
        await client.send(get())
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
        assert isinstance(running.pipeline.ended[0], UpstreamBroken)


async def test_head_gets_the_head_alone() -> None:
    async def act(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        if request.path == "/sealed":
            await reply.forward(Sealed(200, TEXT, b"hello"), DECISION)
        elif request.path == "/refused":
            reply.refuse(refuse(Code.ROUTE_UNKNOWN), DECISION)
        else:
            reply.answer(ControlReply(200, TEXT, b"hello"), DECISION)

    async with door(act) as running, running.client() as client:
        for path in ("/sealed", "/refused", "/answered"):
            await client.send(get(path).replace(b"GET", b"HEAD"))
            _, fields = parse_head(await client.reader.readuntil(b"\r\n\r\n"))
            assert int(fields["content-length"]) >= 5
        assert await still_in_step(running, client)


async def still_in_step(running: Door, client: RawClient) -> bool:
    """Return whether the next bytes on this connection are the next reply's."""
    await client.send(get("/last"))
    return (await client.reply())[0] == 200


async def test_an_answer_and_a_refusal_keep_the_connection() -> None:
    async def act(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        if request.path == "/refused":
            reply.refuse(refuse(Code.RATE_LIMITED, headers={"Retry-After": "7"}), DECISION)
        else:
            reply.answer(ControlReply(201, (*TEXT, (b"Cache-Control", b"max-age=60")), b"made"), DECISION)

    async with door(act) as running, running.client() as client:
        await client.send(get("/refused"))
        status, fields, _ = await client.reply()
        assert (status, fields["retry-after"]) == (429, "7")
        assert fields["content-security-policy"] == "sandbox"
        await client.send(get("/answer"))
        status, fields, body = await client.reply()
        assert (status, fields["cache-control"], body) == (201, "max-age=60", b"made")


async def test_nothing_is_written_twice() -> None:
    async def act(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        await reply.forward(Sealed(200, TEXT, b"once"), DECISION)
        reply.refuse(refuse(Code.INTERNAL_FAULT), DECISION)

    async with door(act) as running, running.client() as client:
        assert (await fetch(client))[1] == b"once"
        assert (await fetch(client))[1] == b"once"


def test_an_archive_is_a_source() -> None:
    source: Pausable = Archive()
    assert source is not None
