"""What it costs to judge and filter a page of 100 studies, as viewers ask for their list: the archive alone and through the gateway, in turn.

Facts are at hand, as they are for half a minute after they were asked for; what asking costs is the archive's.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from bench import archive
from bench.report import Row, Target, median
from bench.rig import BenchError, Rig
from bench.rows import Bench

_BOUND = 15.0
_WARMING = 3
_TARGET = f"/dicom-web/studies?limit={archive.ROWS}&offset=0&includefield=00081030,00080060"


async def _asked(rig: Rig, port: int, count: int) -> list[float]:
    """Ask one by one; return milliseconds."""
    fields = {"Authorization": f"Bearer {rig.people()[0]}", "Accept": archive.JSON}
    taken: list[float] = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=fields) as door:
        for _ in range(_WARMING + count):
            began = time.perf_counter()
            async with door.get(_TARGET) as reply:
                body = await reply.read()
            taken.append((time.perf_counter() - began) * 1e3)
            if reply.status != 200 or body.count(b'"0020000D"') != archive.ROWS:
                raise BenchError(f"not the page: {reply.status}")
    return taken[_WARMING:]


async def searches(bench: Bench) -> list[Row]:
    """Compare medians of the rounds."""
    ports = {"direct": bench.rig.archive_port, "gateway": bench.rig.ports["gateway"][0]}
    taken: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(bench.rounds):
        for name, port in ports.items():
            taken[name].append(median(await _asked(bench.rig, port, 40)))
    direct, through = (median(taken[name]) for name in ports)
    more = [each - direct for each in taken["gateway"]]
    target = Target("ms", through - direct, _BOUND, "under")
    note = f"direct {direct:.2f} ms, through the gateway {through:.2f} ms"
    return [Row("added to a page of 100 studies", "ms", {"gateway": more}, [target], note, dict(taken))]


SEARCHES: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {"searches": searches}
