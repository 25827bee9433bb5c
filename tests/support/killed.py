"""A process killed with SIGKILL at every step it takes: each SQL statement and each change of the file system.

`folders` runs `prepare` and `act` (module:function, each given a folder) once for every step there is, in children that
are forked from one process and killed just before that step. The last folder is of the run that nobody killed.
"""

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate", "os.chmod", "shutil.copyfile"}
_MOST = 400


def folders(where: Path, prepare: str, act: str) -> list[Path]:
    """Return the folders that the killed runs left behind, one a step, and last that of the run that came to its end."""
    path = os.pathsep.join(str(_ROOT / part) for part in ("proxy", "agent", "tests"))
    done = subprocess.run(
        [sys.executable, "-m", "support.killed", str(where), prepare, act],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(folder for folder in where.iterdir() if folder.is_dir())


def _die_at(step: int) -> None:
    left = step

    def tick(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if name in _CHANGES or (name == "open" and int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)):
            tick()

    def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:  # noqa: ANN401 - as sqlite3's own
        connection: sqlite3.Connection = real(*arguments, **named)
        connection.set_trace_callback(tick)
        return connection

    real: Callable[..., Any] = sqlite3.connect
    for module in (sqlite3, sqlite3.dbapi2):
        vars(module)["connect"] = connect
    sys.addaudithook(hook)


def _named(name: str) -> Callable[[Path], None]:
    module, _, function = name.partition(":")
    found: Callable[[Path], None] = getattr(importlib.import_module(module), function)
    return found


def main(where: Path, prepare: Callable[[Path], None], act: Callable[[Path], None]) -> int:
    for step in range(1, _MOST):
        folder = where / f"{step:03d}"
        folder.mkdir()
        prepare(folder)
        child = os.fork()
        if child == 0:
            _die_at(step)
            act(folder)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != -signal.SIGKILL:
            return status
    return 3


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), _named(sys.argv[2]), _named(sys.argv[3])))
