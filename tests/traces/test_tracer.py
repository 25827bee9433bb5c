from collections.abc import AsyncIterator
from typing import Any

import pytest

from leadglass.model.request import Incoming, Peer, RawHead
from leadglass.telemetry.traces import Trace, current
from leadglass.traces.settings import TracesSettings
from leadglass.traces.tracer import Tracer
from support.clock import FakeClock

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAYS = f"00-{TRACE}-{SPAN}-01".encode()
SAYS_NOT = f"00-{TRACE}-{SPAN}-00".encode()


def incoming(*fields: tuple[bytes, bytes], traced: bool = False) -> Incoming:
    return Incoming("http", RawHead("GET", b"/", fields), Peer("192.0.2.1", 1, tls=True, traced=traced))


@pytest.fixture
async def tracers() -> AsyncIterator[Any]:
    made = []

    def make(**more: Any) -> Tracer:  # noqa: ANN401 - settings
        made.append(Tracer(TracesSettings.model_validate({"otlp": "http://127.0.0.1:9", **more}), FakeClock()))
        return made[-1]

    yield make
    for tracer in made:
        tracer.queue.drop()
        await tracer.close()


def over(trace: Trace | None) -> bool:
    """Leave the trace, and say whether there was one."""
    assert (current() is not None) == (trace is not None)
    if trace is not None:
        trace.leave()
    return trace is not None


async def test_the_lot_falls_as_often_as_it_should(tracers: Any) -> None:  # noqa: ANN401 - a factory
    never, always, half = tracers(sample=0), tracers(sample=1), tracers(sample=0.5)
    assert sum(over(never.begin(incoming())) for _ in range(200)) == 0
    assert sum(over(always.begin(incoming())) for _ in range(200)) == 200
    assert 700 < sum(over(half.begin(incoming())) for _ in range(2_000)) < 1_300  # 13 sigma


async def test_a_stranger_neither_joins_a_trace_nor_forces_one(tracers: Any) -> None:  # noqa: ANN401 - a factory
    asked = incoming((b"traceparent", SAYS))
    never, always = tracers(sample=0), tracers(sample=1)
    assert not any(over(never.begin(asked)) for _ in range(50))
    trace = always.begin(asked)
    assert trace.id != TRACE
    assert trace.parent is None
    over(trace)
    assert over(always.begin(incoming((b"traceparent", SAYS_NOT))))


async def test_a_trusted_proxy_says_which_trace_and_whether(tracers: Any) -> None:  # noqa: ANN401 - a factory
    trace = tracers(sample=0).begin(incoming((b"traceparent", SAYS), traced=True))
    assert (trace.id, trace.parent.span_id) == (TRACE, SPAN)
    over(trace)
    assert not over(tracers(sample=1).begin(incoming((b"traceparent", SAYS_NOT), traced=True)))


@pytest.mark.parametrize("fields", [(), ((b"traceparent", b"00-x"),), ((b"traceparent", SAYS), (b"traceparent", SAYS))])
async def test_where_it_says_nothing_sound_the_lot_decides(tracers: Any, fields: Any) -> None:  # noqa: ANN401 - a factory
    assert not over(tracers(sample=0).begin(incoming(*fields, traced=True)))
    trace = tracers(sample=1).begin(incoming(*fields, traced=True))
    assert trace.id != TRACE
    over(trace)


async def test_two_traces_share_no_id(tracers: Any) -> None:  # noqa: ANN401 - a factory
    tracer = tracers(sample=1)
    first, second = tracer.begin(incoming()), tracer.begin(incoming())
    assert first.id != second.id
    assert first.root.id != second.root.id
    over(second)
