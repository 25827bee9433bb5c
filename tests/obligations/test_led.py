import gzip
import json
from collections.abc import AsyncIterator

import pytest

from leadglass.codec.links.jsonlinks import JsonLinks
from leadglass.limits import UPSTREAM_BUFFER_BYTES
from leadglass.model.errors import UpstreamBroken
from leadglass.obligations.led import LedReply, inflated, led, led_whole
from support.links import ARCHIVE, EVIL, PUBLIC, Led
from support.matches import JSON, FakeReply
from support.upstreams import ListSink

ROWS = [
    {"00081190": {"vr": "UR", "Value": [f"{ARCHIVE}/studies/{n}"]}, "00100010": {"vr": "LO", "Value": ["x"]}}
    for n in range(5000)
]
BODY = json.dumps(ROWS).encode()
WANTED = json.loads(BODY.replace(ARCHIVE.encode(), PUBLIC.encode()))


async def taken(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


@pytest.mark.parametrize("step", [777, 65_536, 10_000_000])
@pytest.mark.parametrize(("packed", "pack"), [(False, False), (True, False), (True, True)])
async def test_links_are_led_as_the_body_streams(step: int, packed: bool, pack: bool) -> None:  # noqa: FBT001 - a table
    reply = FakeReply(gzip.compress(BODY) if packed else BODY, step=step)
    body = await taken(led(reply, JsonLinks(Led()), packed=packed, pack=pack))
    assert json.loads(gzip.decompress(body) if pack else body) == WANTED


@pytest.mark.parametrize("step", [777, 65_536, 10_000_000])
async def test_links_are_led_on_their_way_to_a_sink(step: int) -> None:
    sink = ListSink()
    assert await LedReply(FakeReply(BODY, step=step), JsonLinks(Led())).relay(sink) == len(BODY)
    assert json.loads(sink.body) == WANTED


async def test_a_led_reply_is_a_reply() -> None:
    whole = FakeReply(BODY, status=203, headers=JSON)
    reply = LedReply(whole, JsonLinks(Led()))
    assert (reply.status, reply.headers, reply.length) == (203, JSON, None)
    assert json.loads(await reply.read(len(BODY))) == WANTED
    assert json.loads(await taken(LedReply(whole, JsonLinks(Led())).chunks())) == WANTED
    for bad in (FakeReply(b'["BulkDataURI"'), FakeReply(BODY, broken=True)):
        with pytest.raises(UpstreamBroken):
            await LedReply(bad, JsonLinks(Led())).relay(ListSink())
    reply.abort()
    assert whole.aborted


async def test_an_archive_is_let_go_when_the_client_is() -> None:
    reply = FakeReply(BODY, step=65_536)
    pieces = led(reply, JsonLinks(Led()))
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
    assert reply.aborted


@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_that_breaks_is_no_whole_one(packed: bool) -> None:  # noqa: FBT001 - a table
    body = gzip.compress(BODY) if packed else BODY
    reply = FakeReply(body[:-5] if packed else b'["BulkDataURI"')
    with pytest.raises(UpstreamBroken):
        await taken(led(reply, JsonLinks(Led()), packed=packed))
    assert reply.aborted


async def test_a_small_gzip_opens_in_pieces() -> None:
    reply = FakeReply(gzip.compress(bytes(20_000_000)), headers=JSON)
    assert max([len(piece) async for piece in inflated(reply)]) <= UPSTREAM_BUFFER_BYTES


async def test_what_is_whole_in_memory() -> None:
    links = Led()
    assert json.loads(await led_whole(BODY, links)) == WANTED
    assert json.loads(await led_whole(json.dumps({"a": {"BulkDataURI": EVIL}}).encode(), links)) == {"a": {}}
    assert links.foreign == [EVIL]
    assert await led_whole(b"", links) == b""
