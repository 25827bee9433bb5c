"""Notices: what is told, in which words, how often, and what is never in them."""

import pytest

from leadglass.audit.sinks.notices import Notices, documents, sentences
from leadglass.limits import NOTICE_AGAIN_SECONDS, NOTICE_CASES, NOTICE_LISTED, NOTICE_OLD_SECONDS
from support.clock import FakeClock
from support.record import STUDY
from support.record import glass_line as line


def due(notices: Notices, *lines: bytes) -> list[dict[str, object]]:
    batch = notices.encode(lines)
    found = notices.due(batch) if batch else []
    notices.told(found)
    return documents(found)


@pytest.mark.parametrize("kind", ["glass-broken", "emergency-begun"])
def test_who_when_and_how_often_and_nothing_of_the_patient(kind: str) -> None:
    clock = FakeClock()
    (told,) = due(Notices(clock, reasons=False), line(clock, kind), line(clock, kind, decision_id="01K"))
    assert (told["kind"], told["subject"], told["count"], told["decision_id"]) == (kind, "dr.a", 2, "01J")
    assert told.keys() <= {"kind", "since", "count", "decision_id", "subject", "issuer", "client_ip"}
    (said,) = sentences([told])
    assert "dr.a" in said
    assert "2 times" in said
    for secret in ("Demo", STUDY):
        assert secret not in said
        assert secret not in str(told)


def test_the_reason_only_where_it_is_wanted() -> None:
    clock = FakeClock()
    (told,) = due(Notices(clock, reasons=True), line(clock))
    assert told["reason"] == "Mrs Demo fell"
    assert "because: Mrs Demo fell" in sentences([told])[0]


def test_a_refused_code_is_told_by_where_it_came_from() -> None:
    clock = FakeClock()
    lines = [line(clock, "emergency-refused", cause="a wrong code", subject=None, reason=None) for _ in range(3)]
    (told,) = due(Notices(clock, reasons=True), *lines)
    assert (told["count"], told["cause"]) == (3, "a wrong code")
    assert "192.0.2.1" in sentences([told])[0]


def test_a_case_is_told_once_and_again_after_a_while() -> None:
    clock = FakeClock()
    notices = Notices(clock, reasons=False)
    assert len(due(notices, line(clock))) == 1
    assert due(notices, line(clock)) == []
    assert len(due(notices, line(clock, reason="another"))) == 1
    assert len(due(notices, line(clock, subject="dr.b"))) == 1
    clock.advance(NOTICE_AGAIN_SECONDS)
    assert len(due(notices, line(clock))) == 1


def test_what_was_not_taken_is_due_again() -> None:
    clock = FakeClock()
    notices = Notices(clock, reasons=False)
    batch = notices.encode([line(clock)])
    assert len(notices.due(batch)) == len(notices.due(batch)) == 1


def test_old_events_are_no_notices() -> None:
    clock = FakeClock()
    old = line(clock)
    clock.advance(NOTICE_OLD_SECONDS + 1)
    assert Notices(clock, reasons=False).encode([old]) == b""


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b'{"kind":"glass-broken"',
        b'{"type":"decision","kind":"glass-broken","fields":{}}',
        b'{"type":"event","kind":"glass-broken","fields":null}',
        b'{"type":"event","kind":"session-begun","fields":{"x":"\\"kind\\":\\"glass-broken\\""}}',
        b'["kind":"glass-broken"]',
        b'[{"kind":"glass-broken"}]',
    ],
)
def test_other_lines_are_no_notices(text: bytes) -> None:
    assert Notices(FakeClock(), reasons=True).encode([text]) == b""


def test_what_a_person_typed_stays_on_its_line() -> None:
    clock = FakeClock()
    (told,) = due(Notices(clock, reasons=True), line(clock, subject="a\nBcc: x@y", reason="\x1b[31m\r\n.\r\n"))
    (said,) = sentences([told])
    assert said.isprintable()


def test_a_flood_is_bounded() -> None:
    clock = FakeClock()
    notices = Notices(clock, reasons=False)
    told = due(notices, *(line(clock, subject=f"p{number}") for number in range(NOTICE_CASES + 5)))
    said = sentences(told)
    assert len(said) == NOTICE_LISTED + 1
    assert said[-1] == f"and {NOTICE_CASES + 5 - NOTICE_LISTED} more"
    assert len(notices._told) == NOTICE_CASES
