"""The archive's end of a channel: an answer to the handshake is believed to the letter or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.codec.websocket import accept_key
from leadglass.limits import UPSTREAM_CHANNELS_PER_SUBJECT
from leadglass.model.errors import Refusal, UpstreamBroken
from leadglass.upstream.channel import Channels, NoChannelError, agreed, new_key
from support.rawupstream import raw_upstream

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = (accept_key(KEY) or "").encode()
GOOD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\nServer: x\r\n\r\n"  # fmt: skip


def test_what_is_agreed() -> None:
    assert agreed(GOOD, KEY) == 101
    assert agreed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", KEY) == 404
    assert accept_key(new_key()) is not None


DOUBTFUL = {
    "no status line": b"101\r\n\r\n",
    "HTTP/1.0": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "another protocol": GOOD.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    "no Upgrade": GOOD.replace(b"Upgrade: websocket\r\n", b""),
    "no Connection": GOOD.replace(b", Upgrade\r\n", b"\r\n"),
    "another accept": GOOD.replace(ACCEPT, ACCEPT.swapcase()),
    "no accept": GOOD.replace(b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n", b""),
    "two accepts": GOOD.replace(b"Server: x", b"Sec-WebSocket-Accept: " + ACCEPT),
    "an extension": GOOD.replace(b"Server: x", b"Sec-WebSocket-Extensions: permessage-deflate"),
    "a protocol": GOOD.replace(b"Server: x", b"Sec-WebSocket-Protocol: chat"),
    "a length": GOOD.replace(b"Server: x", b"Content-Length: 5"),
    "a folded line": GOOD.replace(b"Server: x", b" folded"),
    "a bare LF": GOOD.replace(b"Server: x\r\n", b"Server: x\n"),
}


@pytest.mark.parametrize("answer", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_doubtful_answer_is_none(answer: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        agreed(answer, KEY)


@given(st.data())
def test_a_mutated_answer_is_one_or_none(data: st.DataObject) -> None:
    changed = bytearray(GOOD)
    for at in data.draw(st.lists(st.integers(0, len(GOOD) - 1), min_size=1, max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    try:
        agreed(bytes(changed), KEY)
    except UpstreamBroken:
        return


async def test_one_subject_opens_so_many_and_gives_each_place_back() -> None:
    async with raw_upstream(GOOD) as archive:
        host, _, port = archive.url.removeprefix("http://").partition(":")
        address, channels = (host, int(port), None), Channels()
        opened = [
            await channels.open(address, b"GET / HTTP/1.1\r\n\r\n", KEY, "a")
            for _ in range(UPSTREAM_CHANNELS_PER_SUBJECT)
        ]
        with pytest.raises(Refusal, match="upstream-busy"):
            await channels.open(address, b"GET / HTTP/1.1\r\n\r\n", KEY, "a")
        other = await channels.open(address, b"GET / HTTP/1.1\r\n\r\n", KEY, "b")
        for channel in (*opened, other):
            channel.close()
        (await channels.open(address, b"GET / HTTP/1.1\r\n\r\n", KEY, "a")).close()


async def test_another_status_and_an_archive_that_is_not_there_are_told_apart() -> None:
    channels = Channels()
    async with raw_upstream(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as archive:
        host, _, port = archive.url.removeprefix("http://").partition(":")
        with pytest.raises(NoChannelError) as caught:
            await channels.open((host, int(port), None), b"GET / HTTP/1.1\r\n\r\n", KEY, "a")
        assert caught.value.status == 403
    with pytest.raises(Refusal, match="upstream-unreachable"):
        await channels.open((host, int(port), None), b"GET / HTTP/1.1\r\n\r\n", KEY, "a")
