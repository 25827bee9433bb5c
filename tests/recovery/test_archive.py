"""Backup: of one moment while everything goes on, private, and not there when it fails."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from leadglass.audit.chain import beside
from leadglass.hazmat import backup as sealing
from leadglass.hazmat.aead import load_or_make_box
from leadglass.model.errors import ConfigurationError
from leadglass.recovery import archive
from leadglass.recovery.places import Places
from support.sites import PASSPHRASE, back_up, change, make, places


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_COST", {"n": 2, "r": 8, "p": 1})


@pytest.fixture
def site(tmp_path: Path) -> Places:
    return make(tmp_path / "site")


def names(file: Path) -> list[str]:
    with archive.opened(file, PASSPHRASE) as (_, files):
        return [name for name, _ in files]


def test_what_is_in_it_and_what_not(site: Places, tmp_path: Path) -> None:
    (site.record.parent / "decisions.jsonl.torn-000000000001").write_text("torn")
    manifest = back_up(site, tmp_path / "b")
    held = [
        "session.key", "projects.key", "assertion.key", "device-ca/ca.key", "device-ca/ca.pem", "record/key", "record/pub", "store",
    ]  # fmt: skip
    assert names(tmp_path / "b") == held
    assert set(manifest.files) == set(held)
    assert manifest.head is not None
    assert manifest.head.seq == 1
    back_up(site, tmp_path / "whole", record=True)
    assert names(tmp_path / "whole") == [*held, "record/lines"]
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert b"user" not in (tmp_path / "b").read_bytes()


def test_a_half_written_line_stays_out(site: Places, tmp_path: Path) -> None:
    whole = site.record.read_bytes()
    site.record.write_bytes(whole + b'{"seq":2,')
    manifest = back_up(site, tmp_path / "b", record=True)
    assert manifest.files["record/lines"] == len(whole)


def test_a_rotation_meanwhile_leaves_no_line_out(site: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Places.lines, []

    def lines(here: Places) -> dict[str, Path]:
        found = real(here)
        calls.append(found)
        if len(calls) == 1:
            site.record.rename(beside(site.record, "000000000001"))
            change(site, "after")
        return found

    monkeypatch.setattr(Places, "lines", lines)
    back_up(site, tmp_path / "b", record=True)
    assert names(tmp_path / "b")[-2:] == ["record/lines.000000000001", "record/lines"]


def test_what_happens_while_it_is_made_is_behind_its_head(site: Places, tmp_path: Path) -> None:
    def progress(_: int) -> None:
        if not seen:
            change(site, "meanwhile")
        seen.append(1)

    seen: list[int] = []
    manifest = archive.write(site, tmp_path / "b", PASSPHRASE, now=0.0, version="0", record=True, progress=progress)
    assert manifest.head is not None
    assert manifest.head.seq == 1, "the store in it does not know of line 2"
    with archive.opened(tmp_path / "b", PASSPHRASE) as (_, files):
        held = {name: content.read() for name, content in files}
    assert b"meanwhile" not in held["store"]
    assert b"meanwhile" in held["record/lines"], "the record goes on, and tells of it"


def test_keys_are_those_of_the_moment_of_the_store(site: Places, tmp_path: Path) -> None:
    key = site.store.parent / "session.key"
    before = key.read_bytes()

    def progress(_: int) -> None:
        key.unlink(missing_ok=True)
        load_or_make_box(key)

    archive.write(site, tmp_path / "b", PASSPHRASE, now=0.0, version="0", record=False, progress=progress)
    with archive.opened(tmp_path / "b", PASSPHRASE) as (_, files):
        assert {name: content.read() for name, content in files}["session.key"] == before
    assert key.read_bytes() != before


def interrupted_rotation(site: Places) -> None:
    (site.authority / "next.pem").write_text("of a rotation")


def interrupted_restore(site: Places) -> None:
    site.journal.write_text("{}")


def another(site: Places) -> None:
    site.turn()  # for as long as this process lives


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (interrupted_rotation, "rotation of the device CA was interrupted"),
        (interrupted_restore, "restore was interrupted"),
        (another, "another backup or restore"),
    ],
)
def test_there_is_none_of_what_is_half_done(
    site: Places, tmp_path: Path, before: Callable[[Places], None], words: str
) -> None:
    before(site)
    with pytest.raises(ConfigurationError, match=words):
        back_up(site, tmp_path / "b")
    assert {path.name for path in tmp_path.iterdir()} == {"site"}


def test_what_one_that_was_killed_left_behind_does_not_matter(site: Places, tmp_path: Path) -> None:
    for left in (tmp_path / "b.part", site.store.with_name(f".{site.store.name}.backup")):
        left.write_text("half")
        left.chmod(0o666)
    back_up(site, tmp_path / "b")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert not any(path.name.endswith((".part", ".backup")) for path in tmp_path.rglob("*"))


def test_one_that_fails_is_not_there(site: Places, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 12"):
        archive.write(site, tmp_path / "b", "short", now=0.0, version="0", record=False, progress=lambda _: None)
    assert not any(path.name.startswith(("b", ".leadglass")) for path in tmp_path.rglob("*") if path.is_file())


def test_before_the_first_start_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no store"):
        back_up(places(tmp_path), tmp_path / "b")


def test_it_never_replaces_a_file(site: Places, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("precious")
    with pytest.raises(FileExistsError):
        back_up(site, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "precious"
    assert not (tmp_path / "b.part").exists()


def test_a_key_that_others_may_read_is_not_spread_further(site: Places, tmp_path: Path) -> None:
    (site.authority / "ca.key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read"):
        back_up(site, tmp_path / "b")
