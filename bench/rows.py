"""The rows of the table: what is run for each, and what it is held to."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench import archive, peers
from bench.load import Result, Wrk
from bench.memory import rss, watched
from bench.report import PEERS, Row, Target, median, percentile, ratio
from bench.rig import RAISED, ROOT, BenchError, Rig
from bench.slow import frames_beside_slow_readers

_JSON = archive.JSON
_FRAMES = 'multipart/related; type="application/octet-stream"'
_STUDY = 'multipart/related; type="application/dicom"'
SHIPPED = 24
"""The shipped `max_connections`."""


@dataclass
class Bench:
    """What every row needs. `rounds` interleaved rounds of `seconds` each."""

    rig: Rig
    wrk: Wrk
    rounds: int
    seconds: float
    quick: bool

    @property
    def peers(self) -> tuple[str, ...]:
        return tuple(name for name in PEERS if name in self.rig.ports)

    async def interleaved(
        self, path: str, accept: str, *, connections: int, tls: bool = False, seconds: float | None = None
    ) -> dict[str, list[Result]]:
        """Return the results of every peer, measured round by round; a first short round warms up."""
        results: dict[str, list[Result]] = {peer: [] for peer in self.peers}
        for peer in self.peers:
            await self.wrk.run(peer, path, accept, seconds=1, connections=connections, tls=tls)
        for number in range(self.rounds):
            turn = number % len(self.peers)
            for peer in (*self.peers[turn:], *self.peers[:turn]):
                done = await self.wrk.run(
                    peer, path, accept, seconds=seconds or self.seconds, connections=connections, tls=tls
                )
                results[peer].append(done)
        return results

    async def program(self, *arguments: str) -> str:
        """Run one of the bench's own programs and return what it printed. Raises BenchError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, problem = await process.communicate()
        if process.returncode:
            raise BenchError(f"{arguments[0]}: {problem.decode()[-500:]}")
        return output.decode()


def _figures(results: Mapping[str, list[Result]], of: Callable[[Result], float]) -> dict[str, list[float]]:
    return {peer: [of(result) for result in taken] for peer, taken in results.items()}


def _targets(rounds: Mapping[str, list[float]], bounds: Mapping[str, float]) -> list[Target]:
    return [ratio(rounds, peer, bound) for peer, bound in bounds.items() if peer in rounds]


async def small(bench: Bench) -> list[Row]:
    results = await bench.interleaved(archive.METADATA, _JSON, connections=16)
    rate = _figures(results, lambda result: result.rate)
    return [
        Row("small replies (1 KiB)", "req/s", rate, _targets(rate, {"envoy": 1.5, "nginx": 0.8})),
        Row("small replies, p50", "ms", _figures(results, lambda result: result.p50)),
        Row("small replies, p99", "ms", _figures(results, lambda result: result.p99)),
    ]


async def _bytes(bench: Bench, name: str, path: str, accept: str, bounds: Mapping[str, float], *, tls: bool) -> Row:
    results = await bench.interleaved(path, accept, connections=8, tls=tls, seconds=max(3.0, bench.seconds))
    rate = _figures(results, lambda result: result.bytes_rate / 1e9)
    detail = {"negotiated": dict(bench.wrk.negotiated)} if tls else {}
    return Row(name, "GB/s", rate, _targets(rate, bounds), detail=detail)


async def slices(bench: Bench) -> list[Row]:
    return [await _bytes(bench, "512 KiB frames", archive.FRAME, _FRAMES, {"nginx-256k": 1.0}, tls=False)]


async def slices_tls(bench: Bench) -> list[Row]:
    name = "512 KiB frames, TLS 1.3"
    if bench.wrk.shim is None:
        return [Row(name, "GB/s", {}, note=f"not run: {bench.wrk.why}")]
    row = await _bytes(bench, name, archive.FRAME, _FRAMES, {"nginx-256k": 1.0}, tls=True)
    spoken = {said.rpartition(" ")[0] for said in bench.wrk.negotiated.values()}
    if len(spoken) != 1 or not next(iter(spoken)).startswith("TLSv1.3 "):
        raise BenchError(f"the peers do not speak the same: {bench.wrk.negotiated}")
    if not bench.wrk.negotiated["gateway"].endswith(" certificate"):
        raise BenchError("the gateway was shown no client certificate")
    return [row]


async def studies(bench: Bench) -> list[Row]:
    return [await _bytes(bench, "100 MiB study", archive.CHEST.path, _STUDY, {"nginx-256k": 0.85}, tls=False)]


