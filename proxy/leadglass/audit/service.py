"""The record as the rest of the gateway sees it: scopes, events, and the work that goes on behind them.

Behind: fsync in groups, signed heads, sums of leases, the count of noise, the watermark of the disk, and a probe that
opens the record again after a fault. Nobody who writes waits for any of it, unless `durability: strict` says so.
"""

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import orjson

from leadglass.audit import records
from leadglass.audit.chain import beside
from leadglass.audit.ids import Ulids
from leadglass.audit.noise import Noise
from leadglass.audit.scope import Locate, Scope
from leadglass.audit.settings import AuditSettings, NoticesSettings
from leadglass.audit.sinks.pump import Pump
from leadglass.audit.sinks.registry import make, make_notices
from leadglass.audit.sums import Sums
from leadglass.audit.writer import Pressure, SyncJob, Unwritable, Writer
from leadglass.clock import Clock, rfc3339
from leadglass.hazmat.hashchain import HeadKey
from leadglass.limits import RECORD_HEAD_SECONDS, RECORD_PENDING, RECORD_SYNC_SECONDS, RECORD_TICK_SECONDS
from leadglass.model.errors import ConfigurationError, refuse
from leadglass.model.reasons import Code
from leadglass.model.request import Incoming
from leadglass.tasks import Tasks
from leadglass.telemetry import metrics

_log = logging.getLogger("leadglass.audit")
_LEVELS: dict[Pressure, float] = {"ok": 0, "warn": 1, "critical": 2, "reserve": 3}


