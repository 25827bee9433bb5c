"""Archives that lie, are down, or die: the client sees a refusal or a cut, never a short reply that looks whole."""

import asyncio
import json
from pathlib import Path

import pytest

from support.facts import series_row, study_row
from support.gateway import CT, HOST, Answer, Running, running
from support.rawupstream import Exchange, RawUpstream, Step, raw_upstream, reply

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
JSON = "Content-Type: application/dicom+json"


def archive_says(step: Step) -> Step:
    """Answer the gateway's own questions about the CT, and everything else with `step`."""

    async def answer(exchange: Exchange) -> None:
        line = exchange.head.split(b"\r\n")[0]
        if b"includefield=" not in line:
            if isinstance(step, bytes):
                await exchange.send(step)
            else:
                await step(exchange)
            return
        rows = [series_row(CT.uid, CT.series)] if b"/series?" in line else [study_row(CT.uid)]
        await exchange.send(reply(json.dumps(rows).encode(), fields=[JSON]))

    return answer


async def close(exchange: Exchange) -> None:
    exchange.writer.close()


async def hang(exchange: Exchange) -> None:
    await exchange.reader.read()  # until the other side has had enough


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n"
SAID_BUT_UNSOUND = {
    "no-length-no-end": b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nTransfer-Encoding: gzip\r\n\r\n[]",
    "length-and-coding": _HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "two-lengths": _HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "status-099": b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\n[]",
    "status-999": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n[]",
    "http-2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "rtsp": b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "not-http": b"hello\r\n\r\n",
    "nul-in-reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\n[]",
    "nul-in-field": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\n[]",
    "fold": b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 2\r\n\r\n[]",
    "endless-interim": b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + _HEAD + b"Content-Length: 2\r\n\r\n[]",
    "no-content-with-length": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n[]",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    "html": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n<>",
    "our-credentials": b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\n[]",
    "error-that-quotes": b"HTTP/1.1 500 Error\r\nContent-Length: 12\r\n\r\nDemo^Patient",
}


async def asked_of(run: Running, archive: RawUpstream, target: str = METADATA) -> Answer | None:
    """Ask, and return what came, None when the connection was cut before a whole head."""
    try:
        answer = await run.ask(target, "Accept: application/dicom+json")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    assert archive.heads
    return answer


@pytest.mark.parametrize("said", SAID_BUT_UNSOUND.values(), ids=SAID_BUT_UNSOUND.keys())
async def test_an_archive_that_speaks_badly_is_a_502(tmp_path: Path, said: bytes) -> None:
    async with raw_upstream(archive_says(said)) as archive, running(tmp_path, upstream=archive.url) as run:
        answer = await asked_of(run, archive)
        assert answer is not None
        assert answer.status == 502, answer
        assert answer.reasons[0].startswith("upstream-")
        assert b"Demo" not in answer.body
        assert "location" not in answer.headers
        assert "basic" not in answer.headers.get("www-authenticate", "").lower()
        assert run.record("completion")[-1]["status"] == 502
        archive.steps[0] = archive_says(reply(b"[]", fields=[JSON]))
        assert (await run.ask(METADATA)).status == 200


BROKEN_BODIES = {
    "short-length": (_HEAD + b"Content-Length: 100\r\n\r\n[]", True),
    "short-chunked": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n", True),
    "bad-chunk": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\nzz\r\n", True),
    "half-a-chunk": (_HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n[]", True),
}


@pytest.mark.parametrize(("said", "_cut"), BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
async def test_a_body_that_ends_early_is_a_cut_and_never_a_short_200(tmp_path: Path, said: bytes, _cut: bool) -> None:  # noqa: FBT001 - a column of the table
    async def die(exchange: Exchange) -> None:
        await exchange.send(said)
        exchange.writer.close()

    async with raw_upstream(archive_says(die)) as archive, running(tmp_path, upstream=archive.url) as run:
        answer = await asked_of(run, archive)
        assert answer is None or answer.status == 502 or not answer.whole
        completion = run.record("completion")[-1]
        assert completion["cut_by"] or completion["status"] == 502
        archive.steps[0] = archive_says(reply(b"[]", fields=[JSON]))
        assert (await run.ask(METADATA)).status == 200


async def test_more_than_was_promised_never_becomes_the_next_reply(tmp_path: Path) -> None:
    smuggled = _HEAD + b'Content-Length: 6\r\n\r\n["me"]'
    said = reply(b"[]", fields=[JSON]) + smuggled
    async with raw_upstream(archive_says(said)) as archive, running(tmp_path, upstream=archive.url) as run:
        for _ in range(3):
            answer = await asked_of(run, archive)
            assert answer is None or answer.status == 502 or answer.body == b"[]"


@pytest.mark.parametrize(("step", "status"), [(close, 502), (b"", 502)], ids=["closes", "no-answer"])
async def test_an_archive_that_hangs_up_is_a_502(tmp_path: Path, step: Step, status: int) -> None:
    told = close if step == b"" else step
    async with raw_upstream(archive_says(told)) as archive, running(tmp_path, upstream=archive.url) as run:
        answer = await asked_of(run, archive)
        assert answer is not None
        assert answer.status == status


async def test_an_archive_that_is_not_there_is_a_refusal_and_health_says_nothing_of_it(tmp_path: Path) -> None:
    async with running(tmp_path, upstream="http://127.0.0.1:9") as run:
        answer = await run.ask(METADATA)
        assert answer.status in {404, 502}  # facts are missing: the rules that need them say no
        assert run.about(answer)[0]["decision"]["allow"] is False
        search = await run.ask("/dicom-web/studies")
        assert (search.status, search.reasons) == (502, ["upstream-unreachable"])


async def heads_only_lf(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n[]")


@pytest.mark.parametrize("step", [hang, heads_only_lf])
async def test_an_archive_that_is_slow_is_a_504(tmp_path: Path, step: Step) -> None:
    async with raw_upstream(archive_says(step)) as archive, running(tmp_path, upstream=archive.url) as run:
        asking = asyncio.ensure_future(asked_of(run, archive))
        async with asyncio.timeout(10):
            while len(archive.heads) < 3:  # noqa: ASYNC110 - two for the facts, and the one that is not answered
                await asyncio.sleep(0.01)
            while not asking.done():
                run.clock.advance(30)
                await run.tell()  # else the person is refused for a device that reports no more
                await asyncio.sleep(0.1)
        answer = await asking
        assert answer is not None
        assert (answer.status, answer.reasons) in [(504, ["upstream-timeout"]), (502, ["upstream-invalid"])]
        archive.drop()


async def test_a_client_that_leaves_mid_reply_is_recorded(tmp_path: Path) -> None:
    sent = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.send(_HEAD + b"Content-Length: 100000000\r\n\r\n")
        for _ in range(64):
            await exchange.send(b" " * 65_536)
            sent.set()

    async with raw_upstream(archive_says(endless)) as archive, running(tmp_path, upstream=archive.url) as run:
        async with run.client() as client:
            head = f"GET {METADATA} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {run.token()}\r\n\r\n"
            await client.send(head.encode())
            await client.reader.readuntil(b"\r\n\r\n")
            await sent.wait()
        async with asyncio.timeout(5):
            while not run.record("completion"):  # noqa: ASYNC110 - another task writes it
                await asyncio.sleep(0.01)
        (completion,) = run.record("completion")
        assert completion["cut_by"] == "client-gone"
        assert completion["status"] == 200
