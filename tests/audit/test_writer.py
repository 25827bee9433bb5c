import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadglass.audit.chain import beside, segments
from leadglass.audit.verify import verify
from leadglass.audit.writer import Unwritable, Writer
from leadglass.hazmat.hashchain import HeadKeys
from leadglass.limits import KIB, MIB, RECORD_LINE_BYTES, RECORD_UNSYNCED_BYTES
from leadglass.model.errors import ConfigurationError
from support.clock import FakeClock

NO_KEYS = HeadKeys({})
BODY = b'"type":"event","kind":"x","timestamp":"2026-11-23T18:00:00.000000Z","fields":{}'


def open_writer(folder: Path, rotate: int = 256 * MIB) -> Writer:
    return Writer(folder / "r.jsonl", rotate=rotate, clock=FakeClock())


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = open_writer(tmp_path)
    yield made
    made.close()


def fill(writer: Writer, body: bytes = BODY, most: int = 100_000) -> int:
    for count in range(most):
        try:
            writer.append(body)
        except Unwritable:
            return count
    pytest.fail("the disk never filled")


def sync(writer: Writer) -> None:
    job = writer.prepare_sync()
    if job is not None:
        job.run()
        writer.finish_sync(job, None)


def test_a_line_is_in_the_file_when_append_returns_and_only_its_owner_may_read(writer: Writer) -> None:
    line = writer.append(BODY)
    assert writer.file.read_bytes() == line
    assert stat.S_IMODE(writer.file.stat().st_mode) == 0o600
    assert os.get_inheritable(writer._current.fd) is False


def test_a_second_writer_is_refused_until_the_first_has_closed(tmp_path: Path) -> None:
    first = open_writer(tmp_path)
    with pytest.raises(ConfigurationError, match="another process"):
        open_writer(tmp_path)
    first.close()
    open_writer(tmp_path).close()


def test_a_second_process_is_refused(tmp_path: Path, writer: Writer) -> None:
    code = (
        "import sys; from pathlib import Path; from leadglass.audit.writer import Writer; from leadglass.clock import SystemClock\n"
        "Writer(Path(sys.argv[1]), rotate=1 << 20, clock=SystemClock())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, writer.file], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "another process writes the record" in done.stderr


def test_a_stop_and_a_start_continue_one_chain(tmp_path: Path) -> None:
    for _ in range(3):
        writer = open_writer(tmp_path)
        writer.append(BODY)
        writer.close()
    verdict = verify(tmp_path / "r.jsonl", NO_KEYS)
    assert (verdict.lines, verdict.seq) == (3, 3)


def test_rotation_names_the_last_hash_and_the_chain_goes_on(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, 64 * KIB)
    lines = [writer.append(BODY) for _ in range(800)]
    writer.close()
    files = segments(writer.file)
    assert [path.name for path in files][:2] == ["r.jsonl.000000000001", f"r.jsonl.{_first(files[1]):012d}"]
    last = files[0].read_bytes().splitlines()[-1][-66:-2].decode()
    first_of_next = files[1].read_bytes().splitlines()[0]
    assert b'"kind":"rotated"' in first_of_next
    assert f'"previous":"r.jsonl.000000000001","previous_hash":"{last}"'.encode() in first_of_next
    assert all(path.stat().st_size <= 64 * KIB for path in files)
    assert verify(writer.file, NO_KEYS).lines == len(lines) + len(files) - 1
    again = open_writer(tmp_path, 64 * KIB)
    again.append(BODY)
    again.close()
    verify(writer.file, NO_KEYS)


def _first(path: Path) -> int:
    return int(path.read_bytes().split(b",", 1)[0].removeprefix(b'{"seq":'))


def test_a_rotation_that_fails_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = open_writer(tmp_path, 64 * KIB)

    def no(*_: object) -> None:
        raise OSError(errno.EACCES, "no")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", no)
        for _ in range(400):
            writer.append(BODY)
    assert segments(writer.file) == [writer.file]
    writer.close()
    verify(writer.file, NO_KEYS)


def test_a_full_disk_refuses_keeps_the_chain_whole_and_opens_again(small_disk: Path) -> None:
    writer = open_writer(small_disk)
    assert writer.pressure == "reserve"  # far less than that is left
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 100 * KIB)
    written = fill(writer)
    assert written > 100
    assert "No space left" in str(writer.fault)
    verdict = verify(writer.file, NO_KEYS)
    assert verdict.lines == written
    with pytest.raises(Unwritable):
        writer.append(BODY)
    ballast.unlink()
    with pytest.raises(Unwritable):  # until a probe has looked
        writer.append(BODY)
    writer.repair()
    writer.fault = None
    writer.append(BODY)
    sync(writer)
    writer.close()
    assert verify(writer.file, NO_KEYS).lines == written + 1


def test_a_short_write_is_cut_off_again(small_disk: Path) -> None:
    """A long line meets the end of the disk in its middle: the kernel writes a part and says so."""
    writer = open_writer(small_disk)
    body = b'"type":"event","x":"' + b"y" * 30_000 + b'"'
    written = fill(writer, body)
    assert writer.file.stat().st_size == sum(map(len, writer._current.kept))
    assert verify(writer.file, NO_KEYS).lines == written
    writer.close()


