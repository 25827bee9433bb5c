import re
from datetime import UTC, datetime

import pytest

from leadglass.attributes.context import PURPOSES, ContextFacts
from leadglass.attributes.geo import Location
from leadglass.attributes.network import Networks
from leadglass.model.errors import Refusal
from leadglass.model.facts import Context
from leadglass.model.request import Headers
from support.clock import FakeClock

NETWORKS = Networks({"hospital": ["10.0.0.0/8"]})


def at(text: str) -> FakeClock:
    return FakeClock(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def build(clock: FakeClock, zone: str = "UTC", **headers: str) -> Context:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return ContextFacts(NETWORKS, clock, zone).build("http", "::ffff:10.0.0.7", Headers(fields), ("clock",))


def test_the_context_is_what_policy_will_see() -> None:
    context = build(at("2026-03-02T10:59:59"), leadglass_purpose="HRESCH", leadglass_break_glass="cardiac arrest")
    assert context == Context(
        door="http",
        client_ip="10.0.0.7",
        hour=10,
        weekday=1,
        networks=("hospital",),
        purpose="HRESCH",
        break_glass={"reason": "cardiac arrest"},
        degraded=("clock",),
        missing=("context.country",),
    )


@pytest.mark.parametrize(
    ("moment", "zone", "hour", "weekday"),
    [
        ("2026-03-01T23:30:00", "UTC", 23, 7),
        ("2026-03-01T23:30:00", "Europe/Berlin", 0, 1),
        ("2026-03-29T00:59:59", "Europe/Berlin", 1, 7),  # summer time begins
        ("2026-03-29T01:00:00", "Europe/Berlin", 3, 7),
        ("2026-10-25T00:59:59", "Europe/Berlin", 2, 7),  # and ends: this hour comes twice
        ("2026-10-25T01:00:00", "Europe/Berlin", 2, 7),
        ("2026-03-01T23:30:00", "Asia/Kathmandu", 5, 1),
    ],
)
def test_hour_and_weekday_are_those_of_the_time_zone(moment: str, zone: str, hour: int, weekday: int) -> None:
    context = build(at(moment), zone)
    assert (context.hour, context.weekday) == (hour, weekday)


def test_the_hour_follows_the_clock_both_ways() -> None:
    clock = at("2026-03-02T10:59:59")
    facts = ContextFacts(NETWORKS, clock)
    hours = []
    for step in (0, 1, -1):
        clock.step(step)
        hours.append(facts.build("http", "10.0.0.1", Headers({})).hour)
    assert hours == [10, 11, 10]


def test_without_headers_nothing_is_claimed() -> None:
    context = build(at("2026-03-02T10:00:00"))
    assert context.purpose is None
    assert context.break_glass is None
    assert context.country is None


@pytest.mark.parametrize("purpose", sorted(PURPOSES))
def test_purposes_of_use_are_hl7_codes(purpose: str) -> None:
    assert re.fullmatch(r"[A-Z]{3,12}", purpose)
    assert build(at("2026-03-02T10:00:00"), leadglass_purpose=purpose).purpose == purpose


@pytest.mark.parametrize("purpose", ["", "treat", "TREAT ", "TREAT,ETREAT", "ANYTHING", "TREAT\x00"])
def test_an_unknown_purpose_is_refused_and_not_guessed(purpose: str) -> None:
    with pytest.raises(Refusal) as caught:
        build(at("2026-03-02T10:00:00"), leadglass_purpose=purpose)
    assert caught.value.causes[0].reason.code == "http-malformed"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 257, "a\x1b[2J", "a\nb"])
def test_a_break_glass_reason_is_short_and_printable(reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        build(at("2026-03-02T10:00:00"), leadglass_break_glass=reason)
    assert caught.value.causes[0].reason.code == "http-malformed"


def in_session(glass: str | None, **headers: str) -> Context:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return ContextFacts(NETWORKS, at("2026-03-02T10:00:00")).build("http", "10.0.0.7", Headers(fields), glass=glass)


@pytest.mark.parametrize(
    ("headers", "purpose", "reason"),
    [
        ({}, "ETREAT", "stroke"),
        ({"leadglass_purpose": "TREAT"}, "TREAT", "stroke"),
        ({"leadglass_break_glass": "trauma"}, "ETREAT", "trauma"),
    ],
)
def test_a_session_speaks_for_what_a_viewer_leaves_out(headers: dict[str, str], purpose: str, reason: str) -> None:
    context = in_session("stroke", **headers)
    assert (context.purpose, context.break_glass) == (purpose, {"reason": reason})


def test_a_whole_glass_adds_nothing() -> None:
    assert (in_session(None).purpose, in_session(None).break_glass) == (None, None)


def test_a_mended_glass_ends_what_it_opened() -> None:
    facts = ContextFacts(NETWORKS, at("2026-03-02T10:00:00"))
    broken, own = in_session("stroke"), in_session("stroke", leadglass_break_glass="trauma")
    assert facts.again(broken).break_glass == {"reason": "stroke"}
    mended = facts.again(broken, ("clock",), mended="stroke")
    assert (mended.purpose, mended.break_glass, mended.degraded) == (None, None, ("clock",))
    assert facts.again(own, mended="stroke").break_glass == {"reason": "trauma"}


def test_a_place_that_changes_is_told_at_once() -> None:
    found = [Location("GB", "London"), Location("FR")]
    networks = Networks({}, lambda _: found[0])
    facts = ContextFacts(networks, at("2026-03-02T10:59:59"))
    first = facts.build("http", "81.2.69.142", Headers({}))
    assert (first.country, first.city, first.missing) == ("GB", "London", ())
    assert facts.build("http", "81.2.69.142", Headers({})) is first
    document = first.document()
    assert (document["country"], "city" in document, "missing" in document) == ("GB", False, False)
    found.pop(0)
    networks.forget()
    for context in (facts.build("http", "81.2.69.142", Headers({})), facts.again(first)):
        assert (context.country, context.city, context.missing) == ("FR", None, ())


def test_a_country_that_is_not_known_is_absent_and_missing() -> None:
    context = build(at("2026-03-02T10:59:59"))
    assert ("country" in context.document(), context.missing) == (False, ("context.country",))
