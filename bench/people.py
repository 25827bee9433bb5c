"""People at the gateway: revocation under load, sessions beside tokens, a storm of sign-ins, DPoP proofs.

The people sign in at the tour's identity provider, run by the bench itself.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp

from bench import archive
from bench.report import Row, Target, median, percentile
from bench.rig import RAISED, SIGN_INS, BenchError, Rig
from bench.rows import Bench

STREAMS, EACH = 1000, 8
"""Open streams, and how many of them one person has: the shipped bound on requests of one person at the archive."""
STORM, STORM_SECONDS = SIGN_INS, 10.0
_V1 = "/.leadglass/v1/"
_HEADS_AT_ONCE = 50


@dataclass
class _Stream:
    """An open reply: when its last byte came, and whether it was cut."""

    person: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    last: float = 0.0
    cut: bool = False

    async def read(self) -> None:
        try:
            while await self.reader.read(256 * 1024):
                self.last = time.perf_counter()
        except ConnectionError:
            self.cut = True


async def _open(rig: Rig, person: str, token: str, gate: asyncio.Semaphore) -> _Stream:
    port = rig.ports["gateway"][0]
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=256 * 1024)
        writer.write(
            f"GET {archive.TRICKLE.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            'Accept: multipart/related; type="application/dicom"\r\n\r\n'.encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise BenchError(f"a stream was refused: {head[:80]!r}")
    return _Stream(person, reader, writer)


async def revocation(bench: Bench) -> list[Row]:
    """With all streams open, revoke one person after the other; count from the call to the last byte at each socket."""
    rig = bench.rig
    await rig.start_gateway(2 * STREAMS)  # two thirds of them are for bulk
    people = {f"streamer-{number}": rig.token_of(f"streamer-{number}") for number in range(STREAMS // EACH)}
    gate = asyncio.Semaphore(_HEADS_AT_ONCE)
    streams = await asyncio.gather(
        *(_open(rig, person, token, gate) for person, token in people.items() for _ in range(EACH))
    )
    readers = [asyncio.get_running_loop().create_task(stream.read()) for stream in streams]
    taken: list[float] = []
    connector = aiohttp.UnixConnector(path=str(rig.folder / "var/admin.sock"))
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            for person in list(people)[: 10 if bench.quick else None]:
                asked = {"kind": "user", "value": person, "reason": "bench", "seconds": 3600}
                asked_at = time.perf_counter()
                async with session.post("http://admin/revocations", json=asked) as reply:
                    if reply.status >= 300:
                        raise BenchError(f"not revoked: {reply.status} {await reply.text()}")
                theirs = [
                    (stream, task) for stream, task in zip(streams, readers, strict=True) if stream.person == person
                ]
                done, late = await asyncio.wait([task for _, task in theirs], timeout=10)
                if late:
                    raise BenchError(f"{len(late)} of {len(done) + len(late)} streams run on 10 s after a revocation")
                if not all(stream.cut for stream, _ in theirs):
                    raise BenchError("a stream ended as if it were whole")
                taken += [max(0.0, stream.last - asked_at) * 1e3 for stream, _ in theirs]
                await asyncio.sleep(0.05)
    finally:
        for task in readers:
            task.cancel()
        for stream in streams:
            stream.writer.transport.abort()
    await rig.start_gateway(RAISED)
    p99 = percentile(taken, 0.99)
    detail = {"streams": len(streams), "samples": len(taken), "max_ms": max(taken), "p50_ms": percentile(taken, 0.5)}
    name = f"revocation to the last byte, {len(streams):,} streams open, p99"
    return [Row(name, "ms", {"gateway": [p99]}, [Target("ms", p99, 250, "under")], detail=detail)]


async def _sign_in(rig: Rig, session: aiohttp.ClientSession, person: str) -> str:
    """Sign in as a browser does and return the cookie. Raises BenchError."""
    begun = await session.get(
        f"{rig.origin}{_V1}login?issuer={quote(rig.login_issuer, safe='')}",
        headers={"Sec-Fetch-Mode": "navigate"},
        allow_redirects=False,
    )
    if begun.status != 303:
        raise BenchError(f"no sign-in: {begun.status}")
    cookie = begun.headers["Set-Cookie"].partition(";")[0]
    sent = await session.get(f"{begun.headers['Location']}&person={person}", allow_redirects=False)
    back = await session.get(
        sent.headers["Location"], headers={"Sec-Fetch-Mode": "navigate", "Cookie": cookie}, allow_redirects=False
    )
    if back.status != 303:
        raise BenchError(f"not signed in: {back.status}")
    set_cookie: str = back.headers["Set-Cookie"]
    return set_cookie.partition(";")[0]


def _browser(rig: Rig) -> aiohttp.ClientSession:
    assert rig.device is not None
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=rig.device.context, limit=0), cookie_jar=aiohttp.DummyCookieJar()
    )


async def cookies(bench: Bench) -> list[Row]:
    """The same small reply with a session's cookie and with a token, in turn."""
    rig, rates = bench.rig, dict[str, list[float]](token=[], cookie=[])
    file = rig.folder / "cookies"
    async with _browser(rig) as browser:
        file.write_text("".join([f"Cookie: {await _sign_in(rig, browser, f'person-{n}')}\n" for n in range(EACH)]))
        for number in range(bench.rounds + 1):
            for name, credentials in (("token", rig.tokens), ("cookie", file)):
                done = await bench.wrk.run(
                    "gateway", archive.METADATA, archive.JSON, seconds=bench.seconds, connections=16,
                    credentials=credentials,
                )  # fmt: skip
                if number:  # the first round warms up
                    rates[name].append(done.rate)
    share = median(rates["cookie"]) / median(rates["token"])
    target = Target("x a bearer token's rate", share, 0.9, "at least")
    return [Row("small replies by session cookie", "req/s", {"gateway": rates["cookie"]}, [target], detail=rates)]


async def storm(bench: Bench) -> list[Row]:
    """Many people sign in within ten seconds, each from the page to the cookie."""
    rig, taken, lost = bench.rig, list[float](), 0

    async def one(number: int, browser: aiohttp.ClientSession) -> None:
        nonlocal lost
        await asyncio.sleep(number * STORM_SECONDS / STORM)
        start = time.perf_counter()
        try:
            await _sign_in(rig, browser, f"person-{number}")
        except (BenchError, aiohttp.ClientError, KeyError):
            lost += 1
        else:
            taken.append((time.perf_counter() - start) * 1e3)

    async with _browser(rig) as browser:
        await asyncio.gather(*(one(number, browser) for number in range(STORM)))
    return [
        Row(
            f"sign-ins lost of {STORM} in {STORM_SECONDS:.0f} s", "", {"gateway": [float(lost)]},
            [Target("lost", float(lost), 1, "under")], detail={"p99_ms": percentile(taken, 0.99) if taken else None},
        ),
        Row("a sign-in during it, median", "ms", {"gateway": [median(taken)]} if taken else {}),
    ]  # fmt: skip


async def proofs(bench: Bench) -> list[Row]:
    taken = json.loads(await bench.program("bench.proofs", "500" if bench.quick else "5000"))
    figure = percentile(taken, 0.5) / 1e3
    target = Target("ms", figure, 0.25, "under")
    return [Row("DPoP proof verified, median", "ms", {"gateway": [figure]}, [target])]


ROWS: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "revocation": revocation,
    "cookies": cookies,
    "storm": storm,
    "proofs": proofs,
}
