import asyncio
import contextlib
import errno
import os
import threading
from pathlib import Path

import orjson
import pytest

from leadglass.audit.chain import beside
from leadglass.audit.records import event
from leadglass.audit.scope import Scope
from leadglass.audit.verify import given_heads, verify
from leadglass.hazmat.hashchain import HeadKeys
from leadglass.limits import KIB, RECORD_PENDING
from leadglass.model.errors import ConfigurationError, Refusal
from leadglass.model.ports import EventSink
from leadglass.telemetry import metrics
from support import record
from support.clock import FakeClock

END = event("late", {}, 0.0)


async def settle(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - threads set no asyncio.Event
            await asyncio.sleep(0.01)


async def test_start_and_stop_leave_a_whole_signed_record(tmp_path: Path) -> None:
    heads: list[bytes] = []
    audit = record.audit(tmp_path, heads=heads)
    audit.start()
    sink: EventSink = audit
    await sink.record_event("device-enrolled", {"device": "d1"})
    await audit.close()
    kinds = [line.get("kind", line["type"]) for line in record.read(tmp_path)]
    assert kinds == ["record-opened", "device-enrolled", "record-closed", "head"]
    keys = HeadKeys.from_pem(audit.public_key())
    (tmp_path / "heads").write_bytes(b"".join(heads))
    assert len(heads) == 1
    verdict = verify(tmp_path / "decisions.jsonl", keys, given_heads(tmp_path / "heads", keys))
    assert (verdict.heads, verdict.after_head) == (1, 0)


async def test_a_head_is_signed_every_ten_seconds_when_something_was_written(tmp_path: Path) -> None:
    clock = FakeClock()
    heads: list[bytes] = []
    audit = record.audit(tmp_path, clock, heads)
    for seconds, expected in ((9, 0), (1, 1), (10, 1), (10, 1)):
        clock.advance(seconds)
        await audit.tick()
        await settle(lambda: audit._publisher is None or not audit._publisher.is_alive())
        assert len(heads) == expected
    audit.write(END)
    clock.advance(10)
    await audit.tick()
    await settle(lambda: len(heads) == 2)
    assert orjson.loads(heads[1])["signed"]["seq"] == orjson.loads(heads[1])["seq"] - 1
    await audit.close()


async def test_a_reader_of_stdout_that_hangs_delays_nothing(tmp_path: Path) -> None:
    free, clock = threading.Event(), FakeClock()
    audit = record.audit(tmp_path, clock)
    published: list[bytes] = []

    def hang(line: bytes) -> None:
        free.wait()
        published.append(line)

    audit._publish = hang
    for _ in range(3):
        audit.write(END)
        clock.advance(10)
        await audit.tick()
    assert len(record.of_type(tmp_path, "head")) == 3
    free.set()
    await audit.close()
    assert len(published) in {1, 2}


async def test_fsync_comes_within_the_group_interval(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    audit.start()
    audit.write(END)
    await settle(lambda: audit._writer.durable == audit._writer.written)
    await audit.close()


async def test_a_failed_fsync_closes_admission_until_a_probe_has_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = record.audit(tmp_path, durability="strict")
    audit.start()
    real = os.fsync

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(Refusal, match="audit-unavailable"):
        await audit.record_event("x", {})
    assert not audit.available
    with pytest.raises(Refusal, match="audit-unavailable"):
        audit.scope(record.incoming()).admit()
    await audit.tick()
    assert not audit.available
    audit.write_end(END)  # an exchange ends meanwhile
    monkeypatch.setattr(os, "fsync", real)
    await audit.tick()
    assert audit._writer.fault is None
    kinds = [line.get("kind") for line in record.of_type(tmp_path, "event")]
    assert kinds[-2:] == ["record-reopened", "late"]
    await audit.record_event("y", {})
    await audit.close()
    verify(tmp_path / "decisions.jsonl", HeadKeys.from_pem(audit.public_key()))


async def decide(scope: Scope) -> None:
    scope.admit()
    await scope.decided(record.question(), record.allow(scope.decision_id, asked=record.question(), lease=0))


def fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as stream:
        while stream.write(bytes(KIB)):
            pass


async def test_a_full_disk_refuses_every_request_until_there_is_room(small_disk: Path) -> None:
    audit = record.audit(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 150 * KIB)
    allowed = 0
    refusal: Refusal | None = None
    while refusal is None:
        scope = audit.scope(record.incoming())
        async with scope:
            try:
                await decide(scope)
                allowed += 1
                scope.finished(200, 1)
            except Refusal as full:
                refusal = await scope.refused(full)
    assert refusal.causes[0].reason.code == "audit-unavailable"
    fill(small_disk / "rest")
    await audit.tick()  # may find room for the short line of an event in the last page, and for no decision
    scope = audit.scope(record.incoming())
    async with scope:
        with pytest.raises(Refusal) as again:
            await decide(scope)
        await scope.refused(again.value)
    assert len(record.of_type(small_disk, "decision")) == allowed
    ballast.unlink()
    (small_disk / "rest").unlink()
    await audit.tick()
    scope = audit.scope(record.incoming())
    async with scope:
        scope.admit()
        await scope.decided(record.question(), record.allow(scope.decision_id))
    await audit.close()
    assert len(record.of_type(small_disk, "completion")) == allowed + 1  # the late ones too
    verify(audit.settings.file, HeadKeys.from_pem(audit.public_key()))


async def test_a_stdout_that_was_closed_is_no_fault(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)

    def closed(_: bytes) -> None:
        raise BrokenPipeError

    audit._publish = closed
    audit.write(END)
    await audit.close()
    assert record.read(tmp_path)[-1]["type"] == "head"


async def test_completions_kept_meanwhile_are_bounded_and_the_loss_is_counted(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    audit._writer.fault = "full"
    before = metrics.AUDIT_LOST.values.get((), 0)
    for _ in range(RECORD_PENDING + 5):
        audit.write_end(END)
    assert metrics.AUDIT_LOST.values[()] - before == 5
    await audit.tick()
    reopened = [line for line in record.of_type(tmp_path, "event") if line["kind"] == "record-reopened"]
    assert reopened[0]["fields"]["fault"] == "full"
    assert len([line for line in record.of_type(tmp_path, "event") if line["kind"] == "late"]) == RECORD_PENDING
    await audit.close()


async def test_a_torn_tail_is_an_event(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    await audit.close()
    file = tmp_path / "decisions.jsonl"
    with file.open("ab") as tail:
        tail.write(b'{"seq":9,"v":1')
    audit = record.audit(tmp_path)
    opened = record.read(tmp_path)[-1]
    assert opened["kind"] == "record-opened"
    assert opened["fields"]["torn"][0]["bytes"] == 14
    assert beside(file, "torn-000000000003").exists()
    await audit.close()
    verify(file, HeadKeys.from_pem(audit.public_key()))


async def test_a_clock_that_steps_back_changes_no_order(tmp_path: Path) -> None:
    clock = FakeClock()
    audit = record.audit(tmp_path, clock)
    ids = []
    for _ in range(3):
        scope = audit.scope(record.incoming())
        async with scope:
            await scope.decided(record.question(), record.allow(scope.decision_id))
        ids.append(scope.decision_id)
        clock.step(-3600)
    await audit.close()
    lines = record.of_type(tmp_path, "decision")
    assert [line["decision_id"] for line in lines] == ids == sorted(ids)
    assert lines[0]["timestamp"] > lines[2]["timestamp"]
    verify(tmp_path / "decisions.jsonl", HeadKeys.from_pem(audit.public_key()))


async def test_pressure_is_told_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = record.audit(tmp_path)
    audit._writer.pressure = "ok"

    class Disk:
        f_blocks, f_bfree, f_bavail, f_frsize = 10**9, 15 * 10**7, 15 * 10**7, 4096

    monkeypatch.setattr(os, "statvfs", lambda _: Disk)
    await audit.tick()
    assert audit.pressure == "warn"
    assert record.read(tmp_path)[-1]["fields"] == {"level": "warn"}
    await audit.close()


async def test_a_second_gateway_is_refused_and_the_key_must_be_private(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    with pytest.raises(ConfigurationError, match="another process"):
        record.audit(tmp_path)
    await audit.close()
    beside(tmp_path / "decisions.jsonl", "key").chmod(0o644)
    with pytest.raises(ConfigurationError, match="key of the record"):
        record.audit(tmp_path)
    beside(tmp_path / "decisions.jsonl", "key").chmod(0o600)
    await record.audit(tmp_path).close()


async def test_a_note_is_written_when_it_can_be(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    audit._writer.fault = "full"
    audit.note("stopped", {})
    await audit.tick()
    assert record.read(tmp_path)[-1]["kind"] == "stopped"
    await audit.close()


async def test_metrics_show_the_state(tmp_path: Path) -> None:
    audit = record.audit(tmp_path)
    audit.start()
    assert b"leadglass_audit_writable 1.0" in metrics.render()
    audit._writer.fault = "full"
    assert b"leadglass_audit_writable 0.0" in metrics.render()
    audit._writer.fault = None
    await audit.close()


async def test_the_key_rotates_and_the_old_one_vouches_for_the_new(tmp_path: Path) -> None:
    heads: list[bytes] = []
    opened = record.audit(tmp_path, heads=heads)
    opened.start()
    trusted = HeadKeys.from_pem(opened.public_key())  # all that somebody kept elsewhere
    said = await opened.rotate_key({"uid": 0, "user": "root"})
    assert said["from"] in trusted.keys
    assert said["to"] not in trusted.keys
    await opened.close()
    signers = [line["key"] for line in record.of_type(tmp_path, "head")]
    assert signers[0] == said["from"]
    assert set(signers[1:]) == {said["to"]}
    assert verify(tmp_path / "decisions.jsonl", trusted).heads == len(signers)
    again = record.audit(tmp_path)
    assert again.public_jwk()["kid"] == said["to"], "it is the key of the next start"
    await again.close()
    assert len(HeadKeys.from_pem((tmp_path / "decisions.jsonl.pub").read_bytes()).keys) == 2


async def test_a_restore_is_told_of_once(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl.restored").write_text('{"made": "2026-11-01T00:00:00Z", "older": "disk"}')
    for _ in range(2):
        await record.audit(tmp_path).close()
    events = [line["fields"] for line in record.of_type(tmp_path, "event") if line["kind"] == "restored"]
    assert events == [{"made": "2026-11-01T00:00:00Z", "older": "disk"}]


async def test_a_note_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl.restored").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot read"):
        record.audit(tmp_path)
    (tmp_path / "decisions.jsonl.restored").unlink()
    await record.audit(tmp_path).close()  # the record was let go of


async def test_the_note_of_a_restore_goes_once_its_line_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, real = tmp_path / "decisions.jsonl.restored", os.fsync
    note.write_text('{"made": "2026-11-01T00:00:00Z"}')

    def fsync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().name == "decisions.jsonl":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ConfigurationError, match="on disk"):
            record.audit(tmp_path)
        assert note.exists()
    await record.audit(tmp_path).close()
    assert not note.exists()


async def test_of_two_rotations_at_once_each_is_whole(tmp_path: Path) -> None:
    opened = record.audit(tmp_path)
    trusted = HeadKeys.from_pem(opened.public_key())
    opened.start()
    said = await asyncio.gather(*(opened.rotate_key({}) for _ in range(3)))
    assert [one["from"] for one in said[1:]] == [one["to"] for one in said[:-1]]
    assert opened.public_jwk()["kid"] == said[-1]["to"]
    await opened.close()
    again = record.audit(tmp_path)
    assert again.public_jwk()["kid"] == said[-1]["to"], "the key in the file is the one that signs"
    await again.close()
    verify(tmp_path / "decisions.jsonl", trusted)


async def test_no_key_follows_that_the_old_one_did_not_vouch_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = record.audit(tmp_path)
    opened.start()
    before = opened.public_jwk()
    monkeypatch.setattr(opened, "_sign", lambda: False)
    with pytest.raises(Refusal, match="audit-unavailable"):
        await opened.rotate_key({})
    assert opened.public_jwk() == before
    monkeypatch.undo()
    await opened.close()
