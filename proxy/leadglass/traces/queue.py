"""Encoded spans on their way out: a bounded queue, and a count of all that did not leave.

It outlives a reload, so that exchanges which began before one are not lost by it.
"""

import asyncio
from collections import deque
from typing import NamedTuple

from leadglass.limits import TRACE_BATCH_BYTES, TRACE_BATCH_SPANS, TRACE_QUEUE_BYTES, TRACE_QUEUE_SPANS
from leadglass.telemetry import metrics


class Batch(NamedTuple):
    """The spans of some exchanges, encoded and joined by commas; how many spans they are."""

    body: bytes
    spans: int


class SpanQueue:
    """Never waits and never grows beyond its bounds: what has no place is dropped and counted."""

    def __init__(self) -> None:
        self._held: deque[Batch] = deque()
        self._spans = self._bytes = 0
        self.takers = 0  # exporters that empty it; while there is none, nothing is kept
        self.full = asyncio.Event()  # a batch is due

    def put(self, exchange: Batch) -> None:
        """Take the spans of one exchange."""
        fits = (
            self._spans + exchange.spans <= TRACE_QUEUE_SPANS and self._bytes + len(exchange.body) <= TRACE_QUEUE_BYTES
        )
        if not self.takers or not fits:
            lose("dropped", exchange.spans)
            return
        self._held.append(exchange)
        self._spans += exchange.spans
        self._bytes += len(exchange.body)
        if self._spans >= TRACE_BATCH_SPANS:
            self.full.set()

    def take(self) -> Batch | None:
        """Return the next batch: whole exchanges, up to its bounds and one at least. None when nothing is there."""
        pieces: list[bytes] = []
        spans = size = 0
        while self._held:
            first = self._held[0]
            if pieces and (spans + first.spans > TRACE_BATCH_SPANS or size + len(first.body) > TRACE_BATCH_BYTES):
                break
            self._held.popleft()
            pieces.append(first.body)
            spans += first.spans
            size += len(first.body)
        self._spans -= spans
        self._bytes -= size
        if self._spans < TRACE_BATCH_SPANS:
            self.full.clear()
        return Batch(b",".join(pieces), spans) if pieces else None

    def drop(self) -> None:
        """Let go of all that is held."""
        while (batch := self.take()) is not None:
            lose("dropped", batch.spans)


def lose(why: str, spans: int) -> None:
    """Count spans that reach nobody."""
    metrics.TRACE_SPANS.add((why,), spans)
