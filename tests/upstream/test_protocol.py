import pytest

from leadglass.limits import UPSTREAM_HEAD_BYTES
from leadglass.model.errors import Refusal, UpstreamBroken
from leadglass.upstream.memory import Memory
from leadglass.upstream.protocol import Connection
from leadglass.upstream.reply import Reply
from support.replies import BROKEN, SOUND
from support.transports import FakePlace, FakeTransport, receive


async def feed(raw: bytes, *, step: int, close: bool) -> tuple[Reply, bool, FakePlace, bytes]:
    """Put `raw` through a connection in steps and return the reply with its body, or raise what it raises."""
    ended: list[Connection] = []
    connection = Connection(ended.append, Memory())
    transport = FakeTransport()
    connection.connection_made(transport)
    place = FakePlace()
    answer = connection.ask(b"GET / HTTP/1.1\r\n\r\n", place)
    for start in range(0, len(raw), step):
        if connection.alive:
            receive(connection, raw[start : start + step])
    alive = connection.alive
    if close:
        connection.connection_lost(None)
    if not answer.done():
        answer.cancel()
        raise UpstreamBroken("waits for more")
    reply = answer.result()
    return reply, alive, place, await reply.read(1 << 20)


@pytest.mark.parametrize("step", [1, 7, 1 << 20], ids=["bytewise", "sevens", "whole"])
@pytest.mark.parametrize(("raw", "status", "body", "keep", "close"), SOUND.values(), ids=SOUND)
async def test_sound(raw: bytes, status: int, body: bytes, *, keep: bool, close: bool, step: int) -> None:
    reply, alive, place, got = await feed(raw, step=step, close=close)
    assert (reply.status, got) == (status, body)
    assert alive is (keep or reply.length is None)  # a reply to the end of the connection ends with it
    assert place.released == 1


@pytest.mark.parametrize("step", [1, 7, 1 << 20], ids=["bytewise", "sevens", "whole"])
@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
async def test_broken(raw: bytes, step: int) -> None:
    try:
        _, alive, _, _ = await feed(raw, step=step, close=True)
    except (UpstreamBroken, Refusal):
        return
    # The reply was whole before the bytes that are too many came; they cost the connection.
    assert step == 1
    assert not alive


async def test_bytes_that_nobody_asked_for_close_the_connection() -> None:
    connection = Connection(lambda _: None, Memory())
    connection.connection_made(FakeTransport())
    answer = connection.ask(b"GET / HTTP/1.1\r\n\r\n", FakePlace())
    alive = []
    receive(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    alive.append(connection.alive)
    receive(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    alive.append(connection.alive)
    assert alive == [True, False]
    assert await answer.result().read(10) == b"ok"


async def test_large_head() -> None:
    raw = b"HTTP/1.1 200 OK\r\nX: " + b"a" * UPSTREAM_HEAD_BYTES + b"\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(UpstreamBroken, match="head too large"):
        await feed(raw, step=4096, close=False)
