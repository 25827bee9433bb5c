import asyncio
import os
from pathlib import Path

import pytest

from leadglass.audit.chain import beside, segments
from leadglass.audit.feed import Position
from leadglass.audit.sinks import pump as pumping
from leadglass.audit.sinks.pump import Pump, load_cursor, save_cursor
from leadglass.audit.writer import Writer
from leadglass.limits import KIB, SINK_BACKOFF_SECONDS, SINK_BATCH_LINES, SINK_POLL_SECONDS
from leadglass.poster import Undelivered
from leadglass.telemetry import metrics
from support.clock import FakeClock

BODY = b'"type":"event","kind":"x","fields":{}'


class Memory:
    """A receiver in memory that does as it is told."""

    name = "memory"

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.fault: Exception | None = None
        self.closed = False

    def encode(self, lines: list[bytes]) -> bytes:
        return b"".join(lines)

    async def send(self, batch: bytes) -> None:
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        self.got.append(batch)

    async def close(self) -> None:
        self.closed = True


def write(file: Path, count: int) -> bytes:
    writer = Writer(file, rotate=64 * KIB, clock=FakeClock())
    for _ in range(count):
        writer.append(BODY)
    writer.close()
    return b"".join(path.read_bytes() for path in segments(file))


def open_pump(file: Path, sink: Memory) -> Pump:
    return Pump(file, sink, lambda: None)


async def drain(pump: Pump) -> None:
    while await pump.step() == 0.0:
        pass


async def test_everything_arrives_once_and_in_order(tmp_path: Path) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    whole = write(file, 700)
    pump = open_pump(file, sink)
    await drain(pump)
    assert b"".join(sink.got) == whole
    assert metrics.SINK_LAG.values["memory",] == 0


async def test_a_new_process_goes_on_where_the_old_one_stopped(tmp_path: Path) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    write(file, 100)
    await drain(open_pump(file, sink))
    whole = write(file, 600)
    await drain(open_pump(file, sink))
    assert b"".join(sink.got) == whole


async def test_a_refused_batch_is_kept_and_sent_later_with_growing_pauses(tmp_path: Path) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    whole = write(file, 100)
    pump = open_pump(file, sink)
    sink.fault = Undelivered("it answered 500")
    pauses = [await pump.step() for _ in range(12)]
    assert all(
        0.5 * base <= pause <= base for pause, base in zip(pauses, (0.5, 1, 2, 4, 8, 16, 32, 60, 60), strict=False)
    )
    assert max(pauses) <= SINK_BACKOFF_SECONDS
    assert metrics.SINK_LAG.values["memory",] == len(whole)
    sink.fault = None
    await drain(pump)
    assert b"".join(sink.got) == whole
    sink.fault = Undelivered("busy", after=20)
    write(file, 1)
    assert await pump.step() >= 20


