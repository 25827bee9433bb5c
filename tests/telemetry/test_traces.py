import asyncio

import pytest

from leadglass.limits import TRACE_SPANS
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.telemetry.traces import Ended, Finished, Kind, Parent, Trace, begin, current
from support.clock import FakeClock


class Taken:
    """A trace, and what became of it."""

    def __init__(
        self, clock: FakeClock, *, parent: Parent | None = None, propagate: bool = False, number: int = 7
    ) -> None:
        self.clock, self.spans, self.dropped = clock, list[Finished](), 0
        self.trace = Trace(
            "ab" * 16, number, parent=parent, monotonic=clock.monotonic, propagate=propagate, take=self._take
        )

    def _take(self, _: Trace, spans: list[Finished], dropped: int) -> None:
        self.spans, self.dropped = spans, dropped

    def end(self, *marks: tuple[str, float], failed: str | None = None) -> dict[str, Finished]:
        clock = self.clock
        self.trace.end(
            "GET",
            Ended(
                marks,
                clock.monotonic(),
                clock.now(),
                {"leadglass.door": "http"},
                failed,
                {"b": {"leadglass.allow": True}},
            ),
        )
        return {one.span.name: one for one in self.spans}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_without_a_trace_there_are_no_spans() -> None:
    assert begin("x") is None
    assert current() is None


def test_stages_become_spans_and_what_began_in_one_is_its_child(clock: FakeClock) -> None:
    taken, at, wall = Taken(clock), clock.monotonic(), clock.now()
    early = begin("early")
    assert early is not None
    with early:
        clock.advance(0.25)
    clock.advance(0.25)
    inner = begin("inner", Kind.CLIENT)
    assert inner is not None
    with inner:
        assert current() is inner
        clock.advance(0.5)
    named = taken.end(("a", at + 0.25), ("b", at + 0.5))
    root, a, b = named["GET"], named["a"], named["b"]
    assert [one.span.name for one in taken.spans] == ["GET", "a", "b", "early", "inner"]
    assert (root.parent, a.parent, b.parent) == (None, root.span.id, root.span.id)
    assert named["early"].parent == root.span.id  # before any stage
    assert named["inner"].parent == b.span.id
    assert (root.begun, root.ended) == (int(wall * 1e9), int((wall + 1) * 1e9))
    assert (a.begun, a.ended, b.ended) == (int((wall + 0.25) * 1e9), b.begun, root.ended)
    assert b.span.attributes == {"leadglass.allow": True}
    assert len({one.span.id for one in taken.spans}) == 5


def test_a_trace_that_is_over_takes_no_spans_and_the_task_goes_on_without(clock: FakeClock) -> None:
    taken = Taken(clock)
    late = current()
    taken.end()
    assert current() is None
    assert begin("x") is None
    assert late is not None
    assert late.trace.span("x", Kind.INTERNAL) is None
    assert taken.dropped == 0


async def test_what_a_task_does_for_an_exchange_belongs_to_it(clock: FakeClock) -> None:
    taken = Taken(clock)

    async def work() -> None:
        span = begin("in a task")
        assert span is not None
        with span:
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(work())
        group.create_task(work())
    assert [one.span.name for one in (taken.end(), taken.spans)[1]] == ["GET", "in a task", "in a task"]


def test_more_spans_than_the_bound_are_counted(clock: FakeClock) -> None:
    taken = Taken(clock)
    assert [begin("x") is not None for _ in range(TRACE_SPANS + 3)] == [True] * TRACE_SPANS + [False] * 3
    root = taken.end()["GET"]
    assert len(taken.spans) == TRACE_SPANS + 1
    assert taken.dropped == root.span.attributes["leadglass.spans_dropped"] == 3


def test_a_failure_is_told_by_its_code_or_type_and_never_by_its_text(clock: FakeClock) -> None:
    taken = Taken(clock)
    for error in (refuse(Code.UPSTREAM_BUSY, "1.2.3.4"), ValueError("1.2.3.4")):
        span = begin(type(error).__name__)
        assert span is not None
        with pytest.raises(type(error)), span:
            raise error
    named = taken.end(failed="internal-fault")
    assert named["Refusal"].span.attributes == {"error.type": "upstream-busy"}
    assert named["ValueError"].span.attributes == {"error.type": "ValueError"}
    assert named["GET"].span.attributes == {"leadglass.door": "http", "error.type": "internal-fault"}
    assert all(named[name].span.failed for name in named)


@pytest.mark.parametrize(("status", "failed"), [(200, False), (304, False), (404, True), (503, True)])
def test_an_answer_is_told_by_its_status(clock: FakeClock, status: int, failed: bool) -> None:  # noqa: FBT001 - a column
    taken = Taken(clock)
    span = begin("x")
    assert span is not None
    span.answered(status)
    assert (span.attributes["http.response.status_code"], span.failed) == (status, failed)
    taken.end()


def test_the_parent_is_who_asked_and_ids_are_never_zero(clock: FakeClock) -> None:
    taken = Taken(clock, parent=Parent("ab" * 16, "cd" * 8, sampled=True), number=(1 << 64) - 2)
    assert taken.trace.root.id == "f" * 16
    span = begin("x")
    assert span is not None
    assert span.id == f"{1:016x}"
    assert taken.end()["GET"].parent == "cd" * 8


def test_others_are_told_only_where_they_are_to_be_told(clock: FakeClock) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for propagate in (False, True):
        taken = Taken(clock, propagate=propagate)
        span = begin("x")
        assert span is not None
        told = f"traceparent: 00-{'ab' * 16}-{span.id}-01\r\n".encode() if propagate else b""
        assert span.into(head) == head[:-2] + told + b"\r\n"
        taken.end()
