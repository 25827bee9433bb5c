"""The one door to other programs: absolute paths from a closed list, bounded output, bounded time, no shell.

A program that is not on the list cannot be started, and one that is missing is told apart from one that failed. The
exceptions run as the person, with their environment: what they named to print their token, and their browser.
"""

import asyncio
import contextlib
import subprocess  # noqa: TID251 - this is the door
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OUTPUT_BYTES: Final = 4 * 1024 * 1024
SECONDS: Final = 20.0

# name -> where it may stand. The first that exists is used; nothing is ever looked up in PATH.
ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "apt-get": ("/usr/bin/apt-get",),
    "chronyc": ("/usr/bin/chronyc",),
    "clamscan": ("/usr/bin/clamscan",),
    "dnf": ("/usr/bin/dnf",),
    "iptables": ("/usr/sbin/iptables", "/sbin/iptables"),
    "lsblk": ("/usr/bin/lsblk", "/bin/lsblk"),
    "nft": ("/usr/sbin/nft", "/sbin/nft"),
    "timedatectl": ("/usr/bin/timedatectl",),
}

# Programs speak English and plain ASCII, and inherit nothing else.
_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class Unavailable(Exception):
    """The program is not installed, did not end in time, or said too much. `str()` is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a program printed, and its exit code."""

    stdout: bytes
    stderr: bytes
    code: int


def find(name: str) -> Path | None:
    """Return where the program stands, None when it is not installed. Raises KeyError for one that is not allowed."""
    return next((path for place in ALLOWED[name] if (path := Path(place)).is_file()), None)


class _Running:
    """The programs that run now, so that an agent that is told to stop does not wait for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._programs: set[subprocess.Popen[bytes]] = set()

    def add(self, program: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._programs.add(program)

    def remove(self, program: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._programs.discard(program)

    def kill(self) -> None:
        with self._lock:
            for program in self._programs:
                program.kill()


_running = _Running()


def abandon() -> None:
    """Kill every program that `run` waits for, in whatever thread."""
    _running.kill()


def run(name: str, *arguments: str, seconds: float = SECONDS) -> Output:
    """Run an allowed program to its end. Raises Unavailable, and KeyError for one that is not allowed."""
    program = find(name)
    if program is None:
        raise Unavailable(f"{name} is not installed")
    try:
        process = subprocess.Popen(  # noqa: S603 - an absolute path from the list above
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
        )
    except OSError as error:
        raise Unavailable(f"{name} cannot be started: {error.strerror}") from None
    _running.add(process)
    with process:
        try:
            stdout, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{name} did not end within {seconds:.0f} s") from None
        finally:
            process.kill()
            _running.remove(process)
    if len(stdout) > OUTPUT_BYTES:
        raise Unavailable(f"{name} printed more than {OUTPUT_BYTES} bytes")
    return Output(stdout, stderr[:4096], process.returncode)


async def ask(words: Sequence[str], *, limit: int, seconds: float) -> bytes:
    """Return what the person's own command prints, at most `limit` bytes of it. Raises Unavailable.

    Its standard error is ours, so that it can tell the person to sign in.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise Unavailable(f"{words[0]} cannot be started: {error.strerror}") from None
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        raise Unavailable(f"{words[0]} did not end within {seconds:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode:
        raise Unavailable(f"{words[0]} ended with {process.returncode}")
    if len(output) > limit:
        raise Unavailable(f"{words[0]} printed more than {limit} bytes")
    return output


def browse(url: str) -> bool:
    """Open an https address in the person's browser; return whether one was found."""
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