async def test_too_large_a_batch_is_halved_until_it_fits(tmp_path: Path) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    whole = write(file, 50)
    pump = open_pump(file, sink)
    sink.fault = Undelivered("it answered 413", smaller=True)
    for _ in range(8):
        await pump.step()
    assert pump._most_lines == max(1, SINK_BATCH_LINES // 2**8)
    sink.fault = None
    await drain(pump)
    assert b"".join(sink.got) == whole
    assert len(sink.got) > 1


async def test_a_stop_between_send_and_cursor_repeats_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    whole = write(file, 20)

    def killed(*_: object) -> None:
        raise OSError("stopped here")

    with monkeypatch.context() as broken:
        broken.setattr(pumping, "save_cursor", killed)
        assert await open_pump(file, sink).step() > 0
    await drain(open_pump(file, sink))
    assert sink.got == [whole, whole]


async def test_a_cancellation_while_sending_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    whole = write(file, 20)
    sending = asyncio.Event()

    class Slow(Memory):
        async def send(self, batch: bytes) -> None:
            assert batch == whole
            sending.set()
            await asyncio.Event().wait()

    slow = Slow()
    task = asyncio.ensure_future(open_pump(file, slow).run())
    await sending.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.closed
    sink = Memory()
    await drain(open_pump(file, sink))
    assert b"".join(sink.got) == whole


async def test_a_record_begun_anew_is_sent_from_its_beginning(tmp_path: Path) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    write(file, 20)
    pump = open_pump(file, sink)
    await drain(pump)
    file.unlink()
    whole = write(file, 3)
    sink.got.clear()
    assert await pump.step() > 0  # it says so first
    await drain(pump)
    assert b"".join(sink.got) == whole


@pytest.mark.parametrize("text", ["", "{", "[]", '{"chain":1}', '{"chain":"x","first":"y","offset":0}'])
def test_a_cursor_that_cannot_be_read_begins_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cursor"
    path.write_text(text)
    assert load_cursor(path) == Position()


def test_a_cursor_is_replaced_whole(tmp_path: Path) -> None:
    path = beside(tmp_path / "r.jsonl", "cursor-x")
    save_cursor(path, Position("abc", 1, 10))
    save_cursor(path, Position("abc", 7, 20))
    assert load_cursor(path) == Position("abc", 7, 20)
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208 - names are all that is asked


class Small(Memory):
    """A receiver that takes batches up to a size, if any."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def encode(self, lines: list[bytes]) -> bytes:
        return b"[" + b"".join(lines) + b"]"

    async def send(self, batch: bytes) -> None:
        if len(batch) > self.most:
            raise Undelivered("it answered 413", smaller=True)
        await super().send(batch)


def write_one_large(file: Path) -> None:
    write(file, 5)
    writer = Writer(file, rotate=64 * KIB, clock=FakeClock())
    writer.append(b'"type":"event","kind":"%b"' % (b"x" * 2_000))
    writer.close()
    write(file, 5)


async def until_it_rests(pump: Pump) -> None:
    for _ in range(30):
        if await pump.step() == SINK_POLL_SECONDS:
            return
    raise AssertionError("it goes on for ever")


async def test_a_line_too_large_by_itself_is_set_aside_loudly_and_the_others_arrive_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, sink, said = tmp_path / "r.jsonl", Small(1_000), list[tuple[str, object]]()
    write_one_large(file)
    before = metrics.SINK_SET_ASIDE.values.get(("memory",), 0)
    pump = Pump(file, sink, lambda: None, lambda kind, fields: said.append((kind, fields)))
    await until_it_rests(pump)
    lines = file.read_bytes().splitlines(keepends=True)
    assert b"".join(batch[1:-1] for batch in sink.got) == b"".join(lines[:5] + lines[6:])
    assert said == [("sink-line-set-aside", {"sink": "memory", "line": "6", "bytes": len(lines[5])})]
    assert metrics.SINK_SET_ASIDE.values["memory",] == before + 1
    assert "line 6" in caplog.text
    await until_it_rests(Pump(file, sink, lambda: None))
    assert len(said) == 1, "the cursor is behind it"


async def test_who_takes_nothing_at_all_loses_nothing(tmp_path: Path) -> None:
    file, sink, said = tmp_path / "r.jsonl", Small(1), list[object]()
    write_one_large(file)
    pump = Pump(file, sink, lambda: None, lambda *event: said.append(event))
    for _ in range(30):
        assert await pump.step() > 0
    assert said == []
    sink.most = KIB * KIB
    await until_it_rests(pump)
    assert b"".join(batch[1:-1] for batch in sink.got) == file.read_bytes()


async def test_a_notice_is_never_set_aside(tmp_path: Path) -> None:
    file, sink = tmp_path / "r.jsonl", Memory()
    write(file, 1)
    sink.fault = Undelivered("it answered 413", smaller=True)
    pump = open_pump(file, sink)
    for _ in range(10):
        assert await pump.step() > 0
    sink.fault = None
    await until_it_rests(pump)
    assert b"".join(sink.got) == file.read_bytes()
