"""Rows C of the attack list and every cell that the HTTP parser accepts: over a socket, whole and byte by byte."""

import asyncio
from contextlib import suppress

import pytest

from leadglass.limits import HEAD_BYTES
from support.attacks import METADATA, Watch, statuses, still_serves
from support.badhttp import CHUNKED, HEADS
from support.gateway import HOST, Running

pytestmark = pytest.mark.asyncio(loop_scope="module")
_LONGEST_BYTEWISE = 2_500  # bytes; longer ones say nothing new in pieces of one


@pytest.fixture
async def count(site: Running) -> Watch:
    site.clock.advance(0.2)
    return Watch(site)


async def attacked(site: Running, data: bytes, *, bytewise: bool) -> list[int]:
    """Send, and return what was answered until the connection ended."""
    async with asyncio.timeout(15), site.client(plain=True) as client:
        await client.send(data, bytewise=bytewise)
        if not client.writer.is_closing() and client.writer.can_write_eof():
            with suppress(OSError):
                client.writer.write_eof()
        return statuses(await client.rest())


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize(("name", "data"), HEADS, ids=[name for name, _ in HEADS])
async def test_a_head_that_two_parties_could_read_differently(
    site: Running,
    count: Watch,
    name: str,
    data: bytes,
    bytewise: bool,  # noqa: FBT001 - a column of the table
) -> None:
    if bytewise and len(data) > _LONGEST_BYTEWISE:
        pytest.skip("too long to say anything new byte by byte")
    told = await attacked(site, data, bytewise=bytewise)
    assert len(told) <= 1, told
    assert all(400 <= status < 600 for status in told), told
    assert site.archive.asked == []
    lines = await count.recorded()
    assert len(lines) == 1
    assert lines[0]["decision"]["allow"] is False
    assert lines[0]["subject"] is None
    assert name


BODIES = [
    pytest.param(name, data, bytewise, id=f"{name}-{'bytewise' if bytewise else 'whole'}")
    for name, data in CHUNKED
    for bytewise in (False, True)
    if not bytewise or len(data) <= _LONGEST_BYTEWISE
]


@pytest.mark.parametrize(("name", "data", "bytewise"), BODIES)
async def test_a_body_whose_chunks_are_unsound(
    site: Running,
    count: Watch,
    name: str,
    data: bytes,
    bytewise: bool,  # noqa: FBT001 - a column of the table
) -> None:
    token = site.token("technologist")
    kind = b'Content-Type: multipart/related; type="application/dicom"; boundary=B\r\n'
    start = f"POST /dicom-web/studies HTTP/1.1\r\nAuthorization: Bearer {token}\r\n".encode() + kind
    data = data.replace(b"POST /studies HTTP/1.1\r\n", start)
    head, end, body = data.partition(b"\r\n\r\n")
    async with asyncio.timeout(15), site.client() as client:
        await client.send(head + end)
        sending = asyncio.ensure_future(client.send(body, bytewise=bytewise))
        answer = await client.answer()
        await sending
    assert 400 <= answer.status < 500, (name, answer)
    lines = await count.recorded(2)
    assert lines[-1]["type"] == "completion"
    assert lines[-1]["status"] == answer.status
    assert not lines[-1].get("stored", {}).get("studies")


async def test_after_all_of_them_the_gateway_serves_as_ever(site: Running) -> None:
    await still_serves(site)
    assert site.gateway.parts.archives["main"].upstream.pool.running == 0


SIZES = {
    "one-long-field": (f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\nX-A: {'a' * HEAD_BYTES}\r\n\r\n", 431),
    "a-megabyte": (f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\nX-A: {'a' * 1_000_000}\r\n\r\n", 431),
    "ten-thousand-fields": (
        f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\n" + "".join(f"X-{n}: 1\r\n" for n in range(10_000)) + "\r\n",
        431,
    ),
    "ten-thousand-query-keys": (
        f"GET /dicom-web/studies?{'&'.join(f'a{n}=1' for n in range(10_000))} HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
        431,
    ),
    "a-long-target": (f"GET /{'a' * 20_000} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", 400),
    "never-an-end": ("GET / HTTP/1.1\r\n" + "X: 1\r\n" * 100_000, 431),
}


@pytest.mark.parametrize(("text", "status"), SIZES.values(), ids=SIZES.keys())
async def test_oversize_heads(site: Running, count: Watch, text: str, status: int) -> None:
    told = await attacked(site, text.encode(), bytewise=False)
    assert told in ([status], [400], [431], []), told
    await count.refused()
    await still_serves(site)


async def test_query_keys_within_the_head_are_bounded_too(site: Running, count: Watch) -> None:
    keys = "&".join(f"a{n}=1" for n in range(2_000))
    answer = await site.ask(f"/dicom-web/studies?{keys}")
    assert answer.status in {400, 431}
    await count.refused()


async def test_a_slow_head_is_a_408(site: Running, count: Watch) -> None:
    async with asyncio.timeout(10), site.client(plain=True) as client:
        await client.send(f"GET {METADATA} HTTP/1.1\r\nHost: ".encode())
        reading = asyncio.ensure_future(client.rest())
        while not reading.done():
            site.clock.advance(0.2)
            await client.send(b"a")
            await asyncio.sleep(0.05)
        assert statuses(await reading) == [408]
    line = await count.refused()
    assert line["decision"]["reasons"][0]["code"] == "head-too-slow"
    await still_serves(site)


async def test_requests_sent_ahead_are_answered_in_turn_and_each_has_its_line(site: Running, count: Watch) -> None:
    await still_serves(site)
    count = Watch(site)
    one = f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {site.token()}\r\n\r\n".encode()
    async with asyncio.timeout(10), site.client() as client:
        await client.send(one * 5)
        answers = [await client.answer() for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert len({answer.decision_id for answer in answers}) == 5
    assert len(await count.recorded(5)) == 5


async def test_a_thousand_requests_in_one_write_are_no_flood(site: Running) -> None:
    count = Watch(site)
    one = f"GET /nix HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    async with asyncio.timeout(20), site.client(plain=True) as client:
        await client.send(one * 1_000)
        answers = [await client.answer() for _ in range(1_000)]
    assert {answer.status for answer in answers} <= {401, 429}
    assert site.archive.asked == []
    assert len(count.new()) <= 1_000
    await still_serves(site)


async def test_expect_continue_is_answered_or_ignored_but_never_forwarded(site: Running) -> None:
    answer = await site.ask(METADATA, "Expect: 100-continue")
    assert answer.status in {200, 400, 417}
    assert not any("expect" in {name.lower() for name in head} for head in site.archive.heads)
