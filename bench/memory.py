"""How much memory the gateway holds: /proc/PID/status, sampled."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_RSS = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


def rss(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    found = _RSS.search(Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@dataclass
class Peak:
    """The largest sample seen, in MiB."""

    mib: float = 0.0


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[Peak]:
    """Sample 20 times a second while the body runs."""
    peak = Peak(rss(pid))

    async def sample() -> None:
        while True:
            peak.mib = max(peak.mib, rss(pid))
            await asyncio.sleep(0.05)

    task = asyncio.get_running_loop().create_task(sample())
    try:
        yield peak
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
