import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from leadglass.limits import UPSTREAM_HEAD_SECONDS, UPSTREAM_IDLE_SECONDS
from leadglass.model.ask import Ask
from leadglass.model.errors import Refusal, UpstreamBroken, refuse
from leadglass.model.reasons import Code
from leadglass.telemetry.metrics import UPSTREAM_ERRORS
from support.clock import FakeClock
from support.orthanc import Orthanc, free_port
from support.rawupstream import Exchange, raw_upstream, reply
from support.replies import BROKEN, SOUND
from support.studies import instance
from support.upstreams import ListSink, opened, permit

GET = Ask("GET", "dicomweb", "/studies/1.2", authority="pacs.example.org")
POST = Ask("POST", "dicomweb", "/studies", content_type="multipart/related; boundary=b")


def code(caught: "pytest.ExceptionInfo[Refusal]") -> str:
    return caught.value.causes[0].reason.code


async def body_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize(("raw", "status", "body", "keep", "close"), SOUND.values(), ids=SOUND)
async def test_sound_over_a_socket(raw: bytes, status: int, body: bytes, *, keep: bool, close: bool) -> None:
    async with raw_upstream(raw, closing=close) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        if status == 304:
            with pytest.raises(Refusal) as caught:
                await upstream.open(permit(), GET)
            assert code(caught) == Code.UPSTREAM_INVALID
            return
        for _ in range(2):
            sink = ListSink()
            answer = await upstream.open(permit(), GET)
            assert await answer.relay(sink) == len(body)
            assert sink.body == body
        assert archive.connections == (1 if keep else 2)
        assert upstream.pool.running == 0


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
async def test_broken_over_a_socket(raw: bytes) -> None:
    async with raw_upstream(raw, closing=True) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        with pytest.raises((Refusal, UpstreamBroken)):
            await (await upstream.open(permit(), GET)).relay(ListSink())
        assert upstream.pool.running == 0


async def test_the_head_holds_nothing_but_ours() -> None:
    async with raw_upstream(reply()) as archive:
        ask = Ask(
            "GET", "dicomweb", "/studies", "limit=1", accept="application/dicom+json", gzip=True, authority="h:8443"
        )
        async with opened(archive.url, public_urls=("https://h:8443",)) as upstream:
            await upstream.open(permit(), ask)
        assert archive.heads == [
            b"GET /dicom-web/studies?limit=1 HTTP/1.1\r\n"
            b"Host: 127.0.0.1:%d\r\n"
            b"Accept: application/dicom+json\r\n"
            b"Accept-Encoding: gzip\r\n"
            b"Forwarded: host=h:8443;proto=https\r\n\r\n" % archive.port
        ]


@pytest.mark.parametrize(
    ("status", "expected", "answered"),
    [
        (404, Code.STUDY_NOT_VISIBLE, 404),
        (410, Code.STUDY_NOT_VISIBLE, 404),
        (401, Code.UPSTREAM_CREDENTIALS, 502),
        (403, Code.UPSTREAM_CREDENTIALS, 502),
        (302, Code.UPSTREAM_INVALID, 502),
        (205, Code.UPSTREAM_INVALID, 502),
        (226, Code.UPSTREAM_INVALID, 502),
        (400, Code.UPSTREAM_REFUSED, 400),
        (409, Code.UPSTREAM_REFUSED, 409),
        (415, Code.UPSTREAM_REFUSED, 415),
        (418, Code.UPSTREAM_REFUSED, 502),
        (500, Code.UPSTREAM_REFUSED, 502),
        (503, Code.UPSTREAM_REFUSED, 503),
    ],
)
async def test_statuses(status: int, expected: Code, answered: int) -> None:
    secret = b"1.2.840.real.uid"
    async with raw_upstream(reply(secret, status=f"{status} X")) as archive, opened(archive.url) as upstream:
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), GET)
    cause = caught.value.causes[0]
    assert (cause.reason.code, cause.reason.status) == (expected, answered)
    assert secret.decode() not in f"{caught.value} {caught.value.detail} {cause.params}"


@pytest.mark.parametrize("other", ["vna", None])
async def test_a_permit_for_another_archive_opens_nothing(other: str | None) -> None:
    async with raw_upstream(reply(b"[]")) as archive, opened(archive.url) as upstream:
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(upstream=other), GET)
        assert code(caught) == Code.INTERNAL_FAULT
    assert not archive.heads


async def test_it_is_known_whether_the_archive_answered_last() -> None:
    said = reply(b"x", status="401 X"), reply(b"[]"), reply(b"", status="500 X")
    async with raw_upstream(*said) as archive, opened(archive.url) as upstream:
        told = [upstream.trouble]
        for ask in (upstream.open(permit(), GET), upstream.probe(GET), upstream.open(permit(), GET)):
            with suppress(Refusal):
                (await ask).abort()
            told.append(upstream.trouble)
    assert told == [None, "upstream-credentials", None, None]  # a refusal is an answer, too


