"""`leadglass config check`: one line a finding, its fix below, and an exit code."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leadglass.cli import config as module
from leadglass.config import check as checker
from support.gateway import idp_key, quick_prepare, write_site


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checker, "prepare", quick_prepare)
    from leadglass.clock import SystemClock

    return write_site(tmp_path, "http://127.0.0.1:9", idp_key(), SystemClock().now())


def check(file: Path, *more: str) -> Result:
    return CliRunner().invoke(module.app, ["check", "-c", str(file), *more])


def test_a_sound_file_is_code_0(file: Path) -> None:
    result = check(file, "--offline")
    assert result.exit_code == 0, result.output
    assert "0 faults" in result.output


def test_a_fault_is_code_1_with_its_line_and_its_fix(file: Path) -> None:
    file.write_text(file.read_text().replace("kind: generic", "kynd: generic"))
    result = check(file, "--offline")
    assert result.exit_code == 1
    assert f"error    {file}:5: upstreams.main.kynd: is not a setting\n         fix: " in result.output


def test_a_file_that_is_not_yaml_is_a_finding_for_scripts_too(file: Path) -> None:
    file.write_text("store: a\nstore: b\n")
    result = check(file, "--offline", "--json")
    assert result.exit_code == 1
    (found,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (found["level"], found["where"]) == ("error", f"{file}:2")


def test_online_it_asks_the_archive(file: Path) -> None:
    result = check(file)
    assert result.exit_code == 1
    assert "upstreams.main" in result.output


def test_scripts_get_one_object_a_line(file: Path) -> None:
    found = [json.loads(line) for line in check(file, "--offline", "--json").stdout.splitlines()]
    assert {finding["level"] for finding in found} <= {"ok", "warning"}
    assert all(finding["where"].startswith(f"{file}:") for finding in found)


def test_a_file_that_is_not_there_is_code_3(tmp_path: Path) -> None:
    result = check(tmp_path / "nix.yaml")
    assert result.exit_code == 3
    assert "leadglass: error: cannot read" in result.stderr
    assert "leadglass init" in result.stderr
