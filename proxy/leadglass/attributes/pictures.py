"""What research views have to know of a study: who text is cleaned of, and which instances may show the patient.

Both come from the archive in fixed queries, and are held for a while. The people are the same for a row, an attribute and a
file of one study, so that all say the same.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from leadglass.attributes.rows import INSTANCE_UID, Row, texts
from leadglass.clock import Clock
from leadglass.codec.query import SERIES_UID, STUDY_UID
from leadglass.deid import known
from leadglass.deid.headers import header_of
from leadglass.deid.instance import Header
from leadglass.deid.known import Known
from leadglass.limits import (
    FACTS_SECONDS,
    INSTANCES_LISTED,
    PEOPLE_HELD,
    PICTURES_HELD,
    PICTURES_SECONDS,
)
from leadglass.model.errors import FactsUnavailable, refuse
from leadglass.model.ports import FactsDoor
from leadglass.model.reasons import Code
from leadglass.tasks import Tasks

Headers: TypeAlias = Mapping[str, Header]
"""The headers of the instances of one series, by SOP Instance UID."""
_Place: TypeAlias = tuple[str, str]
_TAGS: Final = (*known.PEOPLE, *known.PLACES)


class Pictures:
    """What is known for views of the studies of one archive."""

    def __init__(self, door: FactsDoor, clock: Clock, tasks: Tasks) -> None:
        self._door, self._clock, self._tasks = door, clock, tasks
        self._people: OrderedDict[str, tuple[Known, float]] = OrderedDict()
        self._series: OrderedDict[_Place, tuple[Headers, float]] = OrderedDict()
        self._whole: dict[str, float] = {}  # study -> when all of its series were listed
        self._count = 0
        self._asking: dict[tuple[str, str | None], asyncio.Future[None]] = {}

    async def people(self, uids: Sequence[str]) -> Mapping[str, Known]:
        """Return what text of these studies is cleaned of. Raises Refusal `upstream-unreachable`."""
        now = self._clock.monotonic()
        found: dict[str, Known] = {}
        unasked: list[str] = []
        for uid in dict.fromkeys(uids):
            held = self._people.get(uid)
            if held is not None and now - held[1] < FACTS_SECONDS:
                found[uid] = held[0]
            else:
                unasked.append(uid)
        if unasked:
            try:
                studies, series = await self._door.people(unasked)
            except FactsUnavailable as error:
                raise refuse(Code.UPSTREAM_UNREACHABLE, f"nobody says whom the study names: {error}") from error
            for uid in unasked:
                found[uid] = _known(uid, studies, series, alone=len(unasked) == 1)
                self._people.pop(uid, None)
                self._people[uid] = found[uid], now
            while len(self._people) > PEOPLE_HELD:
                self._people.popitem(last=False)
        return found

    async def of_study(self, study: str) -> Mapping[str, Headers]:
        """Return the headers of all instances, by series. Raises Refusal `upstream-unreachable`, `upstream-invalid`."""
        if not self._current(self._whole.get(study)):
            await self._once(study, None)
        return {series: held for (of, series), (held, _) in self._series.items() if of == study}

    async def of_series(self, study: str, series: str) -> Headers:
        """Return the headers of a series' instances; none when there is no such series. Raises as `of_study`."""
        held = self._series.get((study, series))
        if held is None or not self._current(held[1]):
            await self._once(study, series)
            held = self._series.get((study, series))
        return {} if held is None else held[0]

    def drop(self, study: str) -> None:
        """Forget a study that a store or delete is about to change or has changed."""
        self._people.pop(study, None)
        self._whole.pop(study, None)
        for place in [place for place in self._series if place[0] == study]:
            self._forget(place)

    def _current(self, at: float | None) -> bool:
        return at is not None and self._clock.monotonic() - at < PICTURES_SECONDS

    async def _once(self, study: str, series: str | None) -> None:
        """Ask, once for all who wait for the same."""
        running = self._asking.get((study, series))
        if running is None:
            running = self._asking[study, series] = self._tasks.spawn(self._ask(study, series), name="pictures")
        await asyncio.shield(running)

    async def _ask(self, study: str, series: str | None) -> None:
        try:
            rows = await self._door.pictures(study, series)
        except FactsUnavailable as error:
            raise refuse(Code.UPSTREAM_UNREACHABLE, f"nobody says what pictures these are: {error}") from error
        finally:
            self._asking.pop((study, series), None)
        now = self._clock.monotonic()
        if series is None:
            self._whole[study] = now
            while len(self._whole) > PEOPLE_HELD:
                self._whole.pop(next(iter(self._whole)))
        for name, headers in _sorted(rows, study, series).items():
            self._forget((study, name))
            self._series[study, name] = headers, now
            self._count += len(headers)
        while self._count > PICTURES_HELD and len(self._series) > 1:
            oldest = next(iter(self._series))
            self._whole.pop(oldest[0], None)
            self._forget(oldest)

    def _forget(self, place: _Place) -> None:
        held = self._series.pop(place, None)
        if held is not None:
            self._count -= len(held[0])


def _known(uid: str, studies: Iterable[Row], series: Iterable[Row], *, alone: bool) -> Known:
    """Return what the rows of one study name; nothing at all where the archive has not exactly one study of that UID."""
    mine = [row for row in studies if texts(row, STUDY_UID) == (uid,)]
    if len(mine) != 1:
        return Known()
    values: dict[int, list[str]] = {}
    for row in (*mine, *(row for row in series if (named := texts(row, STUDY_UID)) == (uid,) or (alone and not named))):
        for tag in _TAGS:
            values.setdefault(tag, []).extend(known.texts(row.get(f"{tag:08X}")))
    return Known.of(values)


def _sorted(rows: Sequence[dict[str, Any]], study: str, series: str | None) -> dict[str, dict[str, Header]]:
    """Return the headers by series. Raises Refusal `upstream-invalid` for rows of others, or too many."""
    found: dict[str, dict[str, Header]] = {} if series is None else {series: {}}
    if len(rows) > INSTANCES_LISTED:
        raise refuse(Code.UPSTREAM_INVALID, "more instances than are listed")
    for row in rows:
        uid, of, named = texts(row, INSTANCE_UID), texts(row, STUDY_UID), texts(row, SERIES_UID) or (series or "",)
        if len(uid) != 1 or of not in {(study,), ()} or len(named) != 1 or (series is not None and named != (series,)):
            raise refuse(Code.UPSTREAM_INVALID, "the listing names other studies or series")
        if not named[0]:
            raise refuse(Code.UPSTREAM_INVALID, "an instance without its series")
        found.setdefault(named[0], {})[uid[0]] = header_of(row)
    return found
