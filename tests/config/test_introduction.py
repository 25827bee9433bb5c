"""What `config check` says of a gateway that only observes."""

from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.clock import rfc3339
from leadglass.config import check as checker
from leadglass.config.load import parse
from leadglass.config.look import Finding
from leadglass.epochs import Epochs
from leadglass.observation.settings import ModeSettings
from leadglass.observation.window import Observation
from leadglass.store import Store
from support.clock import FakeClock
from support.gateway import idp_key, quick_prepare, write_site

DAY = 86_400.0


def site(folder: Path, until: str) -> Path:
    file = write_site(folder, "http://127.0.0.1:9", idp_key(), FakeClock().now())
    file.write_text(f"{file.read_text()}mode: {{observe_until: {until}}}\n")
    return file


def days(number: float) -> str:
    return f'"{rfc3339(FakeClock().now() + number * DAY)}"'


async def said(file: Path) -> list[Finding]:
    with patch.object(checker, "prepare", quick_prepare):
        found = await checker.check(file, FakeClock(), offline=True)
    return [one for one in found if "mode" in one.where]


@pytest.mark.parametrize(
    ("until", "level", "problem"),
    [
        (days(10), "warning", "nothing is enforced"),
        (days(-1), "warning", "it is over, and the gateway enforces"),
        (days(31), "error", "is later than 30 days from now"),
        ('"2027-02-01"', "error", "must be a time with its zone"),
        ('"2027-02-01T08:00:00"', "error", "must be a time with its zone"),
        ('"soon"', "error", "must be a time with its zone"),
        ("20270201", "error", "must be a time with its zone"),
        ("2027-02-01", "error", "must be a time with its zone"),
        ("true", "error", "must be a time with its zone"),
    ],
)
async def test_a_date_is_held_against_the_clock(tmp_path: Path, until: str, level: str, problem: str) -> None:
    (found,) = await said(site(tmp_path, until))
    assert found.level == level
    assert problem in found.problem
    assert "mode.observe_until" in found.where
    assert found.fix


async def test_any_zone_will_do(tmp_path: Path) -> None:
    read = [parse(site(tmp_path, text)) for text in ('"2027-02-01T08:00:00+01:00"', '"2027-02-01T07:00:00Z"')]
    assert {one.mode.observe_until for one in read if not isinstance(one, list)} == {1_801_465_200.0}


async def test_the_window_that_the_store_remembers_counts(tmp_path: Path) -> None:
    file, clock = site(tmp_path, days(25)), FakeClock(FakeClock().now() - 10 * DAY)
    async with await Store.open(tmp_path / "var/leadglass.db") as store:
        mode = ModeSettings(observe_until=rfc3339(clock.now() + DAY))  # type: ignore[arg-type]  # as YAML has it
        await Observation.open(store, mode, clock, Epochs(), lambda *_: None)
    (found,) = await said(file)
    assert (found.level, "30 days after" in found.problem) == ("error", True)
    assert rfc3339(clock.now() + 30 * DAY) in found.fix


async def test_nothing_is_said_of_a_gateway_that_enforces(tmp_path: Path) -> None:
    assert await said(write_site(tmp_path, "http://127.0.0.1:9", idp_key(), FakeClock().now())) == []
