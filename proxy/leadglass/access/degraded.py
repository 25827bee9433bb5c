"""Which of the gateway's own conditions are not as they should be: `context.degraded`, looked at every second.

When they change, what runs is judged again (law 7), and the record, the log and the metric say so. What is refused
meanwhile is for policy to say (policies/leadglass/rules/egress/degraded).
"""

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from leadglass.audit.writer import Pressure
from leadglass.epochs import Epochs
from leadglass.skew import Skew
from leadglass.telemetry import metrics

_log = logging.getLogger("leadglass.access")
_DISK: Final[Mapping[Pressure, tuple[str, ...]]] = MappingProxyType(
    {"critical": ("log-disk",), "reserve": ("log-disk", "log-reserve")}
)
CONDITIONS: Final = ("log-disk", "log-reserve", "clock")


class Degraded:
    """The conditions that hold now. `note` writes an event."""

    def __init__(
        self,
        pressure: Callable[[], Pressure],
        skew: Skew,
        epochs: Epochs,
        note: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._pressure, self._skew, self._epochs, self._note = pressure, skew, epochs, note
        self._now: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Return them, as of the last look."""
        return self._now

    def look(self) -> None:
        """Look again."""
        disk, off = _DISK.get(self._pressure(), ()), self._skew.off()
        now = (*disk, "clock") if self._skew.wrong() else disk
        for condition in CONDITIONS:
            metrics.DEGRADED.set((condition,), float(condition in now))
        if now == self._now:
            return
        was, self._now = self._now, now
        _log.warning("degraded: %s (was: %s)", ", ".join(now) or "no more", ", ".join(was) or "not")
        clock_off = None if off is None else round(off, 3)
        self._note("degraded", {"conditions": now, "was": was, "clock_off_seconds": clock_off})
        self._epochs.bump("config")
