"""Epochs: counters that move when something a decision stands on changes.

A lease remembers the epochs it was made under and ends when one moved. Whoever owns the fact bumps its epoch:
`policy`, `attributes`, `config`, `risk`, `issuer:<iss>`, `device:<id>` (state, certificate or posture), `session:<id>`,
`person:<iss> <sub>`.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeAlias

from leadglass.limits import EPOCHS_HELD

Snapshot: TypeAlias = tuple[tuple[str, int], ...]


class Epochs:
    """The counters of one process: each stands at the `generation` in which it last moved.

    Names come and go with sessions and devices. When there are more than EPOCHS_HELD, those that moved longest ago are
    forgotten, and every name that is not known stands where the last of them did: what stood on one of these is asked
    again once, and nothing that has moved is ever taken for unmoved.
    """

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._forgotten = 0  # where names that are not known stand
        self.generation = 0  # how often anything has moved
        self._watchers: list[Callable[[str], None]] = []

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with the name of every epoch that moves, right after it moved."""
        self._watchers.append(watcher)

    def bump(self, name: str) -> None:
        """Say that what `name` stands for has changed."""
        self.generation += 1
        self._counters.pop(name, None)  # the dict is in the order of moves
        self._counters[name] = self.generation
        if len(self._counters) > EPOCHS_HELD:
            self._forget()
        for watcher in self._watchers:
            watcher(name)

    def snapshot(self, names: Iterable[str]) -> Snapshot:
        """Return the present counters of `names`."""
        counters, forgotten = self._counters, self._forgotten
        return tuple((name, counters.get(name, forgotten)) for name in names)

    def current(self, snapshot: Snapshot) -> bool:
        """Return whether none of the counters of `snapshot` has moved."""
        counters, forgotten = self._counters, self._forgotten
        for name, value in snapshot:  # noqa: SIM110 - a loop costs half of `all`, and every request comes by here twice
            if counters.get(name, forgotten) != value:
                return False
        return True

    def _forget(self) -> None:
        """Forget the older half at once: each time, what stands on names that never moved is asked again."""
        for name in list(islice(self._counters, EPOCHS_HELD // 2)):
            self._forgotten = self._counters.pop(name)
