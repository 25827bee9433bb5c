import os
import stat
from pathlib import Path

import orjson
import pytest

from leadglass_agent.state import FILE, STATUS, Busy, Folder, NotEnrolled, State, write

STATE = State("https://pacs.test", "device", "dr.smith", ("pem",), 7)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "deep" / "agent")
    folder.prepare()
    return folder


def test_what_is_kept_is_for_its_owner_alone(folder: Folder) -> None:
    folder.save(STATE)
    secret = folder.door_secret()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.path.iterdir()} == {0o600}
    assert folder.load() == STATE
    assert folder.door_secret() == secret
    assert len(secret) == 32


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o755], ids=oct)
def test_a_folder_that_others_may_enter_is_not_used(folder: Folder, mode: int) -> None:
    folder.path.chmod(mode)
    with pytest.raises(ValueError, match="chmod 700"):
        folder.prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_of_another_user_is_not_used(folder: Folder) -> None:
    os.chown(folder.path, 65534, -1)
    with pytest.raises(ValueError, match="another user"):
        folder.prepare()


def test_an_empty_folder_holds_no_device(folder: Folder) -> None:
    with pytest.raises(NotEnrolled, match="no device"):
        folder.load()


GOOD = {"gateway": "https://g", "device_id": "d", "owner": "o", "trust": [], "seq": 1}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="torn"),
        pytest.param(b"[]", id="no-object"),
        pytest.param(orjson.dumps({**GOOD, "extra": 1}), id="another-member"),
        pytest.param(orjson.dumps({"gateway": "https://g"}), id="members-missing"),
        pytest.param(orjson.dumps({**GOOD, "device_id": 1}), id="id-no-text"),
        pytest.param(orjson.dumps({**GOOD, "trust": None}), id="trust-no-list"),
        pytest.param(orjson.dumps({**GOOD, "trust": [1]}), id="trust-no-text"),
        pytest.param(orjson.dumps({**GOOD, "seq": "1"}), id="seq-text"),
        pytest.param(orjson.dumps({**GOOD, "seq": True}), id="seq-bool"),
        pytest.param(orjson.dumps({**GOOD, "seq": -1}), id="seq-negative"),
    ],
)
def test_a_damaged_file_says_so(folder: Folder, content: bytes) -> None:
    (folder.path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        folder.load()


def test_two_processes_keep_what_each_changed(folder: Folder) -> None:
    folder.save(STATE)
    run, proxy = folder.load(), folder.load()
    run = folder.advance(run, 8)
    proxy = folder.trust(proxy, ("new",))
    assert proxy.seq == 7
    folder.advance(run, 9)
    assert folder.load() == State("https://pacs.test", "device", "dr.smith", ("new",), 9)


def test_a_device_that_was_enrolled_anew_is_left_alone(folder: Folder) -> None:
    folder.save(State("https://pacs.test", "another", "dr.smith", ()))
    with pytest.raises(Busy, match="enrolled anew"):
        folder.advance(STATE, 8)
    assert folder.load().device_id == "another"


def test_only_one_process_reports(folder: Folder) -> None:
    other = Folder(folder.path)
    with folder.running(), pytest.raises(Busy, match="already"), other.running():
        pass
    with other.running():
        pass


def test_a_file_is_exchanged_only_where_it_is_as_it_was(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert not folder.exchange(STATUS, {"a": 1}, {"a": 2})
    assert folder.read(STATUS) is None
    folder.keep(STATUS, {"a": 1})
    assert folder.exchange(STATUS, {"a": 1}, {"a": 2})
    assert not folder.exchange(STATUS, {"a": 1}, {"a": 3})
    assert folder.read(STATUS) == {"a": 2}


def test_a_file_has_its_owner_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, given = tmp_path / "door", []

    def fchown(descriptor: int, owner: int, group: int) -> None:
        given.append((os.fstat(descriptor).st_ino, owner, group, file.exists()))

    monkeypatch.setattr(os, "fchown", fchown)
    write(file, {})
    assert given == []
    file.unlink()
    write(file, {}, 1000)
    assert given == [(file.stat().st_ino, 1000, -1, False)]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(folder: Folder) -> None:
    folder.keep(STATUS, {"a": 1})
    with pytest.raises(TypeError):
        write(folder.path / STATUS, object())
    assert folder.read(STATUS) == {"a": 1}
    assert sorted(file.name for file in folder.path.iterdir()) == ["lock", STATUS]


def test_what_is_not_kept_any_more_is_gone(folder: Folder) -> None:
    folder.keep(STATUS, {})
    folder.keep(STATUS, None)
    folder.keep(STATUS, None)
    assert folder.read(STATUS) is None
