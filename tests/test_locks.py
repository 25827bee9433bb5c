"""Locks: one process at a time, and never at the end of a link."""

import os
import stat
from pathlib import Path

import pytest

from leadglass import locks
from leadglass.model.errors import ConfigurationError


def test_one_at_a_time(tmp_path: Path) -> None:
    held = locks.take(tmp_path / "lock", "taken", "wait")
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    with pytest.raises(ConfigurationError, match="taken") as refused:
        locks.take(tmp_path / "lock", "taken", "wait")
    assert refused.value.hint == "wait"
    os.close(held)
    os.close(locks.take(tmp_path / "lock", "taken", "wait"))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="cannot open"):
        locks.take(tmp_path / "link", "taken", "wait")
    assert not (tmp_path / "elsewhere").exists()


def test_one_that_root_makes_is_of_whom_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: given.append((uid, gid)))
    os.close(locks.take(tmp_path / "lock", "taken", "wait"))
    assert given == [(tmp_path.stat().st_uid, tmp_path.stat().st_gid)]
