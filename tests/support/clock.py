"""A clock that tests move."""


class FakeClock:
    """Starts at a fixed instant; both faces move together unless told otherwise."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 1_000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Move the wall clock alone, as an administrator or NTP does."""
        self._now += seconds
