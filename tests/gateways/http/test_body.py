"""Request bodies: counted, bounded, paused, and asked for with 100 Continue."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from leadglass.gateways.http.body import NO_BODY, RequestBody
from leadglass.gateways.http.bounds import Bounds
from leadglass.limits import BODY_BUFFER_BYTES
from leadglass.model.errors import ClientGone, Refusal
from leadglass.model.permit import Sealed
from leadglass.model.ports import BodySource, Reply
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest
from support.door import DECISION, QUICK, TEXT, door, post


class Carrier:
    """A connection that notes what the body asks of it."""

    def __init__(self) -> None:
        self.lost = False
        self.resumed = 0
        self.continues = 0

    def resume_body(self) -> None:
        self.resumed += 1

    def send_continue(self) -> None:
        self.continues += 1


async def taken(source: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in source])


async def test_no_body_is_empty() -> None:
    assert await taken(NO_BODY.chunks()) == b""
    assert NO_BODY.finished


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_a_counted_body_ends_where_it_ends(size: int) -> None:
    body = RequestBody(Carrier(), 5, 100, expect=False)
    wire, rest = b"helloNEXT", b""
    for at in range(0, len(wire), size):
        rest += body.feed(wire[at : at + size]) if not body.arrived else wire[at : at + size]
    assert (body.arrived, body.finished) == (True, False)
    assert await taken(body.chunks()) == b"hello"
    assert (body.arrived, body.finished) == (True, True)
    assert rest == b"NEXT"


async def test_reading_pauses_when_enough_is_held_and_resumes_when_taken() -> None:
    carrier = Carrier()
    body = RequestBody(carrier, 3 * BODY_BUFFER_BYTES, 10 * BODY_BUFFER_BYTES, expect=False)
    body.feed(b"x" * (BODY_BUFFER_BYTES - 1))
    filled = [body.full]
    body.feed(b"x")
    filled.append(body.full)
    chunks = body.chunks()
    await anext(chunks)
    filled.append(body.full)
    assert filled == [False, True, False]
    await anext(chunks)
    assert carrier.resumed == 1


@pytest.mark.parametrize("length", [101, None], ids=["counted", "chunked"])
async def test_a_body_past_its_limit_is_413_and_nothing_of_it_is_asked_for(length: int | None) -> None:
    carrier = Carrier()
    body = RequestBody(carrier, length, 100, expect=length is not None)
    if length is None:
        body.feed(b"65\r\n" + b"x" * 101 + b"\r\n")
    with pytest.raises(Refusal, match="body-too-large"):
        await anext(body.chunks())
    assert carrier.continues == 0
    assert not body.finished


async def test_continue_is_sent_when_the_body_is_first_read_and_once() -> None:
    carrier = Carrier()
    body = RequestBody(carrier, 5, 100, expect=True)
    assert carrier.continues == 0
    reading = asyncio.get_running_loop().create_task(taken(body.chunks()))
    await asyncio.sleep(0)
    assert carrier.continues == 1
    assert body.awaited is True
    body.feed(b"he")
    await asyncio.sleep(0)
    body.feed(b"llo")
    assert await reading == b"hello"
    assert carrier.continues == 1


async def test_a_client_that_sends_its_body_unasked_is_not_asked() -> None:
    carrier = Carrier()
    body = RequestBody(carrier, 5, 100, expect=True)
    body.feed(b"hello")
    assert await taken(body.chunks()) == b"hello"
    assert carrier.continues == 0


async def test_a_failure_reaches_who_reads_and_drops_what_is_held() -> None:
    body = RequestBody(Carrier(), 5, 100, expect=False)
    body.feed(b"hel")
    body.fail(ClientGone("x"))
    assert body.feed(b"lo") == b""
    with pytest.raises(ClientGone):
        await anext(body.chunks())


async def test_a_lost_connection_is_told_to_who_reads() -> None:
    carrier = Carrier()
    body = RequestBody(carrier, 5, 100, expect=False)
    reading = asyncio.get_running_loop().create_task(taken(body.chunks()))
    await asyncio.sleep(0)
    carrier.lost = True
    reading.cancel()
    with pytest.raises(ClientGone):
        await reading


async def test_a_reader_that_is_cancelled_by_another_is_cancelled() -> None:
    body = RequestBody(Carrier(), 5, 100, expect=False)
    reading = asyncio.get_running_loop().create_task(taken(body.chunks()))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


# --- over a socket -------------------------------------------------------------------------------------------------
async def test_expect_over_the_wire() -> None:
    async with door() as running, running.client() as client:
        await client.send(post(b"", "Content-Length: 5", "Expect: 100-continue"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hello")
        assert (await client.reply())[2] == b"POST /studies hello"


async def test_a_body_that_is_refused_is_not_asked_for() -> None:
    async with door(bounds=Bounds(body_bytes=4, linger_seconds=0.2)) as running, running.client() as client:
        await client.send(post(b"", "Content-Length: 5", "Expect: 100-continue"))
        status, fields, _ = await client.reply()
        assert (status, fields["connection"]) == (413, "close")


async def test_a_body_that_stalls_is_408() -> None:
    async with door() as running, running.client() as client:
        await client.send(post(b"hel", "Content-Length: 5"))
        status, fields, _ = await client.reply()
        assert (status, fields["connection"]) == (408, "close")
        assert [str(refusal) for refusal in running.pipeline.refused] == [Code.BODY_TOO_SLOW]


async def test_a_body_that_trickles_is_408() -> None:
    async with door() as running, running.client() as client:
        await client.send(post(b"", "Content-Length: 5000"))

        async def trickle() -> None:
            while True:
                await client.send(b"x")
                await asyncio.sleep(0.02)

        trickling = asyncio.get_running_loop().create_task(trickle())
        assert (await client.reply())[0] == 408
        trickling.cancel()


async def test_the_reply_to_a_refused_upload_is_read_although_the_client_still_sends() -> None:
    async with door(bounds=Bounds(body_bytes=4)) as running, running.client() as client:
        total = 30_000_000
        await client.send(post(b"", f"Content-Length: {total}"))
        sending = asyncio.get_running_loop().create_task(client.send(b"x" * total))
        assert (await client.reply())[0] == 413
        await sending
        assert await running.works()


async def test_a_slow_pipeline_pauses_the_client() -> None:
    go = asyncio.Event()

    async def waits(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        await go.wait()
        size = 0
        async for piece in body.chunks():
            size += len(piece)
        await reply.forward(Sealed(200, TEXT, str(size).encode()), DECISION)

    total = 40_000_000
    async with door(waits) as running, running.client() as client:
        await client.send(post(b"", f"Content-Length: {total}"))
        sending = asyncio.get_running_loop().create_task(client.send(b"x" * total))
        await asyncio.sleep(2 * QUICK.stall_seconds)  # longer than the stall: the client is not the one that stalls
        (connection,) = running.listener._hub.connections
        assert isinstance(connection._body, RequestBody)
        assert connection._body._buffered <= 2 * BODY_BUFFER_BYTES
        assert not connection._reading
        go.set()
        assert (await client.reply())[2] == str(total).encode()
        await sending
