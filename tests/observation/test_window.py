"""Until when a gateway observes: a window that opens once, closes by itself, and is never moved on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from leadglass.clock import rfc3339
from leadglass.epochs import Epochs
from leadglass.limits import OBSERVE_REMIND_SECONDS, OBSERVE_SECONDS
from leadglass.model.errors import ConfigurationError
from leadglass.observation.settings import ModeSettings
from leadglass.observation.window import Observation
from leadglass.store import Store
from leadglass.telemetry import metrics
from support.clock import FakeClock

DAY = 86_400.0


class Place:
    """A store that is started on again and again."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.epochs = store, FakeClock(), Epochs()
        self.events: list[tuple[str, Any]] = []

    def mode(self, days: float | None) -> ModeSettings:
        return ModeSettings(observe_until=None if days is None else rfc3339(self.clock.now() + days * DAY))  # type: ignore[arg-type]  # as YAML has it

    async def start(self, days: float | None) -> Observation:
        return await Observation.open(
            self.store,
            self.mode(days),
            self.clock,
            self.epochs,
            lambda kind, fields: self.events.append((kind, fields)),
        )

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await Store.open(tmp_path / "leadglass.db") as store:
        yield Place(store)


async def test_without_the_setting_it_enforces(place: Place) -> None:
    window = await place.start(None)
    assert window() is None
    assert window.document() == {"mode": "enforce"}
    assert place.events == []


async def test_it_observes_until_the_date_and_then_ends_by_itself(place: Place) -> None:
    window = await place.start(2)
    until = place.clock.now() + 2 * DAY
    assert window() == pytest.approx(until)
    assert window.document() == {
        "mode": "observe",
        "observe_until": rfc3339(until),
        "observing_since": rfc3339(place.clock.now()),
    }
    (gauge,) = metrics.OBSERVING.family().samples
    assert gauge.value == pytest.approx(2 * DAY)
    place.clock.advance(2 * DAY - 1)
    window.look()
    assert window() is not None
    before = place.epochs.generation
    place.clock.advance(1)
    assert window() is None, "the moment counts, not the look"
    window.look()
    window.look()
    assert place.kinds == ["observation-began", "observation-ended"]
    assert place.events[-1][1]["by"] == "date"
    assert place.epochs.generation == before + 1, "what runs is judged again, once"


async def test_a_clock_set_back_prolongs_nothing(place: Place) -> None:
    window = await place.start(1)
    place.clock.advance(DAY - 10)
    place.clock.step(-DAY / 2)
    place.clock.advance(10)
    assert window() is None
    window.look()
    assert place.kinds[-1] == "observation-ended"


@pytest.mark.parametrize(
    ("began", "now", "days", "problem"),
    [
        (None, 0, 29.9, None),
        (None, 0, 30.1, "is later than 30 days from now"),
        (0, 20, 9.9, None),
        (0, 20, 10.1, "is later than 30 days after"),
        (0, 31, 1, "is later than 30 days after"),  # closed for good
        (0, 31, -1, None),  # a date that is over asks for nothing
        (0, -1, 5, "observation began later"),
    ],
)
async def test_thirty_days_from_the_first_start_that_observes_and_no_more(
    place: Place, began: float | None, now: float, days: float, problem: str | None
) -> None:
    if began is not None:
        assert (await place.start(1))() is not None
    place.clock.step(now * DAY)
    if problem is None:
        assert ((await place.start(days))() is not None) == (days > 0)
        return
    with pytest.raises(ConfigurationError, match=problem) as told:
        await place.start(days)
    assert told.value.where == "mode.observe_until"
    assert told.value.hint


async def test_a_window_is_remembered_while_the_setting_is_away(place: Place) -> None:
    await place.start(5)
    place.clock.advance(10 * DAY)
    assert (await place.start(None))() is None
    assert (await place.start(15))() is not None, "back within the 30 days"
    place.clock.advance(OBSERVE_SECONDS - 10 * DAY)
    with pytest.raises(ConfigurationError):
        await place.start(1)


async def test_a_date_in_the_past_is_said_and_begins_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    assert (await place.start(-1))() is None
    assert "it is over, and the gateway enforces" in caplog.text
    assert place.events == []
    place.clock.advance(40 * DAY)
    assert (await place.start(30))() is not None, "no window was begun"


@pytest.mark.parametrize(
    ("runs", "reloaded", "refused"),
    [
        (None, None, False),
        (None, 1, True),
        (5, 5, False),
        (5, 4, False),
        (5, None, False),
        (5, -1, False),
        (5, 6, True),
    ],
)
async def test_a_reload_makes_it_stricter_or_is_refused(
    place: Place, runs: float | None, reloaded: float | None, *, refused: bool
) -> None:
    window = await place.start(runs)
    if refused:
        with pytest.raises(ConfigurationError, match="cannot begin or go further"):
            window.may_become(place.mode(reloaded))
        return
    window.may_become(place.mode(reloaded))
    window.become(place.mode(reloaded))
    enforces = reloaded is None or reloaded < 0
    assert (window() is None) == enforces
    if runs is not None and enforces:
        assert place.events[-1][0] == "observation-ended"
        assert place.events[-1][1]["by"] == "reload"


async def test_a_shorter_date_counts(place: Place) -> None:
    window = await place.start(5)
    window.become(place.mode(1))
    place.clock.advance(DAY)
    assert window() is None


async def test_the_log_says_it_at_the_start_and_every_hour(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    window = await place.start(1)
    assert caplog.text.count("OBSERVING, NOT ENFORCING") == 1
    window.look()
    assert caplog.text.count("OBSERVING, NOT ENFORCING") == 1
    place.clock.advance(OBSERVE_REMIND_SECONDS)
    window.look()
    assert caplog.text.count("OBSERVING, NOT ENFORCING") == 2
