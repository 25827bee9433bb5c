"""Programs that system tests run: those of tests/provision.sh in .tools/bin first, then whatever is on PATH."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_ROOT = Path(__file__).parents[2]


def missing(what: str) -> NoReturn:
    """Skip the test for what is not here; in CI fail it, since there a skip is a hole."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not here, and CI runs every test: see tests/provision.sh")
    pytest.skip(f"needs {what} (sh tests/provision.sh)")


def tool(name: str) -> str:
    """Return the path of a program. Without it the test is skipped; in CI it fails."""
    found = shutil.which(name, path=_ROOT / ".tools/bin") or shutil.which(name)
    if found is None:
        missing(name)
    return found