def _to_stdout(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


class Audit:
    """The record of one process. `open` takes the file, `start` begins the work behind, `close` ends both."""

    def __init__(
        self, settings: AuditSettings, writer: Writer, key: HeadKey, *, clock: Clock, publish: Callable[[bytes], None]
    ) -> None:
        self.clock, self.settings, self._writer, self._key, self._publish = clock, settings, writer, key, publish
        self.strict = settings.durability == "strict"
        self.locate: Locate = lambda _: (None, None)
        self.noise, self.sums = Noise(settings.anonymous_per_minute), Sums()
        self.observes: Callable[[], float | None] = lambda: None  # until when refusals are let through
        self._ulids = Ulids(clock)
        self._pending: deque[bytes] = deque()
        self._refused_meanwhile = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._publisher: Thread | None = None  # a daemon: a stdout that nobody reads must not hold up the exit
        self._wake, self._synced = asyncio.Event(), asyncio.Event()
        self._head_at, self._head_seq = clock.monotonic(), -1
        self._tasks = Tasks()
        self._sync_lock, self._rotating = asyncio.Lock(), asyncio.Lock()

    @classmethod
    def open(cls, settings: AuditSettings, *, clock: Clock, publish: Callable[[bytes], None] = _to_stdout) -> "Audit":
        """Take the record: lock it, set a torn tail aside, read or make the head key, write the first event.

        `publish` gets every signed head as a line (stdout, by design). Needs a running event loop.
        Raises ConfigurationError when the file cannot be used or another process writes it.
        """
        writer = Writer(settings.file, rotate=settings.rotate, clock=clock)
        key_file = beside(settings.file, "key")
        try:
            key = HeadKey.load_or_make(key_file, beside(settings.file, "pub"))
        except (OSError, ValueError) as error:
            writer.close()
            raise ConfigurationError(
                f"cannot use the key of the record {key_file}: {error}", hint="it must be readable by its owner alone"
            ) from error
        audit = cls(settings, writer, key, clock=clock, publish=publish)
        fields: dict[str, Any] = {"chain": writer.chain.id, "after": writer.chain.seq, "key": key.id}
        for torn in writer.torn:
            _log.warning("a torn tail of %d bytes was set aside in %s", torn.bytes, torn.path)
        if writer.torn:
            fields["torn"] = [
                {"bytes": torn.bytes, "sha256": torn.sha256, "file": torn.path.name} for torn in writer.torn
            ]
        audit.write_end(records.event("record-opened", fields, clock.now()))
        audit._tell_restored()
        return audit

    def _tell_restored(self) -> None:
        """Write down that this gateway was restored from a backup, once the record can be written."""
        note = beside(self.settings.file, "restored")
        try:
            said = orjson.loads(note.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self._writer.close()
            raise ConfigurationError(
                f"cannot read {note}: {error}", hint="move it away; it tells of a restore"
            ) from None
        self.write(records.event("restored", said, self.clock.now()))
        self._flush()
        note.unlink()
        _log.warning("restored from the backup of %s", said.get("made"))

    def _flush(self) -> None:
        """Put what is written on disk, at the start, when nobody waits yet. Raises ConfigurationError."""
        job = self._writer.prepare_sync()
        if job is None:
            return
        try:
            job.run()
        except OSError as error:
            self._writer.close()
            raise ConfigurationError(f"cannot put {self.settings.file} on disk: {error.strerror}") from None
        self._writer.finish_sync(job, None)

    def start(self, notices: NoticesSettings | None = None) -> None:
        """Begin the work behind. `notices` says who is told of emergencies. Raises ConfigurationError when a receiver cannot be set up."""
        self._tasks.spawn(self._sync_forever(), name="audit-sync")
        self._tasks.spawn(self._tick_forever(), name="audit-tick")
        told = [] if notices is None else make_notices(notices, self.clock)
        for sink in [*(make(settings) for settings in self.settings.sinks), *told]:
            pump = Pump(self.settings.file, sink, self._writer.on_disk, self.note)
            self._tasks.spawn(pump.run(), name=f"audit-{sink.name}")
        metrics.AUDIT_LINES.watch((), lambda: self._writer.written)
        metrics.AUDIT_WRITABLE.watch((), lambda: float(self.available))
        metrics.AUDIT_PRESSURE.watch((), lambda: _LEVELS[self.pressure])

    @property
    def available(self) -> bool:
        """Whether the record can be written; while it cannot, every request is refused."""
        return self._writer.fault is None

    @property
    def pressure(self) -> Pressure:
        """How full the disk is: what `context.degraded` says of it (access/degraded.py)."""
        return self._writer.pressure

    def public_key(self) -> bytes:
        """Return the public key that heads verify against, in PEM."""
        return self._key.public_pem()

    def public_jwk(self) -> dict[str, object]:
        """Return the public key that heads verify against, as a JWK."""
        return self._key.public_jwk()

    async def rotate_key(self, by: Mapping[str, Any]) -> dict[str, Any]:
        """Sign heads by a new key from now on. The old one signs that last, so whoever trusts it can trust the new one.

        Raises Refusal `audit-unavailable`.
        """
        file, public = beside(self.settings.file, "key"), beside(self.settings.file, "pub")
        async with self._rotating:  # two at once would leave another key in the file than signs
            try:
                key = HeadKey.following(file, public)
                said = {"from": self._key.id, "to": key.id, "public": key.public}
                self.write(records.event("record-key-rotated", {**said, "by": by}, self.clock.now()))
                if not self._sign():
                    raise refuse(
                        Code.AUDIT_UNAVAILABLE, self._writer.fault or "the old key cannot vouch for the new one"
                    )
                await self.on_disk()
                HeadKey.take_place(file)
            except OSError as error:
                raise refuse(Code.AUDIT_UNAVAILABLE, f"the key of the record: {error.strerror}") from None
            self._key, self._head_seq = key, -1
            self._sign()
            await self.on_disk()
        return said

    def scope(self, incoming: Incoming) -> Scope:
        """Open the scope of one exchange."""
        return Scope(self, incoming, self._ulids())

    def check(self) -> None:
        """Raise Refusal `audit-unavailable` while nothing can be written."""
        if self._writer.fault is not None:
            self._refused_meanwhile += 1
            raise refuse(Code.AUDIT_UNAVAILABLE, self._writer.fault)

    def write(self, body: bytes) -> None:
        """Write a line. Raises Refusal `audit-unavailable`."""
        try:
            self._writer.append(body)
        except Unwritable as error:
            self._refused_meanwhile += 1
            raise refuse(Code.AUDIT_UNAVAILABLE, str(error)) from error

    def write_end(self, body: bytes) -> None:
        """Write a line that nobody can be refused over any more; kept for later while the record is closed."""
        try:
            self._writer.append(body)
        except Unwritable:
            if len(self._pending) < RECORD_PENDING:
                self._pending.append(body)
            else:
                metrics.AUDIT_LOST.add()

    async def record_event(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write an event (model.ports.EventSink). Raises Refusal `audit-unavailable`."""
        self.write(records.event(kind, fields, self.clock.now()))
        if self.strict:
            await self.on_disk()

    def note(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write an event that nothing waits for: a start, a stop, a reload. Kept for later while the record is closed."""
        self.write_end(records.event(kind, fields, self.clock.now()))

    async def on_disk(self) -> None:
        """Wait until everything written so far is on disk. Raises Refusal `audit-unavailable` when that fails."""
        target = self._writer.written
        while self._writer.durable < target:
            if self._writer.fault is not None:
                raise refuse(Code.AUDIT_UNAVAILABLE, self._writer.fault)
            self._synced.clear()
            self._wake.set()
            await self._synced.wait()

    async def _sync_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), RECORD_SYNC_SECONDS)
            self._wake.clear()
            await self.sync()

    async def sync(self) -> None:
        """Put what is written on disk. A failure closes the record and is told to everyone who waits."""
        async with self._sync_lock:
            job = self._writer.prepare_sync() if self._writer.fault is None else None
            if job is not None:
                await self._run(job)
            self._synced.set()

    async def _run(self, job: SyncJob) -> None:
        error: OSError | None = None
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, job.run)
        except OSError as failed:
            error = failed
            _log.critical("the record cannot be put on disk: %s", failed.strerror)
        self._writer.finish_sync(job, error)

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(RECORD_TICK_SECONDS)
            await self.tick()

    async def tick(self) -> None:
        """Do what is due: probe, measure, sums, noise, head."""
        before = self._writer.pressure
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.measure)
        if self._writer.pressure != before:
            _log.warning("the disk under the record is %s", self._writer.pressure)
            self.write_end(records.event("disk-pressure", {"level": self._writer.pressure}, self.clock.now()))
        if self._writer.fault is not None:
            await self._probe()
        self._settle(final=False)
        if self.clock.monotonic() - self._head_at >= RECORD_HEAD_SECONDS:
            self._sign()

    async def _probe(self) -> None:
        """Try to write again. The event that says so is the test: it fails, and the record stays closed."""
        fault = self._writer.fault
        async with self._sync_lock:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.repair)
            except OSError:
                return
            self._writer.fault = None
            fields = {"fault": fault, "refused_meanwhile": self._refused_meanwhile}
            try:
                self._writer.append(records.event("record-reopened", fields, self.clock.now()))
            except Unwritable:
                return
            self._refused_meanwhile = 0
            while self._pending and self._writer.fault is None:
                body = self._pending.popleft()
                self.write_end(body)
        await self.sync()
        if self._writer.fault is None:
            _log.warning("the record is written again")

    def _settle(self, *, final: bool) -> None:
        monotonic, now = self.clock.monotonic(), self.clock.now()
        for name, total in self.sums.take(monotonic, final=final):
            self.write_end(records.lease_sum(name, now, total.uses, total.bytes, total.milliseconds))
        if (fields := self.noise.summary(monotonic, final=final)) is not None:
            self.write_end(records.event("refusals-counted", fields, now))

    def _sign(self) -> bool:
        """Write a signed head, unless nothing has happened since the last one; return whether it was."""
        self._head_at = self.clock.monotonic()
        chain = self._writer.chain
        if chain.seq == self._head_seq or self._writer.fault is not None:
            return False
        now, seq, last = self.clock.now(), chain.seq, chain.hash
        signature = self._key.sign(chain.id, seq, last, rfc3339(now))
        try:
            line = self._writer.append(records.head(now, (seq, last), self._key.id, signature))
        except Unwritable:
            return False
        self._head_seq = chain.seq
        self._send(line)
        return True

    def _send(self, line: bytes) -> None:
        """Hand a head to whoever collects stdout, without ever waiting for them: a full pipe skips heads."""
        if self._publisher is None or not self._publisher.is_alive():
            self._publisher = Thread(target=_say, args=(self._publish, line), name="audit-head", daemon=True)
            self._publisher.start()

    async def close(self) -> None:
        """Write what is still summed and counted, a last head, and put everything on disk."""
        await self._tasks.close()
        self._settle(final=True)
        self.write_end(records.event("record-closed", {}, self.clock.now()))
        self._sign()
        await self.sync()
        if self._publisher is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._publisher.join, RECORD_TICK_SECONDS)
        self._thread.shutdown(wait=True)
        self._writer.close()


def _say(publish: Callable[[bytes], None], line: bytes) -> None:
    try:
        publish(line)
    except (OSError, ValueError) as error:  # ValueError: stdout was closed
        _log.error("a signed head could not be published: %s", type(error).__name__)
