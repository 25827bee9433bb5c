import pytest

from leadglass.limits import TRACE_BATCH_SPANS, TRACE_QUEUE_BYTES, TRACE_QUEUE_SPANS
from leadglass.traces.queue import Batch, SpanQueue
from support.collector import counted


@pytest.fixture
def queue() -> SpanQueue:
    queue = SpanQueue()
    queue.takers = 1
    return queue


def test_whole_exchanges_leave_in_their_order_up_to_a_batch(queue: SpanQueue) -> None:
    for name in (b"a", b"b"):
        queue.put(Batch(name, TRACE_BATCH_SPANS // 2))
    assert queue.full.is_set()
    queue.put(Batch(b"c", 1))
    assert queue.take() == Batch(b"a,b", TRACE_BATCH_SPANS)
    assert not queue.full.is_set()
    assert (queue.take(), queue.take()) == (Batch(b"c", 1), None)


def test_an_exchange_larger_than_a_batch_leaves_alone(queue: SpanQueue) -> None:
    queue.put(Batch(b"a", TRACE_BATCH_SPANS + 1))
    queue.put(Batch(b"b", 1))
    assert queue.take() == Batch(b"a", TRACE_BATCH_SPANS + 1)


@pytest.mark.parametrize("more", [Batch(b"b", TRACE_QUEUE_SPANS), Batch(b"b" * TRACE_QUEUE_BYTES, 2)])
def test_what_has_no_place_is_dropped_and_counted(queue: SpanQueue, more: Batch) -> None:
    queue.put(Batch(b"a", 1))
    with counted("dropped") as dropped:
        queue.put(more)
    assert dropped() == more.spans
    assert queue.take() == Batch(b"a", 1)
    queue.put(more)
    assert queue.take() == more  # there is room again


def test_without_anybody_to_take_them_nothing_is_kept(queue: SpanQueue) -> None:
    queue.takers = 0
    with counted("dropped") as dropped:
        queue.put(Batch(b"a", 3))
    assert dropped() == 3
    assert queue.take() is None


def test_what_is_let_go_of_is_counted(queue: SpanQueue) -> None:
    queue.put(Batch(b"a", 3))
    with counted("dropped") as dropped:
        queue.drop()
    assert dropped() == 3
    assert queue.take() is None
