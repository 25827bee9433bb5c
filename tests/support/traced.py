"""A gateway that traces every exchange to a collector of the test's own, and what must not stand in what it gets."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from leadglass.traces import exporter
from support.clock import FakeClock
from support.collector import Collector, collector
from support.gateway import SEEDS, Running, running


class TickingClock(FakeClock):
    """A microsecond passes between two looks, so that what comes later is later."""

    def monotonic(self) -> float:
        self.advance(0.000_001)
        return super().monotonic()


def telemetry(url: str, more: str = "sample: 1") -> str:
    """Return the lines of leadglass.yaml."""
    return f"telemetry: {{traces: {{otlp: '{url}', {more}}}}}\n"


def adding(lines: str) -> Callable[[Path], None]:
    """Return the change of a site that adds lines to its file."""

    def change(folder: Path) -> None:
        file = folder / "leadglass.yaml"
        file.write_text(file.read_text() + lines)

    return change


@asynccontextmanager
async def prompt_collector() -> AsyncIterator[Collector]:
    """Open a collector to which spans go at once."""
    with patch.object(exporter, "TRACE_WAIT_SECONDS", 0.01):
        async with collector() as kept:
            yield kept


@asynccontextmanager
async def traced(
    folder: Path,
    more: str = "sample: 1",
    lines: str = "",
    **site: Any,  # noqa: ANN401 - of `running`
) -> AsyncIterator[tuple[Running, Collector]]:
    """Open collector and gateway."""
    async with (
        prompt_collector() as kept,
        running(folder, change=adding(telemetry(kept.url, more) + lines), clock=TickingClock(), **site) as run,
    ):
        yield run, kept


def leaks(kept: Collector, known: Iterable[str], decisions: Iterable[str]) -> dict[str, bytes]:
    """Return what is known and stands in a trace, and around where."""
    everything = b"\n".join(kept.posts)
    for decision in decisions:  # the one link there is, and letters at random
        everything = everything.replace(decision.encode(), b"")
    found = {}
    for text in known:
        at = everything.find(text.encode())
        if at >= 0:
            found[text] = everything[max(0, at - 60) : at + 60]
    return found


def patients() -> Iterable[str]:
    for study in SEEDS.values():
        yield from (study.uid, study.series, study.patient_id, *(one.sop for one in study.instances))
    yield from ("Demo^", "Cancer", "Chest", "Ultrasound", "Demo Hospital", "Referring", "19700101", "C71.9", "staging")
