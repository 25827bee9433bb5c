"""The client's end of a WebSocket: what it takes from the client, when it asks, and how it ends."""

import asyncio

import pytest

from leadglass.codec.websocket import Message, Op, Reader, write_close, write_frame
from leadglass.gateways.http.tunnel import Tunnel
from leadglass.limits import CHANNEL_PING_SECONDS
from leadglass.model.errors import ClientGone

MASK = b"\x01\x02\x03\x04"


class Line:
    """A connection that keeps what is written; `flushes` says whether it leaves at once."""

    def __init__(self) -> None:
        self.lost = self.congested = False
        self.flushes = True
        self.resets: list[str] = []
        self.ends = 0
        self._frames = Reader(masked=False, limit=1_000)
        self.told: list[Message] = []

    def send(self, data: bytes) -> bool:
        self.told += self._frames.feed(data)
        return self.flushes

    def reset(self, why: str, *, cancel: bool = False) -> None:
        assert cancel
        self.resets.append(why)

    async def drained(self) -> None:
        self.congested = False

    def ended(self) -> None:
        self.ends += 1


def tunnel() -> tuple[Line, Tunnel]:
    line = Line()
    return line, Tunnel(line, line.ended, 0.0)


async def test_text_goes_out_whole_and_waits_for_a_slow_client() -> None:
    line, open_now = tunnel()
    counted: list[int] = []
    open_now.count = counted.append
    line.congested = True
    await open_now.send(b"report")
    assert (line.told, counted, line.congested) == ([Message(Op.TEXT, b"report")], [6], False)


async def test_a_ping_is_answered_unless_too_much_is_unsent() -> None:
    line, open_now = tunnel()
    assert open_now.feed(write_frame(Op.PING, b"a", MASK)) == b""
    line.congested = True
    open_now.feed(write_frame(Op.PING, b"b", MASK))
    assert line.told == [Message(Op.PONG, b"a")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (write_close(4000, "x", MASK), 4000),
        (write_close(1005, mask=MASK), 1005),
        (write_frame(Op.TEXT, b"x", MASK), 1003),
        (write_frame(Op.PONG, b"x"), 1002),
    ],
)
async def test_a_client_ends_it_once(data: bytes, code: int) -> None:
    line, open_now = tunnel()
    open_now.feed(data)
    open_now.feed(data)
    open_now.drain()
    assert (line.told, line.ends) == ([Message(Op.CLOSE, b"", code)], 1)
    with pytest.raises(ClientGone):
        await open_now.send(b"more")


async def test_parting_waits_for_the_client_to_say_so_too() -> None:
    line, open_now = tunnel()
    parting = asyncio.gather(open_now.part(1000))
    await asyncio.sleep(0)
    assert (line.told, parting.done()) == ([Message(Op.CLOSE, b"", 1000)], False)
    open_now.feed(write_close(1000, mask=MASK))
    await parting


async def test_severing_says_whether_the_client_is_told() -> None:
    line, open_now = tunnel()
    assert open_now.sever()
    assert line.told == [Message(Op.CLOSE, b"", 1008)]
    assert not open_now.sever()  # it was over
    line, open_now = tunnel()
    line.flushes = False  # what came before is unsent, and must stay so
    assert not open_now.sever()


async def test_a_silent_client_is_asked_and_then_given_up() -> None:
    line, open_now = tunnel()
    open_now.tick(CHANNEL_PING_SECONDS - 1)
    assert line.told == []
    open_now.tick(CHANNEL_PING_SECONDS)
    assert line.told == [Message(Op.PING, b"")]
    open_now.feed(write_frame(Op.PONG, b"", MASK))
    open_now.tick(CHANNEL_PING_SECONDS * 2)  # it spoke
    assert line.resets == []
    open_now.tick(CHANNEL_PING_SECONDS * 3)
    open_now.tick(CHANNEL_PING_SECONDS * 4)
    assert line.resets == ["the client of a channel is silent"]
