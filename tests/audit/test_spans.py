"""What is told of an exchange (the whole of it: tests/access/test_tracing.py, tests/security/test_traces.py)."""

import logging
from typing import Any

import pytest

from leadglass.audit.spans import Story, tell
from leadglass.model.errors import refuse
from leadglass.model.facts import Action
from leadglass.model.reasons import Code
from leadglass.model.request import Incoming, Peer, RawHead
from leadglass.telemetry.traces import Finished, Trace, begin, current
from support import record
from support.clock import FakeClock

CLOCK = FakeClock()
QUIET = Story(
    record.incoming(), "01M84YGHE193JW6ZJFDYRNBKXW", Action("retrieve", "wado-rs.frames"), None, None, [], "allowed", 200, 5, None,
    CLOCK.monotonic(), CLOCK.now(),
)  # fmt: skip


def told(route: str | None = "/x", **changes: Any) -> tuple[str, dict[str, Any], bool]:  # noqa: ANN401 - of a story
    """Return name, attributes and failure of the exchange's span."""
    taken: list[Finished] = []
    trace = Trace(
        "ab" * 16, 1, parent=None, monotonic=CLOCK.monotonic, propagate=False, take=lambda _t, s, _d: taken.extend(s)
    )
    trace.route = route
    tell(trace, QUIET._replace(**changes))
    root = taken[0].span
    return root.name, dict(root.attributes), root.failed


def head(method: str) -> Incoming:
    return Incoming("http", RawHead(method, b"/dicom-web/studies/1.2.3", ()), Peer("192.0.2.7", 1, tls=False))


@pytest.mark.parametrize(
    ("changes", "name", "said", "failed"),
    [
        ({}, "GET /x", {"http.response.status_code": 200, "http.response.body.size": 5, "url.scheme": "https"}, False),
        ({"incoming": head("BREW")}, "HTTP /x", {"http.request.method": "_OTHER", "url.scheme": "http"}, False),
        ({"incoming": head(""), "route": None}, "HTTP", {"http.request.method": "_OTHER"}, False),
        ({"refusal": refuse(Code.UID_MALFORMED, "1.2.x")}, "GET /x", {"leadglass.reasons": ["uid-malformed"]}, False),
        ({"refusal": refuse(Code.INTERNAL_FAULT, "1.2.x")}, "GET /x", {"error.type": "internal-fault"}, True),
        ({"cut_by": "client-gone"}, "GET /x", {"leadglass.cut_by": "client-gone"}, False),
        ({"cut_by": "part-mismatch"}, "GET /x", {"leadglass.cut_by": "part-mismatch", "error.type": "part-mismatch"}, True),
    ],
)  # fmt: skip
def test_an_exchange_is_told_by_codes(changes: dict[str, Any], name: str, said: dict[str, Any], failed: bool) -> None:  # noqa: FBT001 - a column
    got = told(**changes)
    assert (got[0], got[2]) == (name, failed)
    assert got[1] == {**got[1], **said}
    assert ("error.type" in got[1]) == failed
    assert "1.2" not in str({key: value for key, value in got[1].items() if key != "network.protocol.version"})


def test_an_exchange_without_an_answer_or_a_row_does_not_say_what_there_is_not() -> None:
    _, said, _ = told(None, status=None, action=None)
    assert not {"http.response.status_code", "http.route", "leadglass.transaction"} & set(said)


def test_a_fault_of_the_trace_is_no_fault_of_the_exchange(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    trace = Trace("ab" * 16, 1, parent=None, monotonic=CLOCK.monotonic, propagate=False, take=broken)
    assert current() is trace.root
    with caplog.at_level(logging.ERROR):
        tell(trace, QUIET)
    assert "its trace cannot be told" in caplog.text
    assert (current(), begin("x")) == (None, None)