async def test_nobody_there() -> None:
    before = UPSTREAM_ERRORS.values.get(("main", "upstream-unreachable"), 0)
    async with opened(f"http://127.0.0.1:{free_port()}") as upstream:
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), GET)
        assert code(caught) == Code.UPSTREAM_UNREACHABLE
        assert upstream.pool.running == 0
        assert upstream.trouble == Code.UPSTREAM_UNREACHABLE
    assert UPSTREAM_ERRORS.values[("main", "upstream-unreachable")] == before + 1


async def test_a_get_is_asked_once_more_when_its_kept_connection_died() -> None:
    async with raw_upstream(reply(b"1"), b"", reply(b"2")) as archive, opened(archive.url) as upstream:
        assert await (await upstream.open(permit(), GET)).read(9) == b"1"
        assert await (await upstream.open(permit(), GET)).read(9) == b"2"
        assert len(archive.heads) == 3
        assert archive.connections == 2


async def test_not_twice_and_not_on_a_fresh_connection() -> None:
    async with raw_upstream(b"") as archive, opened(archive.url) as upstream:
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), GET)
        assert code(caught) == Code.UPSTREAM_UNREACHABLE
        assert len(archive.heads) == 1


async def test_a_store_is_never_asked_twice() -> None:
    async def die(exchange: Exchange) -> None:
        await exchange.take_body()
        exchange.writer.close()

    async with raw_upstream(reply(b"1"), die) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        assert await (await upstream.open(permit(), GET)).read(9) == b"1"
        with pytest.raises(Refusal):
            await upstream.open(permit(), POST, body_of(b"x"))
        assert len(archive.heads) == 2


@pytest.mark.parametrize("length", [None, 6], ids=["chunked", "counted"])
async def test_store(length: int | None) -> None:
    async def store(exchange: Exchange) -> None:
        await exchange.send(reply(await exchange.take_body()))

    async with raw_upstream(store) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        ask = Ask("POST", "dicomweb", "/studies", content_type="multipart/related; boundary=b", length=length)
        answer = await upstream.open(permit(), ask, body_of(b"abc", b"", b"def"))
        assert await answer.read(9) == b"abcdef"
        again = await upstream.open(permit(), GET)  # the connection was kept
        again.abort()
        assert archive.connections == 1


@pytest.mark.parametrize("chunks", [(b"abc",), (b"abcdefgh",)], ids=["short", "long"])
async def test_a_body_that_is_not_of_its_length(chunks: tuple[bytes, ...]) -> None:
    async def never(exchange: Exchange) -> None:
        await exchange.take_body()
        await asyncio.sleep(5)

    ask = Ask("POST", "dicomweb", "/studies", content_type="a/b", length=6)
    async with raw_upstream(never) as archive, opened(archive.url) as upstream, asyncio.timeout(3):
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), ask, body_of(*chunks))
        assert code(caught) == Code.UPSTREAM_INVALID
        assert upstream.pool.running == 0


@pytest.mark.parametrize(
    ("status", "expected", "answered"),
    [("413 Too Large", Code.UPSTREAM_REFUSED, 413), ("200 OK", Code.UPSTREAM_INVALID, 502)],
    ids=["refusal", "success"],
)
async def test_an_early_answer_stops_the_body_and_is_no_success(status: str, expected: Code, answered: int) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000
            await asyncio.sleep(0.001)

    async def early(exchange: Exchange) -> None:
        await exchange.send(reply(b"no room", status=status))

    async with raw_upstream(early) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), POST, endless())
        assert (code(caught), caught.value.causes[0].reason.status) == (expected, answered)
        await asyncio.sleep(0)
        before = sent
        await asyncio.sleep(0.02)
        assert sent == before
        assert upstream.pool.running == 0


async def test_a_refused_part_closes_the_store() -> None:
    async def refused() -> AsyncIterator[bytes]:
        yield b"x"
        raise refuse(Code.PATIENT_CONFLICT)

    done = asyncio.Event()

    async def wait(exchange: Exchange) -> None:
        await exchange.reader.read()
        done.set()

    async with raw_upstream(wait) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), POST, refused())
        assert code(caught) == Code.PATIENT_CONFLICT
        assert upstream.pool.running == 0
        await done.wait()  # the archive sees the connection end, not a whole request


async def test_cancelled_while_waiting_for_the_head() -> None:
    started = asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        started.set()
        await exchange.reader.read()

    async with raw_upstream(silent) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        asking = asyncio.get_running_loop().create_task(upstream.open(permit(), GET))
        await started.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert upstream.pool.running == 0


async def test_silence_ends() -> None:
    clock = FakeClock()
    started = asyncio.Event()

    async def silent(exchange: Exchange) -> None:
        started.set()
        await exchange.reader.read()

    async with raw_upstream(silent) as archive, opened(archive.url, clock=clock) as upstream, asyncio.timeout(5):
        asking = asyncio.get_running_loop().create_task(upstream.open(permit(), GET))
        await started.wait()
        upstream.pool.sweep()
        clock.advance(UPSTREAM_HEAD_SECONDS - 1)
        upstream.pool.sweep()
        assert not asking.done()
        clock.advance(1)
        upstream.pool.sweep()
        with pytest.raises(Refusal) as caught:
            await asking
        assert code(caught) == Code.UPSTREAM_TIMEOUT


