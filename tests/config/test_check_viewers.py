"""What `config check` says of static mounts."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.config import check as checker
from leadglass.config.check import check
from support import gateway
from support.clock import FakeClock
from support.gateway import idp_key, write_site

CLOCK = FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    made = write_site(tmp_path, "http://127.0.0.1:9", idp_key(), CLOCK.now())
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/index.html").write_text('<head><script src="/app.js"></script></head>')
    with patch.object(checker, "prepare", gateway.quick_prepare):
        yield made


def mount(file: Path, static: str) -> int:
    """Write the mounts at the end of the file, and return their line."""
    file.write_text(text := file.read_text() + f"static: {static}\n")
    return text.count("\n")


WRONG = [  # what is written, the path of the finding, part of the problem
    ("{viewer: dist}", "static.viewer", "a path such as"),
    ("{/viewer/: dist}", "static./viewer/", "a path such as"),
    ("{/a/../b: dist}", "static./a/../b", "a path such as"),
    ("{/a..b: dist}", "static./a..b", "a path such as"),
    ("{/a%2Fb: dist}", "static./a%2Fb", "a path such as"),
    ("{/.leadglass/v1/login: dist}", "static./.leadglass/v1/login", "own path"),
    ("{/dicom-web: dist}", "", "/dicom-web and /dicom-web overlap"),
    ("{/wado/x: dist}", "", "/wado/x and /wado overlap"),
    ("{/a: dist, /a/b: dist}", "", "/a/b and /a overlap"),
]


@pytest.mark.parametrize(("static", "path", "problem"), WRONG)
async def test_a_mount_that_cannot_be_is_named(file: Path, static: str, path: str, problem: str) -> None:
    line = mount(file, static)
    (found,) = await check(file, CLOCK, offline=True)
    assert found.level == "error"
    assert problem in found.problem
    assert found.where.endswith(path)
    assert f"{file}:{line}" in found.where or not path


async def test_a_viewer_that_is_not_there_or_was_built_for_another_path_is_told(file: Path) -> None:
    mount(file, "{/: dist, /viewer: dist, /gone: nothing}")
    found = {one.where.rpartition(": ")[2]: one for one in await check(file, CLOCK, offline=True)}
    gone, strange, good = found["static./gone"], found["static./viewer"], found["static./"]
    assert (gone.level, strange.level, good.level) == ("error", "warning", "ok")
    assert "cannot read" in gone.problem
    assert gone.fix
    assert "built for another path: it loads /app.js" in strange.problem
    assert "leadglass.yaml:" in strange.where
