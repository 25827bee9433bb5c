from pathlib import Path

import pytest

from leadglass_agent import commands


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    program = tmp_path / "tool"
    monkeypatch.setitem(commands.ALLOWED, "tool", (str(tmp_path / "absent"), str(program)))
    return program


def script(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_a_program_that_is_not_on_the_list_cannot_be_started() -> None:
    with pytest.raises(KeyError):
        commands.run("sh", "-c", "true")


def test_every_place_is_absolute() -> None:
    assert all(place.startswith("/") for places in commands.ALLOWED.values() for place in places)


def test_what_it_prints_and_how_it_ends(allowed: Path) -> None:
    script(allowed, 'echo out "$1"; echo err >&2; exit 3')
    assert commands.run("tool", "a b; c") == commands.Output(b"out a b; c\n", b"err\n", 3)


def test_it_inherits_nothing(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_LIKE", "evil")
    script(allowed, "env")
    environment = commands.run("tool").stdout.decode()
    assert "evil" not in environment
    assert "LC_ALL=C" in environment


@pytest.mark.usefixtures("allowed")
def test_one_that_is_missing_says_so() -> None:
    with pytest.raises(commands.Unavailable, match="not installed"):
        commands.run("tool")


def test_one_that_does_not_end_is_given_up(allowed: Path) -> None:
    script(allowed, "exec sleep 30")
    with pytest.raises(commands.Unavailable, match="did not end"):
        commands.run("tool", seconds=0.2)


def test_one_that_says_too_much_is_not_believed(allowed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "OUTPUT_BYTES", 10)
    script(allowed, "echo 0123456789abcdef")
    with pytest.raises(commands.Unavailable, match="more than"):
        commands.run("tool")


def test_one_that_cannot_be_started_is_unavailable(allowed: Path) -> None:
    allowed.write_text("no program")
    with pytest.raises(commands.Unavailable, match="cannot be started"):
        commands.run("tool")
