"""A backup of a large store beside requests: does any of them wait for it?

200 requests a second read an image's metadata under a lease, 50 revoke somebody over the admin socket, which writes the
store each time. Both wait on a schedule: one that is late counts from when it was due.
"""

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path

import aiohttp

from bench import archive
from bench.report import Row, Target, median
from bench.rig import BenchError
from bench.rows import Bench

ROWS = 1_000_000
_FILL = """
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?)
INSERT INTO signals_seen SELECT 'https://idp.bench.invalid', 'filled-' || x, ? FROM n
"""
_BOUND = 20.0


def _fill(store: Path) -> int:
    with closing(sqlite3.connect(store, timeout=60)) as connection, connection:
        connection.execute(_FILL, (ROWS, time.time() + 864_000))
    return store.stat().st_size


async def _every(seconds: float, until: asyncio.Event, ask: Callable[[], Awaitable[None]]) -> list[float]:
    """Ask on a schedule until told to stop; return milliseconds each, counted from when it was due."""
    taken, due = [], time.perf_counter()
    while not until.is_set():
        due += seconds
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await ask()
        taken.append((time.perf_counter() - due) * 1000)
        due = max(due, time.perf_counter() - seconds)  # one that waits is counted once, not for all behind it
    return taken


async def _backup(bench: Bench, number: int, record: Path) -> float:
    passphrase, began = bench.rig.folder / "passphrase", time.perf_counter()
    passphrase.write_text("correct horse battery\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "leadglass", "backup", record, "-c", bench.rig.folder / "leadglass.yaml",
        "--passphrase-file", passphrase, "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    if process.returncode:
        raise BenchError(f"no backup {number}: {err.decode()}")
    assert json.loads(out)["files"]["store"] > 0
    return time.perf_counter() - began


class _Beside:
    """Requests at a fixed rate beside some work: images of a lease, and revocations, which write the store."""

    def __init__(self, door: aiohttp.ClientSession, admin: aiohttp.ClientSession) -> None:
        self._door, self._admin, self._count = door, admin, 0
        self.reads: list[float] = []
        self.writes: list[float] = []

    async def _read(self) -> None:
        async with self._door.get(archive.METADATA) as reply:
            await reply.read()
            if reply.status != 200:
                raise BenchError(f"a request was refused: {reply.status}")

    async def _revoke(self) -> None:
        self._count += 1
        form = {"kind": "user", "value": f"nobody-{self._count}", "reason": "bench", "seconds": 60}
        async with self._admin.post("http://admin/revocations", json=form) as reply:
            await reply.read()
            if reply.status != 201:
                raise BenchError(f"a revocation was refused: {reply.status}")

    async def run(self, work: Awaitable[float]) -> float:
        """Do the work, and return what it gave."""
        done = asyncio.Event()

        async def doing() -> float:
            try:
                return await work
            finally:
                done.set()

        self.reads, self.writes, took = await asyncio.gather(
            _every(0.005, done, self._read), _every(0.02, done, self._revoke), doing()
        )
        return took


async def _nothing(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return 0.0


async def backup(bench: Bench) -> list[Row]:
    """Fill the store, then ask for images and revoke people at a fixed rate, without and with a backup beside it."""
    rig = bench.rig
    size = await asyncio.to_thread(_fill, rig.folder / "var/leadglass.db")
    base = f"http://127.0.0.1:{rig.ports['gateway'][0]}"
    fields = {"Authorization": f"Bearer {rig.people()[0]}", "Accept": archive.JSON}
    figures: dict[str, list[float]] = {name: [] for name in ("idle", "busy", "idle_writes", "busy_writes", "seconds")}
    async with (
        aiohttp.ClientSession(base, headers=fields) as door,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(rig.folder / "var/admin.sock"))) as admin,
    ):
        beside = _Beside(door, admin)
        await beside.run(_nothing(1.0))  # warms up
        for number in range(bench.rounds):
            await beside.run(_nothing(bench.seconds))
            figures["idle"].append(max(beside.reads))
            figures["idle_writes"].append(max(beside.writes))
            figures["seconds"].append(await beside.run(_backup(bench, number, rig.folder / f"backup-{number}")))
            figures["busy"].append(max(beside.reads))
            figures["busy_writes"].append(max(beside.writes))
    target = Target("ms at the longest", max(figures["busy"]), _BOUND, "under")
    note = (
        f"store of {ROWS:,} rows, {size / 1e6:.0f} MB, in {median(figures['seconds']):.1f} s; longest request without a backup "
        f"{max(figures['idle']):.1f} ms; longest revocation {max(figures['busy_writes']):.1f} ms, without {max(figures['idle_writes']):.1f} ms"
    )
    detail = {"rows": ROWS, "store_bytes": size, **figures}
    return [Row("longest request during a backup", "ms", {"gateway": figures["busy"]}, [target], note, detail)]


BACKUP: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {"backup": backup}
