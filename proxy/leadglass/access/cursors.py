"""Where a person's search stopped, so that its next page goes on there: PS3.18 section 8.3.4.4 counts in rows that are seen.

An archive counts all rows. A place among those that are seen is therefore looked for from the first row on, unless it is
known from the page before: then the next page goes on there, and does not show again what was seen, in whatever order the
archive brings it when studies come in meanwhile. A walk belongs to one person in one session and one search, is forgotten
after a minute, and holds digests of rows that this person was shown, nothing of others.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from leadglass.clock import Clock
from leadglass.hazmat.mac import mac, new_key
from leadglass.limits import (
    CURSOR_ROWS,
    CURSOR_ROWS_ALL,
    CURSOR_SECONDS,
    CURSORS_EACH,
    SEARCH_AGAIN,
    SEARCH_BLUR,
    SEARCH_SCANNED,
)

Owner = tuple[str, str, bytes | str]
"""The person's issuer and id, and what proves the session: its id, or the hash of the token."""
_Name = tuple[Owner, str]


class Place(NamedTuple):
    """Where to begin: at this row of the archive, after so many that are seen, which are `seen` (their identities)."""

    row: int
    shown: int
    seen: frozenset[int]
    again: int = 0  # so many rows of the archive before the end of the page before


START: Final = Place(0, 0, frozenset())


@dataclass(slots=True)
class _Walk:
    """One search under way. `seen` are its rows in order; `ends` maps how many there were to the archive's row after."""

    at: float
    seen: list[int] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)


class Cursors:
    """The walks of all persons."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._key = clock, new_key()
        self._walks: OrderedDict[_Name, _Walk] = OrderedDict()  # the one used last is the last
        self._each: dict[tuple[str, str], dict[_Name, None]] = {}  # the same of each person
        self._rows = 0

    def find(self, owner: Owner, search: str, offset: int) -> Place:
        """Return where to begin for the rows from `offset` on: the nearest place before it that is known.

        The first page begins anew, as what is asked for again should be.
        """
        walk = self._walks.get((owner, search))
        if walk is None or offset == 0:
            return START
        if self._clock.monotonic() - walk.at >= CURSOR_SECONDS:
            self._forget((owner, search))
            return START
        shown = max((count for count in walk.ends if count <= offset), default=0)
        if shown == 0:
            return START
        end = walk.ends[shown]
        again = min(end, SEARCH_AGAIN)
        return Place(end - again, shown, frozenset(walk.seen[:shown]), again)

    def keep(self, owner: Owner, search: str, begun: Place, seen: Sequence[int], row: int) -> None:
        """Remember that a page that began there showed these rows, and ended before this row of the archive."""
        name, now = (owner, search), self._clock.monotonic()
        walk = self._walks.get(name)
        if begun.shown and (walk is None or begun.shown > len(walk.seen)):
            return  # forgotten, or begun anew by another page meanwhile
        if walk is not None:
            self._forget(name)
        if walk is None or begun.shown == 0:
            walk = _Walk(now)
        walk.seen[begun.shown :] = seen
        walk.ends = {count: end for count, end in walk.ends.items() if count <= begun.shown}
        walk.ends[len(walk.seen)] = row
        walk.at = now
        if len(walk.seen) > CURSOR_ROWS:
            return
        self._walks[name] = walk
        self._each.setdefault(owner[:2], {})[name] = None
        self._rows += len(walk.seen)
        self._tidy(owner, now)

    def reach(self, owner: Owner, keys: str) -> int:
        """Return how many rows of the archive a search may look through for one page. `keys` say what it matches.

        That is blurred, by the same for the same person and keys: from where a search without a mark stopped, one could
        count to a row how many are hidden, and asking often would average an honest chance away.
        """
        issuer, person, _ = owner
        told = mac(self._key, f"{issuer}\0{person}\0{keys}".encode("utf-8", "surrogatepass"))
        return SEARCH_SCANNED - int.from_bytes(told[:4]) % (SEARCH_BLUR + 1)

    def _tidy(self, owner: Owner, now: float) -> None:
        for name in list(self._each[owner[:2]])[:-CURSORS_EACH]:
            self._forget(name)
        while self._walks:
            name, walk = next(iter(self._walks.items()))
            if now - walk.at < CURSOR_SECONDS and self._rows <= CURSOR_ROWS_ALL:
                break
            self._forget(name)

    def _forget(self, name: _Name) -> None:
        self._rows -= len(self._walks.pop(name).seen)
        mine = self._each[name[0][:2]]
        del mine[name]
        if not mine:
            del self._each[name[0][:2]]

    def __len__(self) -> int:
        return len(self._walks)
