import asyncio

import pytest

from leadglass.limits import UPSTREAM_BUFFER_BYTES, UPSTREAM_COPIED_BYTES
from leadglass.model.errors import Refusal, UpstreamBroken
from leadglass.upstream.memory import Memory
from leadglass.upstream.protocol import Connection
from leadglass.upstream.reply import Reply
from support.transports import FakePlace, FakeTransport, receive
from support.upstreams import ListSink


class Wire:
    """A connection that has been asked, and what to put through it."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.connection = Connection(lambda _: None, self.memory)
        self.transport, self.place = FakeTransport(), FakePlace()
        self.connection.connection_made(self.transport)
        self.answer = self.connection.ask(b"GET / HTTP/1.1\r\n\r\n", self.place)

    def reply(self, length: int, body: bytes = b"") -> Reply:
        receive(self.connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + body)
        return self.answer.result()


async def test_many_bytes_reach_the_sink_where_they_were_read_to() -> None:
    wire, sink = Wire(), ListSink()
    large = bytes(UPSTREAM_COPIED_BYTES + 1)
    reply = wire.reply(3 + len(large) + 3, b"one")
    relaying = asyncio.get_running_loop().create_task(reply.relay(sink))
    await asyncio.sleep(0)
    memory = wire.memory.whole
    receive(wire.connection, large)
    piece = sink.pieces[1]
    assert isinstance(piece, memoryview)
    assert piece.obj is memory.obj
    assert wire.memory.whole.obj is not memory.obj  # the sink holds it
    assert wire.place.released == 0
    receive(wire.connection, b"xyz")
    assert wire.place.released == 1
    assert await relaying == 6 + len(large)
    assert sink.sources == [reply, None]
    assert sink.body == b"one" + large + b"xyz"


async def test_a_trickle_to_a_sink_that_holds_everything_keeps_no_more_than_its_bytes() -> None:
    wire, sink = Wire(), ListSink()
    reply = wire.reply(100, b"")
    relaying = asyncio.get_running_loop().create_task(reply.relay(sink))
    await asyncio.sleep(0)
    memory = wire.memory.whole
    for _ in range(100):
        receive(wire.connection, b"x")
    assert await relaying == 100
    assert wire.memory.whole is memory
    assert all(isinstance(piece, bytes) for piece in sink.pieces)


async def test_a_whole_body_needs_no_waiting() -> None:
    wire, sink = Wire(), ListSink()
    coroutine = wire.reply(3, b"one").relay(sink)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value == 3
    assert sink.body == b"one"


async def test_nothing_more_is_read_of_what_nobody_takes() -> None:
    wire = Wire()
    reply = wire.reply(10 * UPSTREAM_BUFFER_BYTES, b"x")
    paused = [wire.transport.paused]
    relaying = asyncio.get_running_loop().create_task(reply.relay(ListSink()))
    await asyncio.sleep(0)
    paused.append(wire.transport.paused)
    reply.pause_reading()
    paused.append(wire.transport.paused)
    reply.resume_reading()
    paused.append(wire.transport.paused)
    assert paused == [True, False, True, False]
    relaying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await relaying
    assert wire.transport.closed
    assert wire.place.released == 1


async def test_an_ended_reply_cannot_touch_the_connection() -> None:
    wire = Wire()
    first = wire.reply(1, b"x")
    wire.answer = wire.connection.ask(b"GET / HTTP/1.1\r\n\r\n", wire.place)
    reading = asyncio.get_running_loop().create_task(wire.reply(5, b"y").read(5))
    await asyncio.sleep(0)
    first.pause_reading()
    first.abort()
    assert not wire.transport.paused
    assert not wire.transport.closed
    receive(wire.connection, b"yyyy")
    assert await reading == b"yyyyy"
    with pytest.raises(Refusal):  # given up, so not an empty body
        await first.read(5)


async def test_a_reply_is_taken_once() -> None:
    reply = Wire().reply(1, b"x")
    assert await reply.read(1) == b"x"
    with pytest.raises(RuntimeError):
        await reply.relay(ListSink())
    with pytest.raises(RuntimeError):
        await anext(reply.chunks())


async def test_chunks_of_a_broken_reply() -> None:
    wire = Wire()
    reply = wire.reply(9, b"one")
    chunks = reply.chunks()
    assert await anext(chunks) == b"one"
    receive(wire.connection, b"two")
    assert await anext(chunks) == b"two"
    wire.connection.connection_lost(None)
    with pytest.raises(UpstreamBroken):
        await anext(chunks)
    assert wire.place.released == 1


async def test_left_in_the_middle() -> None:
    wire = Wire()
    chunks = wire.reply(9, b"one").chunks()
    assert await anext(chunks) == b"one"
    await chunks.aclose()  # type: ignore[attr-defined]  # an async generator it is
    assert wire.transport.closed


@pytest.mark.parametrize("body", [b"four", b"fo"])
async def test_read_names_the_archive(body: bytes) -> None:
    wire = Wire()
    reply = wire.reply(4, body)
    if len(body) < 4:
        wire.connection.connection_lost(ConnectionResetError())
    with pytest.raises(Refusal):
        await reply.read(3)
