"""The agent's package as it is built, once for all tests; packed without compression, which takes most of the time."""

from pathlib import Path

import pytest

from release import stage
from release.deb import build
from support.tools import missing

DEBIAN = Path("/usr/bin/python3")


def debian() -> str:
    """Return the version of Debian's own Python, such as 3.11. Without it the test is skipped; in CI it fails."""
    if not Path("/etc/debian_version").exists() or not DEBIAN.exists():
        missing("Debian's python3")
    return DEBIAN.resolve().name.removeprefix("python")


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, build.Target]:
    """Return every file of the package below a folder, and what it is for."""
    target = build.Target(debian(), stage.own_architecture())
    root = tmp_path_factory.mktemp("package") / "root"
    root.mkdir()
    build.lay_out(root, target)
    return root, target
