"""Carries batches of spans to a collector (OTLP/HTTP), behind the requests and never in their way.

What the collector does not take for a while is tried again for a minute, meanwhile the queue fills, and what has no place
there is dropped. Everything that reaches nobody is counted; nothing here ever reaches a request.
"""

import asyncio
import contextlib
import gzip
import logging
import secrets
from typing import Final
from uuid import UUID

import orjson

from leadglass.clock import Clock
from leadglass.limits import (
    TRACE_BACKOFF_SECONDS,
    TRACE_FLUSH_SECONDS,
    TRACE_POST_SECONDS,
    TRACE_RETRY_SECONDS,
    TRACE_WAIT_SECONDS,
)
from leadglass.model.errors import ConfigurationError
from leadglass.poster import Poster, Undelivered
from leadglass.tasks import Tasks
from leadglass.telemetry import metrics, otlp
from leadglass.traces.queue import Batch, SpanQueue, lose
from leadglass.traces.settings import TracesSettings
from leadglass_agent import __version__

_log = logging.getLogger("leadglass.traces")
# OTLP 1.x, "Failures": what may pass; everything else will not. 0 is no answer at all.
_PASSING: Final = frozenset({0, 429, 502, 503, 504})
_GZIP_LEVEL: Final = 1  # spans repeat themselves
_FIRST_BACKOFF: Final = 1.0
_INSTANCE: Final = str(UUID(bytes=secrets.token_bytes(16), version=4))  # of this process


def fields_of(settings: TracesSettings) -> dict[str, str]:
    """Return the header fields of a post. Raises ConfigurationError."""
    fields = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for name, secret in settings.headers.items():
        value = secret.get_secret_value()
        if not value or not value.isascii() or not value.isprintable():
            raise ConfigurationError(
                "the value is no header field value", where=f"telemetry.traces.headers.{name}", hint="one line of ASCII"
            )
        fields[name] = value
    return fields


def poster_of(settings: TracesSettings) -> Poster:
    """Return the way to the collector. Raises ConfigurationError."""
    url = f"{settings.otlp}/v1/traces"
    return Poster(url, fields_of(settings), settings.ca, "telemetry.traces.ca", seconds=TRACE_POST_SECONDS)


class Exporter:
    """Empties the queue into one collector until it is closed. Needs a running event loop."""

    def __init__(self, settings: TracesSettings, queue: SpanQueue, clock: Clock) -> None:
        """Begin. Raises ConfigurationError."""
        self._poster, self._queue, self._clock = poster_of(settings), queue, clock
        resource = {
            "service.name": otlp.SCOPE, "service.version": __version__, "service.instance.id": _INSTANCE,
            **settings.resource,
        }  # fmt: skip
        self._before, self._after = otlp.envelope(resource, __version__)
        self._carried: Batch | None = None
        self._failing = False
        self._tasks = Tasks()
        queue.takers += 1
        self._tasks.spawn(self._run(), name="traces")

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TRACE_WAIT_SECONDS):
                    await self._queue.full.wait()
            while (batch := self._queue.take()) is not None:
                self._carried = batch
                await self._carry(batch)
                self._carried = None

    async def _carry(self, batch: Batch) -> None:
        """Hand a batch over, or give it up after a while."""
        begun, pause = self._clock.monotonic(), _FIRST_BACKOFF
        while True:
            try:
                await self._post(batch)
            except (Undelivered, OSError) as error:
                late = self._clock.monotonic() - begun + pause > TRACE_RETRY_SECONDS
                if late or (isinstance(error, Undelivered) and error.status not in _PASSING):
                    self._give_up(batch, error)
                    return
                self._said(error)
                after = error.after if isinstance(error, Undelivered) else 0.0
                # Half to whole: a fleet does not come back at one instant.
                wait = max(min(after, TRACE_BACKOFF_SECONDS), pause * (0.5 + secrets.randbelow(1_000) / 2_000))
                await asyncio.sleep(wait)
                pause = min(TRACE_BACKOFF_SECONDS, pause * 2)
            else:
                return

    async def _post(self, batch: Batch) -> None:
        """Post a batch once. Raises Undelivered, OSError."""
        body = await asyncio.to_thread(gzip.compress, self._before + batch.body + self._after, _GZIP_LEVEL)
        rejected = min(batch.spans, rejected_spans(await self._poster.post(body)))
        metrics.TRACE_SPANS.add(("exported",), batch.spans - rejected)
        if rejected:
            lose("rejected", rejected)
        if self._failing:
            _log.warning("the collector takes traces again")
        self._failing = False

    def _give_up(self, batch: Batch, error: Exception) -> None:
        refused = isinstance(error, Undelivered) and error.status not in _PASSING
        lose("rejected" if refused else "failed", batch.spans)
        self._said(error)

    def _said(self, error: Exception) -> None:
        if not self._failing:
            why = str(error) if isinstance(error, Undelivered) else type(error).__name__
            _log.warning("the collector does not take traces: %s; requests do not wait for it", why)
        self._failing = True

    async def close(self) -> None:
        """Hand over what is held, within seconds, and end. What another exporter will carry is left to it."""
        await self._tasks.close()
        self._queue.takers -= 1
        try:
            async with asyncio.timeout(TRACE_FLUSH_SECONDS):
                while (batch := self._last()) is not None:
                    await self._post(batch)
                    self._carried = None
        except (TimeoutError, Undelivered, OSError) as error:
            self._said(error)
        finally:
            if self._carried is not None:
                lose("failed", self._carried.spans)
            if not self._queue.takers:
                self._queue.drop()
            await self._poster.close()

    def _last(self) -> Batch | None:
        if self._carried is None and not self._queue.takers:
            self._carried = self._queue.take()
        return self._carried


def rejected_spans(answer: bytes) -> int:
    """Return how many spans of a batch that was taken the collector threw away (`partialSuccess`)."""
    try:
        return max(0, int(orjson.loads(answer)["partialSuccess"]["rejectedSpans"]))
    except (ValueError, KeyError, TypeError):
        return 0
