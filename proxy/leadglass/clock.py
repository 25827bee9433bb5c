"""The clock, as a value that is handed in.

Nothing else in the gateway reads the time: a function that needs it takes a `Clock` or a `now`. Tests hand in a clock
that they move.
"""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the time is."""

    def now(self) -> float:
        """Return seconds since the epoch (UTC), as the operating system tells them."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never steps back."""
        ...


class SystemClock:
    """The operating system's clock."""

    now = staticmethod(time.time)  # noqa: TID251 - this is the door
    monotonic = staticmethod(time.monotonic)  # noqa: TID251 - this is the door


def rfc3339(seconds: float) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
