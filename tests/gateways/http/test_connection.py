"""Heads, framing and the order of exchanges, over a raw socket."""

import asyncio

import pytest

from leadglass import limits
from leadglass.gateways.http.bounds import Bounds
from leadglass.model.permit import Sealed
from leadglass.model.ports import BodySource, Reply
from leadglass.model.reasons import Code
from leadglass.model.request import NO_HEAD, CleanRequest
from support.badhttp import CHUNKED, HEADS, HOST, SMUGGLED
from support.door import DECISION, QUICK, TEXT, door, get, parse_head, post, unread


def statuses(taken: bytes) -> list[int]:
    """Return the statuses of all replies in what a client read."""
    return [int(part[:3]) for part in taken.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("payload", [row[1] for row in HEADS], ids=[row[0] for row in HEADS])
async def test_a_head_that_can_be_read_two_ways_is_refused(payload: bytes, bytewise: bool) -> None:  # noqa: FBT001 - a row of the table
    async with door() as running, running.client() as client:
        await client.send(payload + (b"" if b"\n\n" in payload else SMUGGLED), bytewise=bytewise)
        taken = await client.rest()
        assert running.pipeline.accepted == []
        assert len(running.pipeline.incoming) == 1, "refused, recorded, and nothing after it read"
        assert [400 <= status < 500 for status in statuses(taken)] in ([], [True])
        assert await running.works()


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    "payload",
    [row[1] for row in CHUNKED if len(row[1]) < 20_000],
    ids=[row[0] for row in CHUNKED if len(row[1]) < 20_000],
)
async def test_a_body_whose_coding_can_be_read_two_ways_is_refused(payload: bytes, bytewise: bool) -> None:  # noqa: FBT001 - a row of the table
    async with door() as running, running.client() as client:
        await client.send(payload + SMUGGLED, bytewise=bytewise)
        assert statuses(await client.rest()) == [400]
        assert [request.method for request in running.pipeline.accepted] == ["POST"]
        assert [str(refusal) for refusal in running.pipeline.refused] == [Code.HTTP_MALFORMED]
        assert await running.works()


@pytest.mark.parametrize(
    "payload",
    [row[1] for row in CHUNKED if len(row[1]) >= 20_000],
    ids=[row[0] for row in CHUNKED if len(row[1]) >= 20_000],
)
async def test_an_endless_extension_or_trailer_is_refused(payload: bytes) -> None:
    async with door() as running, running.client() as client:
        await client.send(payload + SMUGGLED)
        assert statuses(await client.rest()) == [400]
        assert await running.works()


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (get(), b"GET /studies "),
        (get("/studies", "Accept: application/dicom+json\t"), b"GET /studies "),
        (post(b"hello", "Content-Length: 5"), b"POST /studies hello"),
        (post(b"hello", "Content-Length: \t5 "), b"POST /studies hello"),
        (post(b"", "Content-Length: 0"), b"POST /studies "),
        (post(b"0\r\n\r\n", "Transfer-Encoding: chunked"), b"POST /studies "),
        (post(b"5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: Chunked"), b"POST /studies hello"),
        (post(b'5;a="b"\r\nhello\r\n1\r\n!\r\n0;x\r\n\r\n', "Transfer-Encoding: chunked"), b"POST /studies hello!"),
        (
            post(b"5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\nHost: x\r\n\r\n", "Transfer-Encoding: chunked"),
            b"POST /studies hello",
        ),
    ],
    ids=["get", "tab", "length", "blanks", "zero", "no-chunk", "chunk", "extension", "trailers-dropped"],
)
async def test_a_plain_request_is_served_twice_on_one_connection(
    request_bytes: bytes,
    answer: bytes,
    bytewise: bool,  # noqa: FBT001 - a row of the table
) -> None:
    async with door() as running, running.client() as client:
        for _ in range(2):
            await client.send(request_bytes, bytewise=bytewise)
            status, fields, body = await client.reply()
            assert (status, body) == (200, answer)
            assert "connection" not in fields
        assert all("authorization" not in request.headers for request in running.pipeline.accepted)


