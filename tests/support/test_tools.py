from pathlib import Path

import pytest

from support import tools
from support.tools import tool


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_ours_goes_before_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = program(tmp_path / "repo/.tools/bin", "saw"), program(tmp_path / "bin", "saw")
    plane = program(tmp_path / "bin", "plane")
    monkeypatch.setattr(tools, "_ROOT", tmp_path / "repo")
    monkeypatch.setenv("PATH", str(theirs.parent))
    assert tool("saw") == str(ours)
    assert tool("plane") == str(plane)


@pytest.mark.parametrize(("ci", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_one_skips_and_in_ci_fails(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "_ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome):
        tool("saw")
