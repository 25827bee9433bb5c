import sys
from pathlib import Path

import pytest

from release import stage


def test_the_time_is_the_one_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert stage.epoch() == 1_700_000_000


def test_without_one_it_is_that_of_the_last_commit_or_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(stage, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(stage.Failed, match="say SOURCE_DATE_EPOCH"):
        stage.epoch()


def test_what_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with pytest.raises(stage.Failed, match="no such thing"):
        stage.run(sys.executable, "-c", "import sys; sys.exit('no such thing')")


def test_programs_know_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    said = stage.run(sys.executable, "-c", "import os; print(os.environ['SOURCE_DATE_EPOCH'])")
    assert said == "1700000000\n"


@pytest.mark.parametrize(("architecture", "machine"), stage.MACHINES.items())
def test_wheels_ask_for_a_c_library_that_the_package_names(architecture: str, machine: str) -> None:
    names = stage.platforms(architecture)
    assert names[0] == f"manylinux_2_{stage.GLIBC[1]}_{machine}"
    assert {name.removesuffix(f"_{machine}") for name in names} >= {"manylinux2014", "manylinux_2_17"}
    assert all(name.endswith(machine) for name in names)


def test_a_machine_that_nothing_is_made_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert stage.own_architecture() == "arm64"
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(stage.Failed, match="riscv64"):
        stage.own_architecture()
