"""The spans of one exchange, in the words of OpenTelemetry, and no PHI in them (law 8).

Who does something that takes time asks `begin` for a span, gets None unless this exchange is traced, and says what it
knows of it: methods, statuses, codes, sizes. There is no way to say more: a span takes attributes by the names listed
in `Attributes`, and never an address with its UIDs, a value of a client, or the text of an exception.

Nothing here knows where spans go. While traces are off, `begin` costs one look at a context variable.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from enum import IntEnum
from types import TracebackType
from typing import Final, NamedTuple, Self, TypedDict

from leadglass.limits import TRACE_SPANS
from leadglass.model.errors import Refusal

Attributes = TypedDict(
    "Attributes",
    {
        # Of the semantic conventions for HTTP; url.full, url.path, url.query, client.address and header fields are left out.
        "http.request.method": str,
        "http.request.resend_count": int,
        "http.response.status_code": int,
        "http.response.body.size": int,
        "http.route": str,
        "url.scheme": str,
        "server.address": str,
        "server.port": int,
        "network.protocol.version": str,
        "error.type": str,
        # Ours.
        "leadglass.decision_id": str,
        "leadglass.door": str,
        "leadglass.transaction": str,
        "leadglass.outcome": str,
        "leadglass.reasons": Sequence[str],
        "leadglass.cut_by": str,
        "leadglass.allow": bool,
        "leadglass.leased": bool,
        "leadglass.engine": str,
        "leadglass.revision": str,
        "leadglass.input_size": int,
        "leadglass.traffic": str,
        "leadglass.upstream": str,
        "leadglass.spans_dropped": int,
    },
    total=False,
)


class Kind(IntEnum):
    """What a span is to others. The numbers are those of OTLP."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


INTERNAL: Final = Kind.INTERNAL
CLIENT: Final = Kind.CLIENT


class Parent(NamedTuple):
    """Where an exchange hangs in the trace of whoever asked (W3C Trace Context): both ids in hex."""

    trace_id: str
    span_id: str
    sampled: bool


class Span:
    """One thing that took time, which the block stands over; times are monotonic seconds."""

    __slots__ = ("_token", "attributes", "begun", "ended", "failed", "id", "kind", "name", "trace")

    def __init__(self, trace: "Trace", name: str, kind: Kind, number: int, begun: float) -> None:
        self.trace, self.name, self.kind, self.begun = trace, name, kind, begun
        self.id = f"{number:016x}"
        self.ended: float | None = None
        self.attributes: Attributes = {}
        self.failed = False

    def fail(self, kind: str) -> None:
        """Say that it failed, and how: a code, a status or the name of a type, never a text."""
        self.failed = True
        self.attributes["error.type"] = kind

    def answered(self, status: int) -> None:
        """Say what whoever was asked answered."""
        self.attributes["http.response.status_code"] = status
        if status >= _REFUSED:
            self.fail(str(status))

    @property
    def traceparent(self) -> str | None:
        """What others are told of this span, where they are to be told."""
        return f"00-{self.trace.id}-{self.id}-01" if self.trace.propagate else None

    def into(self, head: bytes) -> bytes:
        """Add what others are told of this span to a request head, which ends in its empty line."""
        told = self.traceparent
        return head if told is None else b"%btraceparent: %b\r\n\r\n" % (head[:-2], told.encode("ascii"))

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _CURRENT.reset(self._token)
        if isinstance(error, Refusal):
            self.fail(str(error.causes[0].reason.code))
        elif kind is not None:
            self.fail(kind.__name__)
        self.ended = self.trace.monotonic()


class Ended(NamedTuple):
    """How an exchange went: its stages by name and beginning, its end by both clocks, and what is said of it."""

    marks: Sequence[tuple[str, float]]
    at: float
    wall: float
    attributes: Attributes
    failed: str | None
    staged: dict[str, Attributes]  # what is said of stages


class Finished(NamedTuple):
    """A span as it is handed on: its times in nanoseconds since the epoch, its parent's id."""

    span: Span
    parent: str | None
    begun: int
    ended: int


class Trace:
    """The spans of one exchange. `route` is named by whoever places the request.

    `number` is random; the ids of spans count on from it. `take` gets the finished spans, the server's span first.
    """

    __slots__ = (
        "_dropped",
        "_number",
        "_open",
        "_spans",
        "_take",
        "id",
        "monotonic",
        "parent",
        "propagate",
        "root",
        "route",
    )

    def __init__(
        self,
        trace_id: str,
        number: int,
        *,
        parent: Parent | None,
        monotonic: Callable[[], float],
        propagate: bool,
        take: Callable[["Trace", list[Finished], int], None],
    ) -> None:
        self.id, self.parent, self.propagate, self.monotonic = trace_id, parent, propagate, monotonic
        self.route: str | None = None
        self._number, self._take = number, take
        self._spans: list[Span] = []
        self._dropped = 0
        self._open = True
        self.root = self._make("", Kind.SERVER, monotonic())
        _CURRENT.set(self.root)

    def _make(self, name: str, kind: Kind, begun: float) -> Span:
        self._number = (self._number + 1) % _IDS or 1  # zero is no id
        return Span(self, name, kind, self._number, begun)

    def span(self, name: str, kind: Kind) -> Span | None:
        """Begin a span within the exchange. None when there are too many, or when the exchange is over."""
        if not self._open or len(self._spans) >= TRACE_SPANS:
            self._dropped += self._open
            return None
        span = self._make(name, kind, self.monotonic())
        self._spans.append(span)
        return span

    def leave(self) -> None:
        """Trace nothing any more: the task goes on to other exchanges."""
        _CURRENT.set(None)
        self._open = False

    def end(self, name: str, how: Ended) -> None:
        """End the exchange: its span and those of its stages are made, and all are handed on."""
        self.leave()
        root = self.root
        root.name, root.attributes = name, how.attributes
        if how.failed is not None:
            root.fail(how.failed)
        if self._dropped:
            root.attributes["leadglass.spans_dropped"] = self._dropped
        shift = how.wall - how.at
        ends = [*(begun for _, begun in how.marks[1:]), how.at]
        stages = []
        for (stage, begun), ended in zip(how.marks, ends, strict=False):
            span = self._make(stage, INTERNAL, begun)
            span.ended = ended
            span.attributes = how.staged.get(stage, {})
            stages.append(span)
        root.ended = how.at
        begins = [begun for _, begun in how.marks]
        done = [_finished(root, None if self.parent is None else self.parent.span_id, shift, how.at)]
        done += [_finished(span, root.id, shift, how.at) for span in stages]
        for span in self._spans:  # each belongs to the stage in which it began
            at = bisect_right(begins, span.begun)
            done.append(_finished(span, stages[at - 1].id if at else root.id, shift, how.at))
        self._take(self, done, self._dropped)


def _finished(span: Span, parent: str | None, shift: float, now: float) -> Finished:
    ended = now if span.ended is None else span.ended
    return Finished(span, parent, int((span.begun + shift) * 1e9), int((ended + shift) * 1e9))


def begin(name: str, kind: Kind = INTERNAL) -> Span | None:
    """Begin a span of what this task works on, None unless that is traced."""
    current = _CURRENT.get()
    return None if current is None else current.trace.span(name, kind)


def current() -> Span | None:
    """Return the span that this task works within, None unless it is traced."""
    return _CURRENT.get()


_IDS: Final = 1 << 64
_REFUSED: Final = 400  # and above: an error to a client, by the semantic conventions
_CURRENT: Final[ContextVar[Span | None]] = ContextVar("leadglass_span", default=None)
