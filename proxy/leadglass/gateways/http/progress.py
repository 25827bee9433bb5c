"""Whether the other end keeps up: stalls, and rates below the minimum (slow-loris, and readers that hold the archive).

Judged by a sweep over all connections, so that a chunk costs no timer. Only time in which the other end is the one
that is waited for counts.
"""


class Progress:
    """Follows one direction of one connection. Times are monotonic seconds."""

    __slots__ = ("_mark", "_mark_total", "_moved", "_rate", "_stall", "_total")

    def __init__(self, stall: float, rate: float, now: float) -> None:
        self._stall, self._rate = stall, rate
        self._mark = self._moved = now
        self._mark_total = self._total = 0

    def behind(self, now: float, total: int, *, waited_for: bool) -> bool:
        """Take note of `total` bytes so far and return whether the other end is too slow."""
        if not waited_for:
            self._mark = self._moved = now
            self._mark_total = self._total = total
            return False
        if total != self._total:
            self._moved, self._total = now, total
        elif now - self._moved >= self._stall:
            return True
        window = now - self._mark
        if window >= self._stall:
            if total - self._mark_total < self._rate * window:
                return True
            self._mark, self._mark_total = now, total
        return False
