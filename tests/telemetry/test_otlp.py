import pytest

from leadglass.telemetry import otlp
from leadglass.telemetry.traces import Ended, Finished, Parent, Trace
from support.clock import FakeClock
from support.collector import spans_of


def test_spans_are_what_the_protocol_says() -> None:
    clock, held = FakeClock(), list[Finished]()
    trace = Trace(
        "0a" * 16, 41, parent=Parent("0a" * 16, "cd" * 8, sampled=True), monotonic=clock.monotonic, propagate=False,
        take=lambda _trace, spans, _dropped: held.extend(spans),
    )  # fmt: skip
    said = {
        "http.response.status_code": 502,
        "leadglass.reasons": ["a", "b"],
        "leadglass.allow": False,
        "http.route": "/x",
    }
    trace.end("GET /x", Ended([("route", clock.monotonic())], clock.monotonic() + 1, clock.now() + 1, said, "a", {}))  # type: ignore[arg-type]  # a literal by another way
    before, after = otlp.envelope({"service.name": "leadglass"}, "1.0")
    root, route = spans_of(before + otlp.encode(trace, held) + after)
    assert (root.name, root.kind, root.trace_id, root.id, root.parent) == (
        "GET /x",
        2,
        "0a" * 16,
        f"{42:016x}",
        "cd" * 8,
    )
    assert root.ended - root.begun == 10**9
    assert root.failed
    assert root.attributes == {**said, "error.type": "a"}
    assert (route.name, route.kind, route.parent, route.failed) == ("route", 1, root.id, False)
    assert (root.flags, route.flags) == (0x301, 0x101)


def test_a_value_of_another_kind_is_a_fault() -> None:
    with pytest.raises(TypeError, match="bytes"):
        otlp.attributes({"x": b"y"})
