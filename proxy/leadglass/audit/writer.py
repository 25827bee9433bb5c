"""The one writer of the record: a line is in the file before `append` returns.

Every call but `SyncJob.run`, `repair`, `measure` and `on_disk` belongs to the event loop's thread. A line that the disk does not take is cut
off again, so the chain in the file is always whole. After a failed fsync the kernel may have dropped pages that it
calls clean (https://lwn.net/Articles/752063/), so lines are kept in memory until one succeeded and are written again
before the record is trusted once more.
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from leadglass.audit import chain as files
from leadglass.audit.records import event
from leadglass.clock import Clock
from leadglass.hazmat.files import sync_folder
from leadglass.hazmat.hashchain import Chain, new_chain_id
from leadglass.limits import (
    MIB,
    RECORD_CRITICAL_SHARE,
    RECORD_LINE_BYTES,
    RECORD_RESERVE_BYTES,
    RECORD_UNSYNCED_BYTES,
    RECORD_WARN_SHARE,
)
from leadglass.model.errors import ConfigurationError

Pressure = Literal["ok", "warn", "critical", "reserve"]
_FRAME_BYTES = 256  # what the chain adds to a body, at most
_OPEN = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Unwritable(Exception):
    """A line could not be written; the file is as it was before. The message says why."""


@dataclass(slots=True)
class _Segment:
    """One open file: its size, and the lines that no fsync has covered yet."""

    fd: int
    path: Path
    first: int  # seq of its first line
    size: int
    kept: list[bytes] = field(default_factory=list)
    kept_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SyncJob:
    """What one fsync covers: the first `lines` kept lines of each file, everything up to line number `upto`."""

    parts: tuple[tuple[_Segment, int], ...]
    upto: int
    folder: Path | None

    def run(self) -> None:
        """Put it on disk. Runs in a thread. Raises OSError."""
        for segment, _ in self.parts:
            os.fsync(segment.fd)
        if self.folder is not None:
            sync_folder(self.folder)


class Writer:
    """Appends lines to the chain. `fault` says why nothing is written, None while all is well."""

    def __init__(self, file: Path, *, rotate: int, clock: Clock) -> None:
        self.file, self._rotate_bytes, self._clock = file, rotate, clock
        self.fault: str | None = None
        self.pressure: Pressure = "ok"
        self.written = 0  # lines this process has appended
        self.durable = 0  # of these, on disk
        self._retired: list[_Segment] = []
        self._folder_dirty = False
        self._cut_needed = False
        self._lock = files.take_lock(file)
        try:
            standing = files.recover(file)
            last = standing.last
            self.chain = Chain(last.chain, last.seq, last.hash) if last else Chain(new_chain_id())
            self._current = _Segment(
                os.open(file, _OPEN, 0o600), file, standing.first or self.chain.seq + 1, standing.size
            )
            os.fchmod(self._current.fd, 0o600)
            files.beside(file, "next").unlink(missing_ok=True)
            sync_folder(file.parent)
        except OSError as error:
            os.close(self._lock)
            raise ConfigurationError(f"cannot open the record {file}: {error.strerror}") from error
        except ConfigurationError:
            os.close(self._lock)
            raise
        self._rotate_at = rotate
        self.torn = standing.torn
        self.measure()

    def append(self, body: bytes) -> bytes:
        """Write one line around `body` (the members of a JSON object without its braces) and return it.

        Raises Unwritable.
        """
        if self.fault is not None:
            raise Unwritable(self.fault)
        size = len(body) + _FRAME_BYTES
        if size > RECORD_LINE_BYTES:
            raise Unwritable(f"a line of {size} bytes is longer than {RECORD_LINE_BYTES}")
        if self._current.size + size > self._rotate_at and self._current.size:
            self._rotate()
        return self._write(body)

    def _write(self, body: bytes) -> bytes:
        segment, line = self._current, self.chain.seal(body)
        if segment.kept_bytes > RECORD_UNSYNCED_BYTES:
            raise Unwritable("the disk does not keep up")
        try:
            done = os.write(segment.fd, line)
            while done < len(line):  # a short write is what a filling disk answers first
                done += os.write(segment.fd, memoryview(line)[done:])
        except OSError as error:
            self._cut(error)
            raise Unwritable(f"cannot write {self.file}: {error.strerror}") from error
        self.chain.advance()
        segment.kept.append(line)
        segment.kept_bytes += done
        segment.size += done  # last: a thread that asks `on_disk` in between is told too little, never too much
        self.written += 1
        return line

    def _cut(self, error: OSError) -> None:
        self.fault = f"cannot write {self.file}: {error.strerror}"
        try:
            os.ftruncate(self._current.fd, self._current.size)
        except OSError:
            self._cut_needed = True  # repair tries again before anything else is written

    def _rotate(self) -> None:
        """Begin a new file. When that fails the old one goes on: a file that grows too large refuses nobody."""
        old, following = self._current, files.beside(self.file, "next")
        name = files.rotated_name(self.file, old.first)
        handle = -1
        try:
            following.unlink(missing_ok=True)
            handle = os.open(following, _OPEN | os.O_EXCL, 0o600)
            self.file.rename(name)
            following.rename(self.file)
        except OSError:
            if handle >= 0:
                os.close(handle)
            with contextlib.suppress(OSError):  # else the next start finds the chain's end in the rotated file
                if not self.file.exists():
                    name.rename(self.file)
            self._rotate_at = old.size + MIB
            return
        old.path = name
        self._retired.append(old)
        self._current = _Segment(handle, self.file, self.chain.seq + 1, 0)
        self._rotate_at, self._folder_dirty = self._rotate_bytes, True
        fields = {
            "previous": name.name,
            "previous_hash": self.chain.hash,
            "previous_lines": self.chain.seq - old.first + 1,
        }
        self._write(event("rotated", fields, self._clock.now()))

    def prepare_sync(self) -> SyncJob | None:
        """Return what an fsync should cover now, None when everything is on disk."""
        parts = tuple((segment, len(segment.kept)) for segment in (*self._retired, self._current) if segment.kept)
        if not parts and not self._folder_dirty:
            return None
        return SyncJob(parts, self.written, self.file.parent if self._folder_dirty else None)

    def finish_sync(self, job: SyncJob, error: OSError | None) -> None:
        """Take note of how the fsync went. A failed one closes the record until `repair`."""
        if error is not None:
            self.fault = f"cannot put {self.file} on disk: {error.strerror}"
            return
        for segment, lines in job.parts:
            segment.kept_bytes -= sum(map(len, segment.kept[:lines]))
            del segment.kept[:lines]
        if job.folder is not None:
            self._folder_dirty = False
        self.durable = job.upto
        for segment in [segment for segment in self._retired if not segment.kept]:
            os.close(segment.fd)
            self._retired.remove(segment)

    def on_disk(self) -> tuple[int, int]:
        """Return how far the record is on disk: the first line of a file, and a size in it."""
        for segment in (*self._retired, self._current):
            if segment.kept:
                return segment.first, segment.size - segment.kept_bytes
        return self._current.first, self._current.size

    def repair(self) -> None:
        """Make the files whole again after a fault: runs in a thread while nothing else writes. Raises OSError.

        The caller clears `fault` when it returns; the next `append` is the proof.
        """
        if self._cut_needed:
            os.ftruncate(self._current.fd, self._current.size)
            self._cut_needed = False
        for segment in (*self._retired, self._current):
            handle = os.open(segment.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)  # O_APPEND would ignore offsets
            try:
                data, offset = b"".join(segment.kept), segment.size - segment.kept_bytes
                while data:
                    count = os.pwrite(handle, data, offset)
                    data, offset = data[count:], offset + count
                os.fsync(handle)
            finally:
                os.close(handle)

    def measure(self) -> None:
        """Look at how full the disk is and set `pressure`."""
        try:
            disk = os.statvfs(self.file.parent)
        except OSError:
            self.pressure = "reserve"
            return
        used, free = disk.f_blocks - disk.f_bfree, disk.f_bavail
        share = used / (used + free) if used + free else 1.0
        if free * disk.f_frsize <= RECORD_RESERVE_BYTES:
            self.pressure = "reserve"
        elif share >= RECORD_CRITICAL_SHARE:
            self.pressure = "critical"
        else:
            self.pressure = "warn" if share >= RECORD_WARN_SHARE else "ok"

    def close(self) -> None:
        """Close the files and let another process write. What is not on disk yet is put there if it can be."""
        for segment in (*self._retired, self._current):
            try:
                os.fsync(segment.fd)
            except OSError:
                self.fault = self.fault or "closed before everything was on disk"
            os.close(segment.fd)
        self._retired.clear()
        os.close(self._lock)