async def behind(bench: Bench) -> list[Row]:
    """The gateway behind nginx that passes TCP on with PROXY v2, in turns with the bare one."""
    name = "behind nginx with PROXY v2"
    if not peers.streams():
        return [Row(name, "-", {}, note="not run: nginx has no stream and njs modules (libnginx-mod-stream-js)")]
    rate: Callable[[Result], float] = lambda result: result.rate  # noqa: E731 - one of two, with a type
    volume: Callable[[Result], float] = lambda result: result.bytes_rate / 1e9  # noqa: E731 - likewise
    rows = []
    for what, unit, path, accept, connections, of in (
        ("small replies", "req/s", archive.METADATA, _JSON, 16, rate),
        ("512 KiB frames", "GB/s", archive.FRAME, _FRAMES, 8, volume),
    ):
        taken: dict[str, list[float]] = {"behind": [], "gateway": []}
        for turn in range(bench.rounds + 1):
            for peer in sorted(taken, reverse=bool(turn % 2)):
                done = await bench.wrk.run(peer, path, accept, seconds=bench.seconds, connections=connections)
                if turn:  # the first round warms up
                    taken[peer].append(of(done))
        bare, through = median(taken["gateway"]), median(taken["behind"])
        target = Target("x bare", through / bare, 0.9, "at least")
        rows.append(
            Row(f"{what}, {name}", unit, {"gateway": taken["behind"]}, [target], detail={"bare": taken["gateway"]})
        )
    return rows


async def added(bench: Bench) -> list[Row]:
    """500 requests a second, in turns straight to the archive and through each; medians of slices of some seconds."""
    names = ("direct", *bench.peers)
    taken: dict[str, list[float]] = {name: [] for name in names}
    turns, seconds = (2, 3.0) if bench.quick else (5, 5.0)
    for _ in range(turns):
        for name in names:
            port = bench.rig.archive_port if name == "direct" else bench.rig.ports[name][0]
            said = await bench.program(
                "bench.steady", str(port), archive.METADATA, _JSON, str(bench.rig.tokens), "500", str(seconds)
            )
            taken[name] += json.loads(said)[250:]  # the first half second warms the connections
    rows = []
    for share, bound in ((0.5, 0.5), (0.99, 2.0)):
        direct = percentile(taken["direct"], share)
        more = {name: [(percentile(taken[name], share) - direct) / 1e3] for name in bench.peers}
        target = Target("ms", more["gateway"][0], bound, "under")
        rows.append(
            Row(f"500 req/s steady, added p{share * 100:.0f}", "ms", more, [target], detail={"direct_ms": direct / 1e3})
        )
    return rows


async def decisions(bench: Bench) -> list[Row]:
    said = json.loads(await bench.program("bench.decisions", "1000" if bench.quick else "5000"))
    rows = []
    for key, name, bounds in (
        ("one", "unleased decision", ((0.5, 0.4), (0.99, 2.0))),
        ("page", "a page of 100 rows judged", ((0.5, 4.0), (0.99, 4.0))),
    ):
        for share, bound in bounds:
            figure = percentile(said[key], share) / 1e3
            target = Target("ms", figure, bound, "under")
            rows.append(Row(f"{name}, p{share * 100:.0f}", "ms", {"gateway": [figure]}, [target]))
    return rows


async def memory(bench: Bench) -> list[Row]:
    rig, wrk = bench.rig, bench.wrk
    async with watched(rig.gateway_pid) as peak:
        await wrk.run("gateway", archive.CHEST.path, _STUDY, seconds=5 if bench.quick else 20, connections=16)
    rows = [
        Row("RSS, 16 clients pull 100 MiB", "MiB", {"gateway": [peak.mib]}, [Target("MiB", peak.mib, 180, "under")])
    ]
    wanted, done = (100_000 if bench.quick else 1_000_000), 0
    await wrk.run("gateway", archive.METADATA, _JSON, seconds=3, connections=16)
    before = rss(rig.gateway_pid)
    while done < wanted:
        result = await wrk.run("gateway", archive.METADATA, _JSON, seconds=20 if not bench.quick else 4, connections=16)
        done += result.requests
    after = rss(rig.gateway_pid)
    rows.append(
        Row(
            f"RSS grown by {done:,} small requests", "MiB", {"gateway": [after - before]},
            [Target("MiB", after - before, 5, "under")], detail={"before": before, "after": after},
        )
    )  # fmt: skip
    return rows


async def slow(bench: Bench) -> list[Row]:
    """Slow readers twice: all streaming at once (raised limit), and at the shipped limit, where most of them wait."""
    rows = []
    for connections, name in ((RAISED, "all at once"), (SHIPPED, f"at max_connections {SHIPPED}")):
        if connections != RAISED:
            await bench.rig.start_gateway(connections)
        async with watched(bench.rig.gateway_pid) as peak:
            taken = await frames_beside_slow_readers(bench.rig, 5.0 if bench.quick else 15.0)
        worst = max(taken) * 1e3
        rows.append(
            Row(
                f"frame beside 64 slow readers, {name}, max", "ms", {"gateway": [worst]},
                [Target("ms", worst, 1000, "under")],
                detail={"median_ms": percentile(taken, 0.5) * 1e3, "frames": len(taken), "rss_mib": peak.mib},
            )
        )  # fmt: skip
        rows.append(Row(f"the same, {name}, median", "ms", {"gateway": [percentile(taken, 0.5) * 1e3]}))
    await bench.rig.start_gateway(RAISED)
    return rows


ROWS: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {
    "small": small,
    "slices": slices,
    "slices-tls": slices_tls,
    "studies": studies,
    "behind": behind,
    "added": added,
    "decisions": decisions,
    "memory": memory,
    "slow": slow,
}
