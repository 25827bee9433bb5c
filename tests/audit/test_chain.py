from pathlib import Path

import pytest

from leadglass.audit.chain import first_seq, recover, rotated_name, segments
from leadglass.audit.verify import BrokenRecord, verify
from leadglass.audit.writer import Writer
from leadglass.hazmat.hashchain import HeadKeys
from leadglass.limits import MIB, RECORD_LINE_BYTES
from leadglass.model.errors import ConfigurationError
from support.clock import FakeClock

BODY = b'"type":"event","kind":"x","fields":{}'


def write(file: Path, lines: int = 3, rotate: int = MIB) -> bytes:
    writer = Writer(file, rotate=rotate, clock=FakeClock())
    for _ in range(lines):
        writer.append(BODY)
    writer.close()
    return file.read_bytes()


@pytest.mark.parametrize("left", [1, 40, 150, "all but newline"])
def test_a_torn_tail_is_set_aside_and_the_chain_goes_on(tmp_path: Path, left: int | str) -> None:
    file = tmp_path / "r.jsonl"
    whole = write(file)
    last = whole.splitlines(keepends=True)[-1]
    part = last[:-1] if isinstance(left, str) else last[:left]
    file.write_bytes(whole + part)
    standing = recover(file)
    assert [torn.path.read_bytes() for torn in standing.torn] == [part]
    assert file.read_bytes() == whole
    write(file, 1)
    assert verify(file, HeadKeys({})).lines == 4


@pytest.mark.parametrize(
    "left", [b"\0" * 4096, b"\0" * 3 * RECORD_LINE_BYTES, b"\0" * 3 * RECORD_LINE_BYTES + b"\n"], ids=len
)
def test_lines_that_a_crash_left_as_zeros_are_set_aside(tmp_path: Path, left: bytes) -> None:
    """After a crash between write and fsync the file may have its length and not its bytes, however many they are."""
    file = tmp_path / "r.jsonl"
    kept = b"".join(write(file, 5).splitlines(keepends=True)[:3])
    file.write_bytes(kept + left)
    standing = recover(file)
    assert (standing.last is not None and standing.last.seq, standing.size) == (3, len(kept))
    assert [torn.path.read_bytes() for torn in standing.torn] == [left]
    assert file.read_bytes() == kept
    assert recover(file).torn == ()


def test_a_hole_before_lines_that_are_whole_is_left_for_verify_to_name(tmp_path: Path) -> None:
    """Setting whole lines aside would let anybody launder a change by a restart."""
    file = tmp_path / "r.jsonl"
    lines = write(file, 5).splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], b"\0" * len(lines[2]), *lines[3:]]))
    assert recover(file).torn == ()
    with pytest.raises(BrokenRecord, match="jsonl:3:"):
        verify(file, HeadKeys({}))


def test_a_crash_between_the_two_renames_of_a_rotation_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file)
    file.rename(rotated_name(file, 1))
    (tmp_path / "r.jsonl.next").write_bytes(b"")
    write(file, 1)
    assert [path.name for path in segments(file)] == ["r.jsonl.000000000001", "r.jsonl"]
    assert first_seq(file) == 4
    assert verify(file, HeadKeys({})).lines == 4
    assert not (tmp_path / "r.jsonl.next").exists()


def test_an_empty_file_after_a_rotation_goes_on_from_the_rotated_one(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file)
    file.rename(rotated_name(file, 1))
    file.write_bytes(b"")
    write(file, 1)
    assert verify(file, HeadKeys({})).seq == 4


def test_a_file_that_is_no_record_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_text("some notes\nof somebody\n")
    with pytest.raises(ConfigurationError, match="no whole line"):
        recover(file)
    assert file.read_text() == "some notes\nof somebody\n"


@pytest.mark.parametrize("current", [None, b"", b"\0" * 4096, b'{"seq":4,'], ids=["none", "empty", "zeros", "torn"])
def test_a_crash_just_after_a_rotation_leaves_a_gateway_that_starts(tmp_path: Path, current: bytes | None) -> None:
    """Nothing of the rotated file's end may be on disk yet, and nothing of the new file."""
    file = tmp_path / "r.jsonl"
    whole = write(file)
    lines = whole.splitlines(keepends=True)
    rotated_name(file, 1).write_bytes(whole[:-5])
    file.unlink() if current is None else file.write_bytes(current)
    standing = recover(file)
    assert [torn.path.read_bytes() for torn in standing.torn] == [part for part in (lines[2][:-5], current) if part]
    assert rotated_name(file, 1).read_bytes() == b"".join(lines[:2])
    write(file, 1)
    assert verify(file, HeadKeys({})).seq == 3


def test_a_rotated_file_without_a_whole_line_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    rotated_name(file, 1).write_bytes(write(file, 1)[:-5])
    file.unlink()
    with pytest.raises(ConfigurationError, match="no whole line"):
        recover(file)


def test_other_files_beside_the_record_are_not_of_it(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file)
    for name in (
        "r.jsonl.key",
        "r.jsonl.torn-000000000003",
        "r.jsonl.00000000000x",
        "xr.jsonl",
        "r.jsonl.0000000000012",
    ):
        (tmp_path / name).write_text("")
    assert segments(file) == [file]


def test_nothing_at_all_is_a_beginning(tmp_path: Path) -> None:
    assert recover(tmp_path / "r.jsonl").last is None
