"""Restore: onto nothing or over what stands, all or nothing, never backwards unless it is said why."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from leadglass.audit.chain import beside, take_lock
from leadglass.hazmat import backup as sealing
from leadglass.hazmat.aead import load_or_make_box
from leadglass.hazmat.sealedfile import Unopenable
from leadglass.migrations.schema import HEAD
from leadglass.model.errors import ConfigurationError
from leadglass.recovery import archive
from leadglass.recovery.archive import Manifest
from leadglass.recovery.journal import finish_interrupted
from leadglass.recovery.places import Places
from leadglass.recovery.restore import Older, Restored
from leadglass.store import locked
from support import killed
from support.sites import PASSPHRASE, back_up, change, make, places, put_back, state
from support.stores import rows


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_COST", {"n": 2, "r": 8, "p": 1})


@pytest.fixture
def site(tmp_path: Path) -> Places:
    return make(tmp_path / "site")


def left(folder: Path) -> set[str]:
    return {
        path.name for path in folder.rglob("*") if path.name.endswith((".restore", ".restoring", ".part", ".backup"))
    }


def test_onto_new_hardware(site: Places, tmp_path: Path) -> None:
    manifest = back_up(site, tmp_path / "b", record=True)
    new = places(tmp_path / "new")
    done = put_back(new, tmp_path / "b")
    assert isinstance(done, Restored)
    assert (done.record, done.standing, done.since.known) == (True, manifest.head, False)
    assert state(new) == state(site)
    assert new.record.read_bytes() == site.record.read_bytes()
    assert manifest.head is not None
    assert left(tmp_path) == set()
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert modes == {0o600}


@pytest.mark.parametrize("record", [False, True])
def test_over_a_site_that_is_behind(site: Places, tmp_path: Path, *, record: bool) -> None:
    shutil.copytree(tmp_path / "site", tmp_path / "old")
    change(site, "second")
    back_up(site, tmp_path / "b", record=record)
    old = places(tmp_path / "old")
    before = old.record.read_bytes()
    put_back(old, tmp_path / "b")
    assert state(old) == state(site)
    assert old.record.read_bytes() == before, "a record that stands is never replaced"
    note = json.loads(old.note.read_bytes())
    assert (note["standing"]["seq"], note["head"]["seq"], note["older"]) == (1, 2, None)


def test_what_the_old_store_had_not_written_into_itself_is_not_of_the_new_one(site: Places, tmp_path: Path) -> None:
    back_up(site, tmp_path / "b")
    for end in ("-wal", "-shm"):
        site.store.with_name(site.store.name + end).write_bytes(b"of the old store")
    put_back(site, tmp_path / "b")
    assert {path.name for path in site.store.parent.iterdir()} == {
        "leadglass.db", "leadglass.db.lock", "leadglass.db.recovery.lock", "session.key", "projects.key", "assertion.key",
        "device-ca",
    }  # fmt: skip


def test_a_ca_that_the_backup_does_not_know_goes(site: Places, tmp_path: Path) -> None:
    back_up(site, tmp_path / "b")
    (site.authority / "retired-1800000000.pem").write_text("of later")
    put_back(site, tmp_path / "b")
    assert sorted(path.name for path in site.authority.iterdir()) == ["ca.key", "ca.pem"]


def ahead(site: Places) -> None:
    change(site, "second")
    change(site, "third", "device-revoked")


def no_record(site: Places) -> None:
    site.record.unlink()


def other_chain(site: Places) -> None:
    site.record.unlink()
    change(site, "second")


@pytest.mark.parametrize(
    ("later", "words"),
    [(ahead, "goes on to line 3"), (no_record, "no record that tells"), (other_chain, "does not know")],
)
def test_an_older_backup_needs_a_reason(
    site: Places, tmp_path: Path, later: Callable[[Places], None], words: str
) -> None:
    back_up(site, tmp_path / "b")
    later(site)
    before = state(site)
    with pytest.raises(Older, match=words):
        put_back(site, tmp_path / "b")
    assert state(site) == before
    assert left(tmp_path) == set()
    put_back(site, tmp_path / "b", older="the store was damaged")
    assert ("second" in str(state(site))) == bool(site.lines()), "what the record knows is done again"
    assert json.loads(site.note.read_bytes())["older"] == "the store was damaged"


def test_another_line_of_the_same_number_is_seen(site: Places, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "site", tmp_path / "fork")
    change(site, "second")
    change(places(tmp_path / "fork"), "other")
    back_up(site, tmp_path / "b")
    with pytest.raises(Older, match="another one than the backup knows"):
        put_back(places(tmp_path / "fork"), tmp_path / "b")


def test_what_the_record_knows_and_the_store_no_longer_does_is_done_again(site: Places, tmp_path: Path) -> None:
    back_up(site, tmp_path / "b")
    change(site, "second")
    change(site, "third", "device-enrolled")
    change(site, "fourth", "started")
    done = put_back(site, tmp_path / "b", older="disk")
    assert isinstance(done, Restored)
    assert (done.since.known, done.since.again, done.since.missed) == (True, {"revoked": 1}, {"device-enrolled": 1})
    assert [row[0] for row in rows(site.store)["revocations"]] == ["first", "second"]
    note = json.loads(site.note.read_bytes())
    assert (note["known"], note["again"], note["missed"]) == (True, {"revoked": 1}, {"device-enrolled": 1})


def test_a_backup_with_the_record_tells_of_what_came_while_it_was_made(site: Places, tmp_path: Path) -> None:
    def progress(_: int) -> None:
        if not (tmp_path / "once").exists():
            (tmp_path / "once").touch()
            change(site, "meanwhile")

    archive.write(site, tmp_path / "b", PASSPHRASE, now=0.0, version="0", record=True, progress=progress)
    new = places(tmp_path / "new")
    done = put_back(new, tmp_path / "b")
    assert isinstance(done, Restored)
    assert done.since.again == {"revoked": 1}
    assert done.standing is not None
    assert done.standing.seq == 2
    assert [row[0] for row in rows(new.store)["revocations"]] == ["first", "meanwhile"]


@pytest.mark.parametrize("at", [0, 3, 25, 60, -1, -20, 2000])
def test_one_bit_changed_anywhere_changes_nothing_here(site: Places, tmp_path: Path, at: int) -> None:
    back_up(site, tmp_path / "b", record=True)
    data = bytearray((tmp_path / "b").read_bytes())
    data[at] ^= 1
    (tmp_path / "b").write_bytes(data)
    before = state(site)
    with pytest.raises(Unopenable):
        put_back(site, tmp_path / "b")
    assert state(site) == before
    assert left(tmp_path) == set()


@pytest.mark.parametrize("keep", [0, 10, 43, 44, 100, 5000, -1])
def test_one_that_is_cut_short_changes_nothing_here(site: Places, tmp_path: Path, keep: int) -> None:
    back_up(site, tmp_path / "b")
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:keep])
    before = state(site)
    with pytest.raises(Unopenable):
        put_back(site, tmp_path / "b")
    assert state(site) == before
    assert left(tmp_path) == set()


def test_a_wrong_passphrase_changes_nothing(site: Places, tmp_path: Path) -> None:
    back_up(site, tmp_path / "b")
    with pytest.raises(Unopenable, match="wrong passphrase"):
        put_back(site, tmp_path / "b", passphrase=PASSPHRASE + "!")


def _lies(manifest: Manifest, **changes: object) -> Callable[..., Manifest]:
    fields = {name: getattr(manifest, name) for name in manifest.__dataclass_fields__}
    return lambda *_: Manifest(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"schema": "99"}, ConfigurationError, f"schema 99, this version reads up to {HEAD}"),
        ({"files": {"store": 1}}, Unopenable, "which its manifest does not name"),
    ],
)
def test_a_backup_that_does_not_fit_is_refused(
    site: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    manifest = back_up(site, tmp_path / "b")
    monkeypatch.setattr(archive, "_manifest", _lies(manifest, **changes))
    monkeypatch.setattr(archive, "_manifest", lambda tar: (tar.next(), _lies(manifest, **changes)())[1])
    with pytest.raises(error, match=words):
        put_back(site, tmp_path / "b")
    assert left(tmp_path) == set()


def test_a_file_that_is_missing_is_missed(site: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = back_up(site, tmp_path / "b")
    lie = _lies(manifest, files={**manifest.files, "device-ca/retired-1800000000.pem": 3})
    monkeypatch.setattr(archive, "_manifest", lambda tar: (tar.next(), lie())[1])
    with pytest.raises(Unopenable, match="does not hold device-ca"):
        put_back(site, tmp_path / "b")


@pytest.mark.parametrize("taken", ["record", "store"])
def test_nothing_is_restored_under_a_running_gateway(site: Places, tmp_path: Path, taken: str) -> None:
    back_up(site, tmp_path / "b")
    held = take_lock(site.record) if taken == "record" else locked(site.store)
    try:
        with pytest.raises(ConfigurationError, match="another process"):
            put_back(site, tmp_path / "b")
    finally:
        os.close(held)
    put_back(site, tmp_path / "b")


def test_public_keys_that_stand_here_stay(site: Places, tmp_path: Path) -> None:
    back_up(site, tmp_path / "b")
    pub = beside(site.record, "pub")
    pub.write_bytes(pub.read_bytes() + b"a later key\n")
    put_back(site, tmp_path / "b")
    assert b"a later key" in pub.read_bytes()


def test_a_backup_of_before_the_first_start_takes_no_key_of_the_record_away(site: Places, tmp_path: Path) -> None:
    bare = places(tmp_path / "bare")
    bare.store.parent.mkdir(mode=0o700, parents=True)
    shutil.copyfile(site.store, bare.store)
    back_up(bare, tmp_path / "b")
    kept = {name: site.path(name).read_bytes() for name in ("record/key", "record/pub")}
    put_back(site, tmp_path / "b", older="test")
    assert {name: site.path(name).read_bytes() for name in kept} == kept
    assert not (site.authority / "ca.key").exists(), "of another gateway than the store is"


def test_killed_at_any_step_it_is_the_old_or_the_new(tmp_path: Path) -> None:
    runs = killed.folders(tmp_path, "support.sites:prepare", "support.sites:act")
    new = state(places(runs[-1] / "later"))
    seen = []
    for folder in runs:
        here = places(folder / "site")
        finish_interrupted(here)  # as the next start does
        found = state(here)
        seen.append(found == new)
        assert left(folder) == set(), folder
    old = next(state(places(folder / "site")) for folder, done in zip(runs, seen, strict=True) if not done)
    assert old != new
    assert all(done or state(places(folder / "site")) == old for folder, done in zip(runs, seen, strict=True))
    assert seen == sorted(seen), "once it is the new one it stays so"
    assert (seen[0], seen[-1]) == (False, True)
    assert seen.count(True) > 5, "it was killed while files took their places"


def test_a_session_key_comes_back_with_its_sessions(site: Places, tmp_path: Path) -> None:
    sealed = load_or_make_box(site.store.parent / "session.key").seal(b"token", b"here")
    back_up(site, tmp_path / "b")
    put_back(places(tmp_path / "new"), tmp_path / "b")
    assert load_or_make_box(places(tmp_path / "new").store.parent / "session.key").open(sealed, b"here") == b"token"


def test_the_key_of_projects_comes_back_with_its_projects(site: Places, tmp_path: Path) -> None:
    sealed = load_or_make_box(site.store.parent / "projects.key").seal(b"key", b"here")
    back_up(site, tmp_path / "b")
    put_back(places(tmp_path / "new"), tmp_path / "b")
    assert load_or_make_box(places(tmp_path / "new").store.parent / "projects.key").open(sealed, b"here") == b"key"
