"""The time by the word of others: bounded by the round trip, proof against one liar, caches and nonsense."""

from email.utils import formatdate

import pytest

from leadglass.limits import CLOCK_SOURCES, CLOCK_WORD_SECONDS
from leadglass.skew import Skew
from support.clock import FakeClock


class Place:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.skew = Skew(self.clock)

    def hear(self, off: float, source: str = "idp", *, took: float = 0.0, **more: str) -> None:
        """Hear a source by which our clock is fast by `off`, over a round trip of `took` seconds."""
        sent = self.skew.monotonic()
        self.clock.advance(took)
        self.skew.note(source, {"Date": formatdate(self.clock.now() - off, usegmt=True), **more}, sent)


@pytest.mark.parametrize(
    ("off", "wrong"), [(0, False), (4, False), (-4, False), (8, True), (-8, True), (3600, True), (-3600, True)]
)
def test_off_and_wrong(off: float, wrong: bool) -> None:  # noqa: FBT001 - a row of the table
    place = Place()
    place.hear(off)
    said = place.skew.off()
    assert said is not None
    assert abs(said) <= abs(off)
    assert place.skew.wrong() is wrong


def test_nobody_heard_is_no_verdict() -> None:
    place = Place()
    assert (place.skew.off(), place.skew.wrong()) == (None, False)


def test_a_slow_reply_is_not_held_against_us() -> None:
    place = Place()
    place.hear(8, took=10)  # it may have been said 10 s ago
    assert not place.skew.wrong()
    place.hear(-8, took=10)
    assert place.skew.wrong()  # said in the future, whenever it was


def test_a_step_shows_at_once() -> None:
    place = Place()
    place.hear(0)
    place.clock.step(30)
    assert place.skew.wrong()
    place.clock.step(-30)
    assert not place.skew.wrong()


def test_one_liar_among_three_is_outvoted() -> None:
    place = Place()
    for source, off in (("a", 0), ("b", 0), ("c", 500)):
        place.hear(off, source)
    assert not place.skew.wrong()
    for source in ("a", "b"):
        place.hear(500, source)
    assert place.skew.wrong()


def test_a_word_gets_old() -> None:
    place = Place()
    place.hear(60)
    place.clock.advance(CLOCK_WORD_SECONDS - 1)
    assert place.skew.wrong()
    place.clock.advance(1)
    assert place.skew.off() is None


@pytest.mark.parametrize(
    "fields",
    [{}, {"Date": "yesterday"}, {"Date": ""}, {"Date": "Mon, 99 Jan 2026 00:00:00 GMT"}, {"Date": "x" * 10_000}],
)
def test_nonsense_is_not_heard(fields: dict[str, str]) -> None:
    place = Place()
    place.skew.note("idp", fields, 0.0)
    assert place.skew.off() is None


def test_a_cache_is_not_heard() -> None:
    place = Place()
    place.hear(60, Age="55")
    assert place.skew.off() is None


def test_sources_are_bounded() -> None:
    place = Place()
    for number in range(CLOCK_SOURCES + 10):
        place.hear(0, str(number))
    assert len(place.skew._words) == CLOCK_SOURCES
