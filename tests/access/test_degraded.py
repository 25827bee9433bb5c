"""What the gateway says of itself, and that what runs is judged again when that changes."""

import asyncio
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from leadglass.access.degraded import CONDITIONS, Degraded
from leadglass.audit.writer import Pressure
from leadglass.epochs import Epochs
from leadglass.skew import Skew
from leadglass.telemetry import metrics
from support.clock import FakeClock
from support.gateway import CT, Running, running

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


class Place:
    def __init__(self) -> None:
        self.clock, self.epochs, self.events = FakeClock(), Epochs(), list[tuple[str, Any]]()
        self.pressure: Pressure = "ok"
        self.skew = Skew(self.clock)
        self.degraded = Degraded(
            lambda: self.pressure, self.skew, self.epochs, lambda kind, fields: self.events.append((kind, fields))
        )

    def look(self) -> tuple[str, ...]:
        self.degraded.look()
        return self.degraded()


@pytest.mark.parametrize(
    ("pressure", "said"),
    [("ok", ()), ("warn", ()), ("critical", ("log-disk",)), ("reserve", ("log-disk", "log-reserve"))],
)
def test_the_disk(pressure: Pressure, said: tuple[str, ...]) -> None:
    place = Place()
    place.pressure = pressure
    assert place.look() == said
    for condition in CONDITIONS:
        assert metrics.DEGRADED.values[condition,] == float(condition in said)


def test_the_clock() -> None:
    place = Place()
    place.skew.note("idp", {"Date": formatdate(place.clock.now() - 20, usegmt=True)}, place.clock.monotonic())
    assert place.look() == ("clock",)
    ((kind, fields),) = place.events
    assert (kind, fields["conditions"], fields["was"]) == ("degraded", ("clock",), ())
    assert 18 <= fields["clock_off_seconds"] <= 20


def test_a_change_is_told_once_and_moves_the_epoch() -> None:
    place = Place()
    before = place.epochs.generation
    place.look()
    assert (place.events, place.epochs.generation) == ([], before)
    place.pressure = "critical"
    place.look()
    moved = place.epochs.generation
    assert moved > before
    place.look()
    assert (len(place.events), place.epochs.generation) == (1, moved)
    place.pressure = "ok"
    place.look()
    assert place.events[-1][1]["was"] == ("log-disk",)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as opened:
        yield opened


async def press(run: Running, pressure: Pressure) -> None:
    run.gateway.audit._writer.pressure = pressure
    run.gateway.degraded.look()
    await asyncio.sleep(0)


@pytest.mark.parametrize("pressure", ["critical", "reserve"])
async def test_treatment_goes_on_and_research_waits(run: Running, pressure: Pressure) -> None:
    token = run.token("radiologist", "researcher")
    await press(run, pressure)
    assert (await run.ask(METADATA, token=token)).status == 200
    assert (await run.ask(METADATA, "Leadglass-Purpose: ETREAT", token=token)).status == 200
    answer = await run.ask(METADATA, "Leadglass-Purpose: HRESCH", token=token)
    assert (answer.status, "degraded" in answer.reasons) == (403, True)
    assert run.about(answer)[0]["input"]["context"]["degraded"][0] == "log-disk"
    await press(run, "ok")
    assert (await run.ask(METADATA, "Leadglass-Purpose: HRESCH", token=token)).status == 200


async def test_the_last_of_the_disk_is_for_treatment(run: Running) -> None:
    await press(run, "reserve")
    answer = await run.ask(METADATA, "Leadglass-Purpose: HOPERAT")
    assert (answer.status, answer.reasons) == (403, ["degraded"])
    await press(run, "critical")
    assert (await run.ask(METADATA, "Leadglass-Purpose: HOPERAT")).status == 200
