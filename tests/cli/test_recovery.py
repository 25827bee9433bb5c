"""`leadglass backup` and `leadglass restore`: what they say, and with which exit code."""

import json
import os
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from leadglass.audit.chain import take_lock
from leadglass.cli.main import app
from leadglass.hazmat import backup
from leadglass.recovery import archive, journal
from leadglass.recovery.places import Places
from support.gateway import idp_key, write_site
from support.sites import PASSPHRASE, change, make, places, state


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A site whose configuration names what `make` makes."""
    monkeypatch.setattr(backup, "_COST", {"n": 2, "r": 8, "p": 1})
    for name in ("site", "new"):
        file = write_site(tmp_path / name, "http://127.0.0.1:9", idp_key(), 1_800_000_000)
        (tmp_path / name / "var").rmdir()
        file.write_text(file.read_text().replace("var/decisions.jsonl", "log/decisions.jsonl"))
    (tmp_path / "pass").write_text(f"{PASSPHRASE}\n")
    return make(tmp_path / "site")


def run(folder: Path, verb: str, *more: str, config: str = "site", file: str = "pass") -> Result:
    return CliRunner().invoke(
        app,
        [verb, str(folder / "b"), "-c", str(folder / config / "leadglass.yaml"), "--passphrase-file", str(folder / file), *more],
    )  # fmt: skip


def test_out_and_back_in(site: Places, tmp_path: Path) -> None:
    made = run(tmp_path, "backup", "--record")
    assert made.exit_code == 0, made.output
    assert "with the record; line 1 of the record" in made.output
    back = run(tmp_path, "restore", config="new")
    assert back.exit_code == 0, back.output
    assert "start the gateway" in back.output
    assert state(places(tmp_path / "new")) == state(site)


def test_what_is_missing_afterwards_is_said(site: Places, tmp_path: Path) -> None:
    run(tmp_path, "backup")
    back = run(tmp_path, "restore", config="new")
    assert "up to line 1, and no record stands here" in back.output
    assert "revoke again what was revoked since" in back.output
    change(site, "later", "device-revoked")
    refused = run(tmp_path, "restore")
    assert refused.exit_code == 1
    assert "goes on to line 2" in refused.stderr
    assert "--older REASON" in refused.stderr
    assert run(tmp_path, "restore", "--older", " ").exit_code == 2
    done = run(tmp_path, "restore", "--older", "disk died")
    assert done.exit_code == 0
    assert "1 x device-revoked since the backup: do it again by hand" in done.output, "it names no device"
    change(site, "gone")
    done = run(tmp_path, "restore", "--older", "again")
    assert "1 x revoked since the backup: done again" in done.output


def test_another_record_that_stands_is_said(site: Places, tmp_path: Path) -> None:
    run(tmp_path, "backup")
    for name in ("log/decisions.jsonl", "log/decisions.jsonl.key"):
        (tmp_path / "site" / name).unlink()
    for _ in range(3):
        change(site, f"of another chain {_}", "started")
    back = run(tmp_path, "restore", "--older", "new machine")
    assert "the record that stands here is another one" in back.output


def test_in_json(site: Places, tmp_path: Path) -> None:
    made = json.loads(run(tmp_path, "backup", "--json").stdout)
    assert made["head"]["seq"] == 1
    assert made["bytes"] == (tmp_path / "b").stat().st_size
    assert "store" in made["files"]
    back = json.loads(run(tmp_path, "restore", "--json", config="new").stdout)
    assert (back["record"], back["standing"], back["manifest"]["schema"]) == (False, None, made["schema"])
    assert back["since"] == {"known": False, "again": {}, "missed": {}, "sessions": 0}


def test_a_file_that_is_there_is_a_no(site: Places, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("precious")
    assert run(tmp_path, "backup").exit_code == 1
    assert (tmp_path / "b").read_text() == "precious"


def test_a_short_passphrase_is_a_no(site: Places, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("short")
    made = run(tmp_path, "backup", file="short")
    assert made.exit_code == 1
    assert "at least 12" in made.stderr
    run(tmp_path, "backup")
    assert run(tmp_path, "restore", file="short", config="new").exit_code == 1


@pytest.mark.parametrize("content", [b"", b"no backup", None])
def test_what_is_no_backup_is_a_no(site: Places, tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        run(tmp_path, "backup")
        content = (tmp_path / "b").read_bytes()[:-1]
    (tmp_path / "b").write_bytes(content)
    back = run(tmp_path, "restore")
    assert back.exit_code == 1
    assert "leadglass: error: cannot open" in back.stderr


def test_not_while_the_gateway_runs(site: Places, tmp_path: Path) -> None:
    run(tmp_path, "backup")
    held = take_lock(site.record)
    try:
        back = run(tmp_path, "restore")
    finally:
        os.close(held)
    assert back.exit_code == 3
    assert "another process" in back.stderr


def test_what_cannot_be_read_is_code_3(site: Places, tmp_path: Path) -> None:
    assert run(tmp_path, "restore").exit_code == 3
    site.store.unlink()
    made = run(tmp_path, "backup")
    assert made.exit_code == 3
    assert "start the gateway once" in made.stderr


def test_root_puts_nothing_there_that_the_gateway_cannot_use(
    site: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, "backup")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if site.store.stat().st_uid == 0:
        os.chown(site.store, 1, 1)
    back = run(tmp_path, "restore")
    assert back.exit_code == 2
    assert f"sudo -u '#{site.store.stat().st_uid}'" in back.stderr
    assert not site.note.exists()


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_ended_by_a_signal_it_leaves_nothing_behind(
    site: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    if verb == "restore":
        run(tmp_path, "backup")
    before = {path for path in tmp_path.rglob("*") if not path.name.endswith(".lock")}

    def end(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(*((archive, "_fill") if verb == "backup" else (journal, "decide")), end)
    handler = signal.getsignal(signal.SIGTERM)
    assert run(tmp_path, verb).exit_code == 128 + signal.SIGTERM
    assert {path for path in tmp_path.rglob("*") if not path.name.endswith(".lock")} == before
    assert signal.getsignal(signal.SIGTERM) is handler
