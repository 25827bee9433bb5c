"""Key files: private, whole, and refused when others could have read them."""

import stat
from pathlib import Path

import pytest

from leadglass.hazmat.files import read_private, stamp, write_private
from leadglass.model.errors import ConfigurationError


def test_it_is_private_and_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_private(file, b"one")
    write_private(file, b"two")
    assert read_private(file) == b"two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_one_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_private(file, b"one")
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match="others can read") as caught:
        read_private(file)
    assert "chmod 0600" in caught.value.hint


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir()
    with pytest.raises(OSError, match=r".*"):
        write_private(tmp_path / "key", b"one")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert stamp(file) is None
    file.write_text("one")
    before = stamp(file)
    assert before is not None
    assert stamp(file) == before
    file.write_text("another")
    assert stamp(file) != before
