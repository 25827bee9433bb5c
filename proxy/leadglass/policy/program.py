"""The `opa` program, for those who edit rules: the one place of the gateway that runs it.

Nothing on the path of a request comes here: the shipped rules are committed compiled. Called by `leadglass policy
build | test | check`, with the files of a set laid out in a folder of its own.
"""

import os
import shutil
import subprocess  # noqa: TID251 - this is the door to the opa program
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from leadglass import limits
from leadglass.model.errors import ConfigurationError

_HINT = "install OPA 1.22 (https://www.openpolicyagent.org) and put it on PATH, or at .tools/bin/opa"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the program gave."""

    code: int
    out: bytes
    err: str


def find() -> Path | None:
    """Return the program: from PATH, or from .tools/bin of the working folder."""
    found = shutil.which("opa") or shutil.which("opa", path=str(Path.cwd() / ".tools" / "bin"))
    return Path(found) if found else None


def run(arguments: Sequence[str], folder: Path) -> Ran:
    """Run `opa` in `folder`. Raises ConfigurationError when it is not there or does not end."""
    program = find()
    if program is None:
        raise ConfigurationError("the opa program is not installed", hint=_HINT)
    try:
        done = subprocess.run(  # noqa: S603 - the program found above, arguments of our own making
            [program, *arguments],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=limits.OPA_PROGRAM_SECONDS,
            env={"PATH": os.defpath, "HOME": str(folder)},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"the opa program failed: {type(error).__name__}", hint=_HINT) from None
    return Ran(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())


def version() -> str:
    """Return the version of the program. Raises ConfigurationError."""
    ran = run(["version"], Path("/"))
    first = ran.out.decode("utf-8", "replace").partition("\n")[0]
    return first.removeprefix("Version: ").strip()


@contextmanager
def laid_out(*parts: Mapping[str, bytes]) -> Iterator[Path]:
    """Give the files of a set (relative path to content) in a folder of their own, gone afterwards."""
    with TemporaryDirectory(prefix="leadglass-policy-") as name:
        folder = Path(name)
        for files in parts:
            for path, content in files.items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        yield folder
