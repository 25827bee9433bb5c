"""Brings the project and what it needs into a folder, as a package or an SBOM then finds it there.

Each file that is installed is named by its hash in requirements/*.lock; nothing is compiled and no setup.py runs. The same
tree gives the same bytes: times are those of SOURCE_DATE_EPOCH, or of the last commit.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check")
# The newest C library that a wheel may ask for (Debian 10 had it), and the machines as wheels and Debian call them.
GLIBC: Final = (2, 28)
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


class Failed(Exception):
    """A step did not work. `str()` is what its program said."""


def run(*words: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a program and return what it said. Raises Failed."""
    given = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch()), **(environment or {})}
    done = subprocess.run([*map(str, words)], cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, words[:4]))}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def spoken(step: Callable[[], None]) -> int:
    """Take a step; say what failed. Return the program's exit code."""
    try:
        step()
    except Failed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def epoch() -> int:
    """Return the time that everything made here bears, in seconds."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    git = shutil.which("git")
    if git is None:
        raise Failed("say SOURCE_DATE_EPOCH: there is no git here to ask when the tree was made")
    done = subprocess.run([git, "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed("say SOURCE_DATE_EPOCH: this is no git tree")
    return int(done.stdout)


def own_architecture() -> str:
    """Return this machine's architecture as Debian calls it. Raises Failed for one that nothing is made for."""
    for name, machine in MACHINES.items():
        if machine == platform.machine():
            return name
    raise Failed(f"nothing is made for {platform.machine()}")


def wheel(folder: Path) -> None:
    """Build the project's wheel into a folder."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)


def platforms(architecture: str) -> list[str]:
    """Return the names of platforms whose wheels a machine of this architecture (Debian's name) takes."""
    machine = MACHINES[architecture]
    major, newest = GLIBC
    return [f"manylinux_{major}_{minor}_{machine}" for minor in range(newest, 16, -1)] + [f"manylinux2014_{machine}"]


def install(lock: str, folder: Path, wheels: Path, *, python: str, architecture: str) -> None:
    """Install a lock and the project's wheel into a folder, for this Python and this architecture."""
    common: list[str | Path] = [
        *_PIP,
        "install",
        "--no-compile",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--target",
        folder,
    ]
    chosen = [word for name in platforms(architecture) for word in ("--platform", name)]
    target = ["--implementation", "cp", "--python-version", python, *chosen]
    run(sys.executable, *common, *target, "--require-hashes", "-r", f"requirements/{lock}.lock")
    run(sys.executable, *common, *target, "--no-index", "--find-links", wheels, "leadglass")
    shutil.rmtree(folder / "bin", ignore_errors=True)  # start-up scripts for the Python that ran pip
