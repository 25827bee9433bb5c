"""Whether a program runs that this machine must not run, by the name of its process or of its file."""

from collections.abc import Iterable
from pathlib import PurePosixPath

import psutil

from leadglass_agent.checks.base import Check, Result, Surroundings

_COMM = 15  # the kernel keeps 15 characters of a process's name (TASK_COMM_LEN)


def parse(processes: Iterable[tuple[str, str]], forbidden: Iterable[str]) -> Result:
    """Judge processes, each its name and the path of its program ('' when it may not be read)."""
    wanted = {name.lower(): name for name in forbidden}
    short = {name[:_COMM]: name for name in wanted}
    found = set()
    for name, program in processes:
        lowered, file = name.lower(), PurePosixPath(program).name.lower()
        if file in wanted:
            found.add(file)
        elif lowered in wanted:
            found.add(lowered)
        elif not program and lowered in short:
            found.add(short[lowered])
    running = sorted(wanted[name] for name in found)
    if running:
        return Result("fail", {"running": running[:16]}, f"running: {', '.join(running[:5])}")
    return Result("pass", {"running": []})


def _collect(around: Surroundings) -> Result:
    # A script's program is its interpreter, so the name counts as well; psutil itself lengthens a cut name from argv.
    processes = ((p.info["name"] or "", p.info["exe"] or "") for p in psutil.process_iter(["name", "exe"]))
    return parse(processes, around.forbidden)


CHECK = Check(
    id="forbidden_software",
    title="Forbidden software",
    passes="none of the programs in the agent's `forbidden_software` runs",
    reads="the process table",
    values="`running`: those that do",
    interval=5,
    collect=_collect,
)
