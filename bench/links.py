"""What it costs to lead links: 2 MB of metadata and frames of 512 KiB, with `links: rewrite` and without, in turn.

The archive sends the metadata as gzip and the client takes gzip, as viewers do: what is led has to be opened and packed
again. Of frames the headers of the parts are read.
"""

import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import psutil

from bench import archive
from bench.report import Row, Target, median
from bench.rig import RAISED, BenchError, Rig
from bench.rows import Bench

_BOUND = 15.0
_BUSY = ", processor time"
_FRAMES = 'multipart/related; type="application/octet-stream"'
_WARMING = 3


async def _asked(rig: Rig, path: str, accept: str, count: int) -> tuple[float, float, int]:
    """Ask one by one; return the median in milliseconds, what each took of the gateway's processor, and the bytes sent."""
    process, fields = (
        psutil.Process(rig.gateway_pid),
        {"Authorization": f"Bearer {rig.people()[0]}", "Accept": accept},
    )
    taken: list[float] = []
    base = f"http://127.0.0.1:{rig.ports['gateway'][0]}"
    size, before = 0, process.cpu_times()
    async with aiohttp.ClientSession(base, headers=fields, auto_decompress=False) as door:
        for number in range(-_WARMING, count):
            if number == 0:
                before = process.cpu_times()
            began = time.perf_counter()
            async with door.get(path) as reply:
                size = len(await reply.read())
                if reply.status != 200 or ("Content-Encoding" in reply.headers) != (path == archive.LISTED):
                    raise BenchError(f"not the reply: {reply.status}")
            taken.append((time.perf_counter() - began) * 1e3)
        after = process.cpu_times()
    busy = after.user + after.system - before.user - before.system
    return median(taken[_WARMING:]), busy * 1e3 / count, size


async def links(bench: Bench) -> list[Row]:
    """Restart the gateway for each way in turn, and compare medians of the rounds."""
    rig, modes = bench.rig, ("forwarded", "rewrite")
    replies = {
        "2 MB of metadata": (archive.LISTED, archive.JSON, 40, _BOUND),
        "a frame of 512 KiB": (archive.FRAME, _FRAMES, 400, None),
    }
    taken: dict[str, dict[str, list[float]]] = {
        f"{name}{what}": {mode: [] for mode in modes} for name in replies for what in ("", _BUSY)
    }
    for _ in range(bench.rounds):
        for mode in modes:
            await rig.start_gateway(RAISED, links=mode)
            for name, (path, accept, count, _) in replies.items():
                wall, busy, size = await _asked(rig, path, accept, count)
                taken[name][mode].append(wall)
                taken[f"{name}{_BUSY}"][mode].append(busy)
                taken[name].setdefault(f"bytes, {mode}", []).append(size)
    await rig.start_gateway(RAISED)
    rows = []
    for name, figures in taken.items():
        before, after = (median(figures[mode]) for mode in modes)
        bound = replies[name.removesuffix(_BUSY)][3]
        targets = [] if bound is None else [Target("ms", after - before, bound, "under")]
        note = f"forwarded {before:.2f} ms, rewrite {after:.2f} ms"
        rows.append(
            Row(f"added to {name} by links: rewrite", "ms", {"gateway": [after - before]}, targets, note, figures)
        )
    return rows


LINKS: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {"links": links}