async def test_silence_in_a_body_ends_it_but_a_paused_one_may_wait() -> None:
    clock = FakeClock()

    async def half(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await exchange.reader.read()

    async with raw_upstream(half) as archive, opened(archive.url, clock=clock) as upstream, asyncio.timeout(5):
        answer = await upstream.open(permit(), GET)
        upstream.pool.sweep()
        answer.pause_reading()
        clock.advance(UPSTREAM_IDLE_SECONDS * 5)
        upstream.pool.sweep()
        answer.resume_reading()
        relaying = asyncio.get_running_loop().create_task(answer.relay(ListSink()))
        await asyncio.sleep(0)
        clock.advance(UPSTREAM_IDLE_SECONDS)
        upstream.pool.sweep()
        with pytest.raises(UpstreamBroken):
            await relaying


async def test_backpressure() -> None:
    """A sink that takes nothing stops the archive after a bounded number of bytes."""
    size = 32 << 20
    sent = 0

    async def big(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        block = b"x" * (1 << 16)
        for _ in range(size // len(block)):
            await exchange.send(block)
            sent += len(block)

    async with raw_upstream(big) as archive, opened(archive.url) as upstream, asyncio.timeout(20):
        answer = await upstream.open(permit(), GET)
        await asyncio.sleep(0.2)
        assert sent < size // 2
        total = 0
        async for chunk in answer.chunks():
            total += len(chunk)
        assert total == size
        assert upstream.pool.running == 0


async def test_a_sink_that_fails_ends_the_relay() -> None:
    class Gone(ListSink):
        def write(self, chunk: bytes | memoryview) -> bool:
            raise ConnectionResetError(len(chunk))

    async def half(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await asyncio.sleep(0.01)
        await exchange.send(b"half")
        await exchange.reader.read()

    async with raw_upstream(half) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
        answer = await upstream.open(permit(), GET)
        with pytest.raises(ConnectionResetError):
            await answer.relay(Gone())
        assert upstream.pool.running == 0


async def test_read_is_bounded() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for raw in (reply(b"hello"), chunked):
        async with raw_upstream(raw) as archive, opened(archive.url) as upstream, asyncio.timeout(5):
            with pytest.raises(Refusal) as caught:
                await (await upstream.open(permit(), GET)).read(4)
            assert code(caught) == Code.UPSTREAM_INVALID


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/a#b", "/a\0"])
async def test_a_part_that_would_break_the_head(path: str) -> None:
    async with raw_upstream(reply()) as archive, opened(archive.url) as upstream:
        with pytest.raises(ValueError, match="break its head"):
            await upstream.open(permit(), Ask("GET", "dicomweb", path))
        assert not archive.heads


@pytest.mark.system
async def test_orthanc_studies_links_and_idle_connections(orthanc: Orthanc) -> None:
    study = orthanc.studies["ct"]
    async with opened(orthanc.url, public_urls=("https://pacs.example.org:8443",)) as upstream, asyncio.timeout(30):
        ask = Ask(
            "GET",
            "dicomweb",
            "/studies",
            f"StudyInstanceUID={study.uid}",
            accept="application/dicom+json",
            authority="pacs.example.org:8443",
        )
        rows = await (await upstream.open(permit(), ask)).read(1 << 20)
        assert b'"https://pacs.example.org:8443/dicom-web/studies/%b"' % study.uid.encode() in rows
        whole = Ask("GET", "dicomweb", f"/studies/{study.uid}", accept='multipart/related; type="application/dicom"')
        answer = await upstream.open(permit(), whole)
        body = await answer.read(1 << 24)
        assert answer.length is None  # Orthanc 1.10 ends a study by closing
        for item in study.instances:
            assert item.part10 in body
        await asyncio.sleep(1.5)  # Orthanc closes idle connections after a second
        assert await (await upstream.open(permit(), ask)).read(1 << 20) == rows


@pytest.mark.system
async def test_orthanc_stores(orthanc: Orthanc) -> None:
    uid = "1.2.826.0.1.3680043.10.1491.501"
    part10 = instance(study=uid, series=f"{uid}.1", sop=f"{uid}.1.1")
    ask = Ask(
        "POST",
        "dicomweb",
        "/studies",
        accept="application/dicom+json",
        content_type='multipart/related; type="application/dicom"; boundary=bb',
    )
    chunks = (b"--bb\r\nContent-Type: application/dicom\r\n\r\n", part10[:100], part10[100:], b"\r\n--bb--\r\n")
    async with opened(orthanc.url) as upstream, asyncio.timeout(30):
        answer = await upstream.open(permit(), ask, body_of(*chunks))
        stored = await answer.read(1 << 20)
        assert re.search(rb"00081199", stored)
        with pytest.raises(Refusal) as caught:
            await upstream.open(permit(), Ask("GET", "dicomweb", "/studies/1.2.3.4/metadata"))
        assert code(caught) == Code.STUDY_NOT_VISIBLE