async def test_pipelined_requests_are_answered_in_order_and_one_at_a_time() -> None:
    running_now = 0

    async def slow(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        nonlocal running_now
        running_now += 1
        assert running_now == 1
        await asyncio.sleep(0)
        taken = b"".join([chunk async for chunk in body.chunks()])
        running_now -= 1
        await reply.forward(Sealed(200, TEXT, request.path.encode() + taken), DECISION)

    async with door(slow) as running, running.client() as client:
        wanted = [f"/{n}".encode() + (b"hi" if n % 3 else b"") for n in range(60)]
        wire = b"".join(
            f"POST /{n} HTTP/1.1\r\n".encode() + HOST + b"Content-Length: 2\r\n\r\nhi" if n % 3 else get(f"/{n}")
            for n in range(60)
        )
        await client.send(wire)
        assert [(await client.reply())[2] for _ in range(60)] == wanted


async def test_a_flood_of_pipelined_requests_is_held_in_the_kernel() -> None:
    hold = asyncio.Event()

    async def held(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        await hold.wait()
        await unread(request, body, reply)

    async with door(held) as running, running.client() as client:
        client.writer.write(get() * 400_000)  # 19 MB, of which the door may hold one read
        while not running.pipeline.incoming:  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)  # what it would take more than it may, it takes now
        (connection,) = running.listener._hub.connections
        assert len(connection._held) <= 2 * limits.BODY_BUFFER_BYTES
        assert len(running.pipeline.incoming) == 1
        client.writer.transport.abort()
        hold.set()


async def test_a_slow_head_is_answered_408_and_recorded() -> None:
    async with door() as running, running.client() as client:
        await client.send(b"GET /studies HTTP/1.1\r\nHost: pacs")
        assert statuses(await client.rest()) == [408]
        (incoming,) = running.pipeline.incoming
        assert incoming.head == NO_HEAD
        assert str(incoming.fault) == Code.HEAD_TOO_SLOW


async def test_a_head_that_trickles_does_not_win_time() -> None:
    async with door() as running, running.client() as client:
        begun = asyncio.get_running_loop().time()

        async def trickle() -> None:
            for byte in b"GET /" + b"a" * 1_000:
                await client.send(bytes([byte]))
                await asyncio.sleep(0.01)

        trickling = asyncio.get_running_loop().create_task(trickle())
        assert statuses(await client.rest()) == [408]
        assert asyncio.get_running_loop().time() - begun < 2
        trickling.cancel()


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with door() as running, running.client() as client:
        assert await client.rest() == b""
        assert running.pipeline.incoming == []


async def test_an_idle_connection_is_closed_after_a_while() -> None:
    async with door() as running, running.client() as client:
        await client.send(get())
        await client.reply()
        begun = asyncio.get_running_loop().time()
        assert await client.rest() == b""
        assert asyncio.get_running_loop().time() - begun >= QUICK.keep_alive_seconds / 2


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * limits.HEAD_BYTES + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * limits.HEAD_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X: 1\r\n" * 10_000 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: 1\r\n" % n for n in range(100)) + b"\r\n",
    ],
    ids=["target", "value", "endless", "fields", "fields-101"],
)
async def test_an_oversize_head_is_answered_431(head: bytes) -> None:
    async with door() as running, running.client() as client:
        await client.send(head)
        assert statuses(await client.rest()) == [431]
        assert running.pipeline.accepted == []
        assert await running.works()


async def test_a_head_in_too_many_pieces_is_refused() -> None:
    async with door(bounds=Bounds(linger_seconds=0.2)) as running, running.client() as client:
        await client.send(b"GET /" + b"a" * (limits.HEAD_FEEDS + 1_000), bytewise=True)
        (connection,) = running.listener._hub.connections
        if connection._feeds:  # the kernel joined pieces: feed the rest by hand
            while not connection._deaf:
                connection.data_received(b"a")
        assert statuses(await client.rest()) == [400]


@pytest.mark.parametrize("fields", [("Connection: close",), ("Connection: keep-alive, Close",)], ids=["close", "list"])
async def test_close_is_honoured(fields: tuple[str, ...]) -> None:
    async with door() as running, running.client() as client:
        await client.send(get("/studies", *fields) + SMUGGLED)
        taken = await client.rest()
        assert statuses(taken) == [200]
        assert parse_head(taken)[1]["connection"] == "close"
        assert len(running.pipeline.incoming) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(SMUGGLED, f"Content-Length: {len(SMUGGLED)}"),
        post(SMUGGLED, "Content-Length: 100000"),
        post(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), "Transfer-Encoding: chunked"),
    ],
    ids=["whole", "partial", "chunked"],
)
async def test_an_unread_body_is_never_read_as_a_request(request_bytes: bytes) -> None:
    async with door(unread) as running, running.client() as client:
        await client.send(request_bytes + SMUGGLED)
        taken = await client.rest()
        assert statuses(taken) == [200]
        assert parse_head(taken)[1]["connection"] == "close"
        assert len(running.pipeline.incoming) == 1


async def test_a_pipeline_that_answers_nothing_or_raises_looks_like_a_cut() -> None:
    async def silent(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        if request.path == "/raise":
            raise RuntimeError("a broken promise")

    async with door(silent) as running:
        for path in ("/silent", "/raise"):
            async with running.client() as client:
                await client.send(get(path))
                with pytest.raises(ConnectionResetError):
                    await client.reader.read()


@pytest.mark.parametrize("how", ["close", "half-close", "abort"])
async def test_a_client_that_leaves_ends_its_exchange(how: str) -> None:
    started = asyncio.Event()

    async def forever(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        started.set()
        await asyncio.Event().wait()

    async with door(forever) as running:
        async with running.client() as client:
            await client.send(get())
            await started.wait()
            if how == "half-close":
                client.writer.write_eof()
                await asyncio.wait_for(running.pipeline.over.wait(), 2)
            elif how == "abort":
                client.writer.transport.abort()
        await asyncio.wait_for(running.pipeline.over.wait(), 2)
        assert isinstance(running.pipeline.ended[0], asyncio.CancelledError)
