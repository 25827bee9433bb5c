import os
from pathlib import Path

import pytest

from leadglass.audit.chain import rotated_name, segments
from leadglass.audit.feed import (
    PROGRESS_LINES,
    Feed,
    Gap,
    Position,
    event_kind,
    every_line,
    last_lines,
    lines,
    open_in_order,
)
from leadglass.audit.writer import Writer
from leadglass.limits import KIB, MIB
from support.clock import FakeClock

BODY = b'"type":"event","kind":"x","fields":{}'


def write(file: Path, count: int, rotate: int = 64 * KIB, body: bytes = BODY) -> bytes:
    writer = Writer(file, rotate=rotate, clock=FakeClock())
    for _ in range(count):
        writer.append(body)
    writer.close()
    return b"".join(path.read_bytes() for path in segments(file))


def drain(feed: Feed, most: int = 4 * KIB, count: int = 1000) -> bytes:
    found = b""
    while batch := feed.read(most, count):
        assert len(batch) <= count
        found += b"".join(batch)
    return found


def open_feed(file: Path, position: Position | None = None) -> Feed:
    return Feed(file, position or Position(), lambda: None)


@pytest.mark.parametrize(("most", "count"), [(1, 1000), (300, 1), (4 * KIB, 1000), (MIB, 7), (MIB, 10_000)])
def test_every_line_is_read_once_over_rotations(tmp_path: Path, most: int, count: int) -> None:
    file = tmp_path / "r.jsonl"
    whole = write(file, 700)
    assert len(segments(file)) > 2
    feed = open_feed(file)
    assert drain(feed, most, count) == whole
    assert feed.behind() == 0


def test_a_position_survives_rotation_between_two_reads(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file, 10)
    feed = open_feed(file)
    read = drain(feed)
    kept = feed.position
    whole = write(file, 700)
    assert read + drain(open_feed(file, kept)) == whole
    assert feed.behind() == len(whole) - len(read)


def test_reading_stops_at_the_ceiling(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    writer = Writer(file, rotate=64 * KIB, clock=FakeClock())
    line = writer.append(BODY)
    feed = Feed(file, Position(), writer.on_disk)
    assert feed.read(MIB, 100) == []
    job = writer.prepare_sync()
    assert job is not None
    job.run()
    writer.finish_sync(job, None)
    writer.append(BODY)
    assert feed.read(MIB, 100) == [line]
    assert feed.read(MIB, 100) == []
    for _ in range(500):
        writer.append(BODY)
    assert feed.read(MIB, 100) == []  # rotated, and still not on disk
    writer.close()


def test_a_torn_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    whole = write(file, 2)
    file.write_bytes(whole[:-10])
    feed = open_feed(file)
    first = drain(feed)
    assert first == whole.splitlines(keepends=True)[0]
    file.write_bytes(whole)
    assert first + drain(feed) == whole


def test_a_line_longer_than_a_batch_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    whole = write(file, 2, MIB, b'"x":"' + b"y" * 20_000 + b'"')
    assert drain(open_feed(file), 512) == whole


def test_a_record_moved_away_and_begun_anew_is_a_gap(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file, 3)
    feed = open_feed(file)
    drain(feed)
    file.rename(tmp_path / "away")
    with pytest.raises(Gap, match="gone"):
        feed.read(MIB, 10)
    whole = write(file, 3)
    with pytest.raises(Gap, match="another chain"):
        feed.read(MIB, 10)
    feed.position = Position()
    assert drain(feed) == whole


def test_a_record_that_shrank_is_a_gap(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file, 3)
    feed = open_feed(file)
    drain(feed)
    os.truncate(file, 100)
    with pytest.raises(Gap, match="shorter"):
        feed.read(MIB, 10)


def test_no_record_yet_is_nothing_to_read(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    assert open_feed(file).read(MIB, 10) == []
    file.write_bytes(b"")
    assert open_feed(file).read(MIB, 10) == []


def test_a_rotation_between_the_look_and_the_opening_leaves_no_file_out(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    write(file, 3)
    assert [(path.name, sum(1 for _ in lines(stream))) for path, stream in open_in_order(file)] == [("r.jsonl", 3)]
    walk = open_in_order(file)
    file.rename(rotated_name(file, 1))
    write(file, 2)
    assert [path.name for path, _ in walk] == ["r.jsonl.000000000001", "r.jsonl"]


def test_the_last_lines_and_the_position_behind_them(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    whole = write(file, 2000, MIB).splitlines(keepends=True)
    found, position = last_lines(file, 3)
    assert found == whole[-3:]
    assert last_lines(file, 5000)[0] == whole
    assert last_lines(file, 0)[0] == []
    more = write(file, 2, MIB).splitlines(keepends=True)
    assert drain(open_feed(file, position)) == b"".join(more[-2:])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (BODY, "x"),
        (b'"type":"event","kind":"device-revoked","fields":{}', "device-revoked"),
        (b'"type":"decision","kind":"x"', ""),
        (b'"type":"decision","note":"\\"type\\":\\"event\\",\\"kind\\":\\"revoked\\""', ""),
        (b'"type":"use"' + b" " * 200 + b'"type":"event","kind":"revoked"', ""),
    ],
)
def test_which_event_a_line_is(tmp_path: Path, body: bytes, kind: str) -> None:
    assert event_kind(write(tmp_path / "r.jsonl", 1, body=body)) == kind


def test_every_line_over_rotated_files_and_how_far_it_is(tmp_path: Path) -> None:
    file, seen = tmp_path / "record", list[int]()
    written = write(file, PROGRESS_LINES + 500)
    assert len(segments(file)) > 1
    assert b"".join(every_line(file, seen.append)) == written
    assert sum(seen) == len(written)
    assert len(seen) >= len(segments(file))
