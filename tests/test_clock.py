"""The clock: what the operating system says, and how an instant is written."""

import time

import pytest

from leadglass.clock import Clock, SystemClock, rfc3339


def test_the_system_clock_is_the_operating_systems() -> None:
    clock: Clock = SystemClock()
    assert clock.now() == pytest.approx(time.time(), abs=5)
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1_800_000_000.25, "2027-01-15T08:00:00.250000Z"),
        (951_782_400.0, "2000-02-29T00:00:00.000000Z"),
    ],
)
def test_instants_are_rfc_3339_with_microseconds(seconds: float, written: str) -> None:
    assert rfc3339(seconds) == written
