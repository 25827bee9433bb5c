"""Until when a gateway observes: what it would refuse passes, and is written down (law 2, docs/adr/0016).

The window belongs to a store: it begins with the first start that observes, and closes for good 30 days later, whatever
dates are set meanwhile. It ends by itself, by whichever of two clocks is there first; what runs is then judged again. While
the gateway runs the date may come nearer, and never go further.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from sqlalchemy import insert, select

from leadglass.clock import Clock, rfc3339
from leadglass.epochs import Epochs
from leadglass.limits import OBSERVE_REMIND_SECONDS, OBSERVE_SECONDS
from leadglass.model.errors import ConfigurationError
from leadglass.observation.settings import ModeSettings
from leadglass.observation.tables import OBSERVATION
from leadglass.store import Store
from leadglass.telemetry import metrics

_log = logging.getLogger("leadglass.observation")
_WHERE: Final = "mode.observe_until"
_DAYS: Final = OBSERVE_SECONDS // 86_400

Note = Callable[[str, Mapping[str, Any]], None]


def check(mode: ModeSettings, began: float | None, now: float) -> None:
    """Hold a date against the 30 days. `began` is when this store first observed. Raises ConfigurationError."""
    until = mode.observe_until
    if until is None or until <= now:
        return
    if began is not None and now < began:
        raise ConfigurationError(
            f"the clock says {rfc3339(now)}, and observation began later, on {rfc3339(began)}",
            where=_WHERE, hint="set the clock right, or remove the setting: then the gateway enforces",
        )  # fmt: skip
    last = (now if began is None else began) + OBSERVE_SECONDS
    if until > last:
        since = "from now" if began is None else f"after {rfc3339(began)}, when this gateway first observed"
        raise ConfigurationError(
            f"is later than {_DAYS:.0f} days {since}",
            where=_WHERE, hint=f"name a time until {rfc3339(last)}, or remove the setting: then the gateway enforces"
        )  # fmt: skip


class Observation:
    """The window of one gateway. Called, it says until when refusals are let through; None when they are carried out."""

    def __init__(self, began: float | None, clock: Clock, epochs: Epochs, note: Note) -> None:
        self._began, self._clock, self._epochs, self._note = began, clock, epochs, note
        self._until: float | None = None
        self._ends = 0.0  # the same by the monotonic clock, which nobody sets back
        self._reminded = 0.0
        metrics.OBSERVING.watch((), lambda: max(0.0, (self() or 0.0) - clock.now()))

    @classmethod
    async def open(cls, store: Store, mode: ModeSettings, clock: Clock, epochs: Epochs, note: Note) -> Self:
        """Begin, or go on, as `mode` says. Raises ConfigurationError, and Refusal `store-unavailable`."""
        async with store.transaction() as connection:
            began = (await connection.execute(select(OBSERVATION.c.began))).scalar()
        now, until = clock.now(), mode.observe_until
        check(mode, began, now)
        observes = until is not None and now < until
        if observes and began is None:
            async with store.transaction() as connection:
                await connection.execute(insert(OBSERVATION).values(began=now))
            began = now
        window = cls(began, clock, epochs, note)
        if until is not None and observes:
            window._begin(until)
        elif until is not None:
            _log.warning("%s was %s: it is over, and the gateway enforces", _WHERE, rfc3339(until))
        return window

    def __call__(self) -> float | None:
        """Return until when refusals are let through (epoch seconds), None while they are carried out."""
        until = self._until
        if until is None or self._clock.now() >= until or self._clock.monotonic() >= self._ends:
            return None
        return until

    def _begin(self, until: float) -> None:
        self._until, self._ends = until, self._clock.monotonic() + until - self._clock.now()
        self._note("observation-began", self.document())
        self._remind()

    def _remind(self) -> None:
        self._reminded = self._clock.monotonic()
        if self._until is not None:
            _log.warning(
                "OBSERVING, NOT ENFORCING, until %s: what policy refuses passes and is written down; "
                "`leadglass audit readiness` says what that is",
                rfc3339(self._until),
            )

    def look(self) -> None:
        """See whether the time is over, and say again and again while it is not."""
        if self._until is None:
            return
        if self() is None:
            self._over("date")
        elif self._clock.monotonic() - self._reminded >= OBSERVE_REMIND_SECONDS:
            self._remind()

    def _over(self, by: str) -> None:
        said = {**self.document(), "by": by}
        self._until = None
        _log.warning("observation is over: the gateway enforces from now on")
        self._note("observation-ended", said)
        self._epochs.bump("config")

    def may_become(self, mode: ModeSettings) -> None:
        """Hold a reload to making it stricter. Raises ConfigurationError."""
        until = mode.observe_until
        if until is not None and until > max(self() or 0.0, self._clock.now()):
            raise ConfigurationError(
                "cannot begin or go further while the gateway runs", where=_WHERE,
                hint="name an earlier time, remove the setting, or restart the gateway",
            )  # fmt: skip

    def become(self, mode: ModeSettings) -> None:
        """Take over what a reload says, after `may_become`."""
        if self._until is None or mode.observe_until == self._until:
            return
        if mode.observe_until is None or mode.observe_until <= self._clock.now():
            self._over("reload")
        else:
            self._begin(mode.observe_until)

    def document(self) -> dict[str, Any]:
        """Say how it is, for health, status and record."""
        until = self()
        if until is None or self._began is None:
            return {"mode": "enforce"}
        return {"mode": "observe", "observe_until": rfc3339(until), "observing_since": rfc3339(self._began)}
