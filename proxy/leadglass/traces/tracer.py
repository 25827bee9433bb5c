"""Which exchanges are traced, and where their spans go.

A stranger decides nothing about it: whether an exchange is traced is drawn by lot, unless a proxy that is trusted to
(`trusted_proxies[].traceparent`) says to which trace the request belongs.
"""

import secrets
from typing import Final

from leadglass.clock import Clock
from leadglass.codec.traceparent import traceparent
from leadglass.model.request import Incoming
from leadglass.telemetry import otlp
from leadglass.telemetry.traces import Finished, Parent, Trace
from leadglass.traces.exporter import Exporter
from leadglass.traces.queue import Batch, SpanQueue, lose
from leadglass.traces.settings import TracesSettings

_TRACE_ID, _SPAN_ID = 16, 8
_LOT: Final = slice(9, 16)  # 56 bits of the trace id, those that W3C Trace Context 2 calls random
_SIDES: Final = 1 << 56


class Tracer:
    """Traces as one reading of the settings has them. Needs a running event loop; `close` flushes."""

    def __init__(self, settings: TracesSettings, clock: Clock, queue: SpanQueue | None = None) -> None:
        """Begin, with the queue of a tracer that this one takes the place of. Raises ConfigurationError."""
        self._clock, self._propagate = clock, settings.propagate
        self._wins = round(settings.sample * _SIDES)
        self.queue = SpanQueue() if queue is None else queue
        self._exporter = Exporter(settings, self.queue, clock)

    def begin(self, incoming: Incoming) -> Trace | None:
        """Begin the trace of an exchange, for the task that calls; None when it is not traced."""
        parent: Parent | None = None
        if incoming.peer.traced:
            parent = traceparent([value for name, value in incoming.head.fields if name == b"traceparent"])
        ids = secrets.token_bytes(_TRACE_ID + _SPAN_ID)
        sampled = int.from_bytes(ids[_LOT]) < self._wins if parent is None else parent.sampled
        if not sampled:
            return None
        return Trace(
            ids[:_TRACE_ID].hex() if parent is None else parent.trace_id,
            int.from_bytes(ids[_TRACE_ID:]),
            parent=parent,
            monotonic=self._clock.monotonic,
            propagate=self._propagate,
            take=self._take,
        )

    def _take(self, trace: Trace, spans: list[Finished], dropped: int) -> None:
        self.queue.put(Batch(otlp.encode(trace, spans), len(spans)))
        if dropped:
            lose("dropped", dropped)

    async def close(self) -> None:
        """Hand over what is held, and end."""
        await self._exporter.close()
