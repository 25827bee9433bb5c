"""What was sent under each lease, summed until it ends.

A viewer opens a CT with some 300 requests under one decision; one completion tells of all that were quick and whole.
A sum is due when its lease must have ended: at the first decision's `valid_until`, by a clock that does not step.
"""

from collections.abc import Iterator

from leadglass.limits import LEASE_SECONDS_MAX, LEASES_HELD


class Sum:
    """Requests, bytes and milliseconds of one lease, and when to write them down (monotonic seconds)."""

    __slots__ = ("bytes", "due", "milliseconds", "uses")

    def __init__(self, due: float) -> None:
        self.due, self.uses, self.bytes, self.milliseconds = due, 0, 0, 0


class Sums:
    """The leases whose sum is not written yet, by the id of the decision they come from."""

    def __init__(self) -> None:
        self._open: dict[str, Sum] = {}

    def add(self, leased_from: str, sent: int, milliseconds: int, lasts: float, monotonic: float) -> None:
        """Count one exchange. `lasts` is how many seconds the lease has left."""
        total = self._open.get(leased_from)
        if total is None:
            total = self._open[leased_from] = Sum(monotonic + min(max(0.0, lasts), LEASE_SECONDS_MAX))
        total.uses += 1
        total.bytes += sent
        total.milliseconds += milliseconds

    def take(self, monotonic: float, *, final: bool = False) -> Iterator[tuple[str, Sum]]:
        """Yield and forget the sums that are due: all of them in the end, the oldest when there are too many."""
        surplus = len(self._open) - LEASES_HELD
        for number, (name, total) in enumerate(list(self._open.items())):
            if final or number < surplus or total.due <= monotonic:
                del self._open[name]
                yield name, total
