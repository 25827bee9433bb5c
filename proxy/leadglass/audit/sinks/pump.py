"""Feeds one receiver from the record's own file, at least once, without ever being waited for.

The file is the queue: a receiver that is slow or dead costs nothing but the lag that is measured. The cursor is put on
disk after the receiver has said 2xx, so a stop in between sends a batch twice and never leaves one out. Only lines that
are on disk are sent: what a receiver has seen, a crash cannot take out of the record.

One thing is left out: a line that is too large for the receiver by itself, while it takes an empty batch. The record has
it, and an event that says so goes to the receiver in its place.
"""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson

from leadglass.audit.chain import beside
from leadglass.audit.feed import Feed, Gap, Position
from leadglass.limits import SINK_BACKOFF_SECONDS, SINK_BATCH_BYTES, SINK_BATCH_LINES, SINK_LAG_BYTES, SINK_POLL_SECONDS
from leadglass.poster import Undelivered
from leadglass.telemetry import metrics

_log = logging.getLogger("leadglass.audit.sinks")
_FIRST_BACKOFF = 0.5


Note: TypeAlias = Callable[[str, Mapping[str, Any]], None]


class Sink(Protocol):
    """A receiver: how lines become a batch, and how a batch is handed over."""

    @property
    def name(self) -> str:
        """A short name without secrets: of the cursor file and in metrics."""
        ...

    def encode(self, lines: list[bytes]) -> bytes:
        """Make a batch of record lines. Runs in a thread. Must take any bytes."""
        ...

    async def send(self, batch: bytes) -> None:
        """Hand a batch over; return only when the receiver has it for good. Raises Undelivered."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def load_cursor(path: Path) -> Position:
    """Return where a receiver stands; the beginning of the record when it was never fed."""
    try:
        document = orjson.loads(path.read_bytes())
        return Position(str(document["chain"]), int(document["first"]), int(document["offset"]))
    except FileNotFoundError:
        return Position()
    except (OSError, ValueError, KeyError, TypeError):
        _log.warning("the cursor %s cannot be read: the receiver gets the whole record again", path.name)
        return Position()


def save_cursor(path: Path, position: Position) -> None:
    """Put the cursor on disk, whole or not at all. Raises OSError."""
    fresh = path.with_name(path.name + ".next")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps({"chain": position.chain, "first": position.first, "offset": position.offset}))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class Pump:
    """Carries the record to one receiver until it is cancelled. `note` writes an event into the record."""

    def __init__(
        self, file: Path, sink: Sink, ceiling: Callable[[], tuple[int, int] | None], note: Note = lambda *_: None
    ) -> None:
        self._sink, self._cursor, self._note = sink, beside(file, f"cursor-{sink.name}"), note
        self._feed = Feed(file, load_cursor(self._cursor), ceiling)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sink-{sink.name}")
        self._most_lines = SINK_BATCH_LINES
        self._backoff = 0.0
        self._late = self._failing = False

    async def run(self) -> None:
        """Feed the receiver for ever."""
        try:
            while True:
                pause = await self.step()
                if pause > 0:
                    await asyncio.sleep(pause)
        finally:
            with contextlib.suppress(Exception):  # it is being let go of; what it could say matters to nobody
                await self._sink.close()
            self._thread.shutdown(wait=False)

    async def step(self) -> float:
        """Carry one batch and return the pause before the next, in seconds."""
        loop, before = asyncio.get_running_loop(), self._feed.position
        try:
            lines, batch = await loop.run_in_executor(self._thread, self._prepare)
        except Gap as gap:
            _log.error("%s: %s; the receiver goes on from the beginning of what is there", self._sink.name, gap)
            self._feed.position = Position()
            return SINK_POLL_SECONDS
        except OSError as error:
            _log.error("%s: cannot read the record: %s", self._sink.name, error.strerror)
            return SINK_BACKOFF_SECONDS
        if not lines:
            return SINK_POLL_SECONDS
        try:
            if not await self._sent(batch, alone=len(lines) == 1):
                self._set_aside(lines[0])
            await loop.run_in_executor(self._thread, save_cursor, self._cursor, self._feed.position)
        except (Undelivered, OSError) as error:
            self._feed.position = before
            return self._again(error)
        except asyncio.CancelledError:
            self._feed.position = before
            raise
        self._took()
        return 0.0

    async def _sent(self, batch: bytes, *, alone: bool) -> bool:
        """Hand a batch over; False when it is one line that is too large by itself. Raises Undelivered."""
        try:
            await self._sink.send(batch)
        except Undelivered as error:
            nothing = self._sink.encode([])
            if not (error.smaller and alone and nothing):
                raise
            await self._sink.send(nothing)  # who does not take that either has another trouble than this line
            return False
        return True

    def _set_aside(self, line: bytes) -> None:
        number = line[len(b'{"seq":') :].split(b",", 1)[0].decode("ascii", "replace")
        _log.error(
            "%s does not take line %s of %d bytes: it is too large, and left out", self._sink.name, number, len(line)
        )
        metrics.SINK_SET_ASIDE.add((self._sink.name,))
        self._note("sink-line-set-aside", {"sink": self._sink.name, "line": number, "bytes": len(line)})

    def _prepare(self) -> tuple[list[bytes], bytes]:
        lines = self._feed.read(SINK_BATCH_BYTES, self._most_lines)
        behind = self._feed.behind()
        metrics.SINK_LAG.set((self._sink.name,), behind + sum(map(len, lines)))
        if (behind > SINK_LAG_BYTES) != self._late:
            self._late = not self._late
            if self._late:
                _log.warning(
                    "%s is %d bytes behind; keep rotated files until it has caught up", self._sink.name, behind
                )
        return lines, self._sink.encode(lines) if lines else b""

    def _took(self) -> None:
        metrics.SINK_BATCHES.add((self._sink.name, "delivered"))
        if self._failing:
            _log.warning("%s takes the record again", self._sink.name)
        self._failing, self._backoff = False, 0.0
        self._most_lines = min(SINK_BATCH_LINES, self._most_lines * 2)

    def _again(self, error: Undelivered | OSError) -> float:
        metrics.SINK_BATCHES.add((self._sink.name, "failed"))
        if not self._failing:
            _log.warning("%s does not take the record: %s; it is kept and sent later", self._sink.name, error)
        self._failing = True
        self._backoff = min(SINK_BACKOFF_SECONDS, max(_FIRST_BACKOFF, self._backoff * 2))
        after = 0.0
        if isinstance(error, Undelivered):
            after = min(error.after, SINK_BACKOFF_SECONDS)
            if error.smaller:
                self._most_lines = max(1, self._most_lines // 2)
        jitter = 0.5 + secrets.randbelow(1_000) / 2_000  # half to whole: a fleet does not come back at one instant
        return max(after, self._backoff * jitter)