def test_a_limit_on_file_size_is_an_outage_and_not_a_crash(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from leadglass.audit.writer import Unwritable, Writer\n"
        "from leadglass.clock import SystemClock\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "w = Writer(Path(sys.argv[1]), rotate=1 << 20, clock=SystemClock())\n"
        "try:\n"
        '    while True: w.append(b\'"type":"event"\')\n'
        "except Unwritable as error: print(w.written, error)\n"
    )
    file = tmp_path / "r.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    count, _, why = done.stdout.partition(" ")
    assert "File too large" in why
    assert verify(file, NO_KEYS).lines == int(count)


def test_a_failed_fsync_closes_the_record_and_repair_writes_the_lines_again(writer: Writer) -> None:
    kept = [writer.append(BODY) for _ in range(3)]
    job = writer.prepare_sync()
    assert job is not None
    writer.finish_sync(job, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(Unwritable, match="on disk"):
        writer.append(BODY)
    assert writer.durable == 0
    # What the kernel dropped after the failure: the pages are gone, and the file reads as zeros.
    with writer.file.open("r+b") as file:
        file.write(b"\0" * sum(map(len, kept)))
    writer.repair()
    assert writer.file.read_bytes() == b"".join(kept)
    writer.fault = None
    sync(writer)
    assert writer.durable == 3
    verify(writer.file, NO_KEYS)


def test_an_fsync_covers_what_was_written_before_it_and_no_more(writer: Writer) -> None:
    writer.append(BODY)
    job = writer.prepare_sync()
    writer.append(BODY)
    assert job is not None
    job.run()
    writer.finish_sync(job, None)
    assert (writer.durable, writer.written) == (1, 2)
    assert writer.on_disk() == (1, writer.file.stat().st_size // 2)
    sync(writer)
    assert writer.on_disk() == (1, writer.file.stat().st_size)
    assert writer.prepare_sync() is None


def test_rotated_files_are_put_on_disk_and_closed(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, 64 * KIB)
    for _ in range(800):
        writer.append(BODY)
    assert writer.on_disk() == (1, 0)
    sync(writer)
    assert writer._retired == []
    assert writer.durable == writer.written
    writer.close()


def test_a_disk_that_does_not_keep_up_refuses(writer: Writer) -> None:
    writer._current.kept_bytes = RECORD_UNSYNCED_BYTES + 1
    with pytest.raises(Unwritable, match="keep up"):
        writer.append(BODY)
    writer._current.kept_bytes = 0


def test_a_line_that_is_too_long_is_refused(writer: Writer) -> None:
    with pytest.raises(Unwritable, match="longer"):
        writer.append(b"x" * RECORD_LINE_BYTES)
    assert writer.fault is None


@pytest.mark.parametrize(
    ("used", "free", "expected"),
    [(50, 50, "ok"), (79, 21, "ok"), (80, 20, "warn"), (94, 6, "warn"), (95, 5, "critical"), (10, 0, "reserve")],
)
def test_watermarks(writer: Writer, monkeypatch: pytest.MonkeyPatch, used: int, free: int, expected: str) -> None:
    giga = 1024 * MIB // 4096

    class Disk:
        f_blocks, f_bfree, f_bavail, f_frsize = 100 * giga, (100 - used) * giga, free * giga, 4096

    monkeypatch.setattr(os, "statvfs", lambda _: Disk)
    writer.measure()
    assert writer.pressure == expected


def test_the_last_64_mib_are_the_reserve_however_large_the_disk(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Disk:
        f_blocks, f_bfree, f_bavail, f_frsize = 300 * MIB // 4096, 64 * MIB // 4096, 64 * MIB // 4096, 4096

    monkeypatch.setattr(os, "statvfs", lambda _: Disk)
    writer.measure()
    assert writer.pressure == "reserve"


def test_a_folder_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot open the record"):
        Writer(tmp_path / "file" / "r.jsonl", rotate=MIB, clock=FakeClock())
    (tmp_path / "target").write_text("")
    (tmp_path / "r.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(ConfigurationError, match="cannot open the record"):
        open_writer(tmp_path)
    assert beside(tmp_path / "r.jsonl", "lock").exists()


def test_a_process_killed_while_writing_leaves_a_chain_that_goes_on(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from leadglass.audit.writer import Writer\n"
        "from leadglass.clock import SystemClock\n"
        "w = Writer(Path(sys.argv[1]), rotate=1 << 16, clock=SystemClock())\n"
        "while True:\n"
        '    w.append(b\'"type":"event"\')\n'
        "    if w.written == 2000: print('x', flush=True)\n"
    )
    file = tmp_path / "r.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", code, file], stdout=subprocess.PIPE, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    ) as child:
        assert child.stdout is not None
        child.stdout.read(1)
        child.kill()
    before = open_writer(tmp_path)
    before.append(BODY)
    before.close()
    assert verify(file, NO_KEYS).lines > 2000
