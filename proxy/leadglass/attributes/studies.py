"""Facts about studies: two fixed queries to the archive, checked, joined with what the sources know of the patient.

Held for 30 seconds, because modalities add series over DIMSE behind our back; asked for once however many wait; dropped
when a store or delete passes by. What is not there is held as long as what is, so that asking again costs the archive
the same in both cases and the time it takes tells nobody which it was.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from leadglass.attributes.pictures import Pictures
from leadglass.attributes.rows import Found, found, listing
from leadglass.attributes.sources import Sources
from leadglass.clock import Clock
from leadglass.limits import FACTS_CACHE, FACTS_RECHECK_SECONDS, FACTS_SECONDS, INSTANCES_HELD
from leadglass.model.errors import FactsUnavailable, refuse
from leadglass.model.facts import Study
from leadglass.model.ports import FactsDoor
from leadglass.model.reasons import Code
from leadglass.tasks import Tasks


@dataclass(slots=True)
class _Listing:
    """The SOP Instance UIDs of one series, and when they were listed."""

    uids: frozenset[str]
    at: float


@dataclass(slots=True)
class _Held:
    """What is held of one Study Instance UID: whole or not at all."""

    found: Found
    at: float
    study: Study | None = None  # with the patient's facts, None when any of them is missing
    generation: int = -1
    listings: dict[str, _Listing] = field(default_factory=dict)
    listing_now: dict[str, "asyncio.Future[_Listing]"] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Flight:
    """A query under way for one UID. `stale` when the study changed meanwhile: its answer is given but not held."""

    future: "asyncio.Future[Found]"
    stale: bool = False


Begun: TypeAlias = dict[str, tuple[object, int]]
"""UID -> what it is being stored as, by how many."""


class StudyFacts:
    """What is known of studies. Owns its queries: `close` ends them.

    `pictures` is what views have to know beyond that. `begun` is what is being stored in the archive, by whatever name and since whatever reload it is asked.
    """

    def __init__(self, door: FactsDoor, clock: Clock, sources: Sources, begun: Begun | None = None) -> None:
        self._door, self._clock, self._sources, self._tasks = door, clock, sources, Tasks()
        self._held: dict[str, _Held] = {}
        self._flights: dict[str, _Flight] = {}
        self.begun: Begun = {} if begun is None else begun
        self._instances = 0  # over all listings
        self.pictures = Pictures(door, clock, self._tasks)

    async def close(self) -> None:
        """Stop what is under way."""
        await self._tasks.close()

    def cached(self, uid: str) -> Study | None:
        """Return a study whose facts are all at hand; None sends the caller to `gather`."""
        held = self._held.get(uid)
        if held is None or held.generation != self._sources.generation:
            return None
        return held.study if self._clock.monotonic() - held.at < FACTS_SECONDS else None

    async def gather(
        self, uids: Sequence[str], *, fresh: bool = False, page: bool = False
    ) -> tuple[dict[str, Study], tuple[str, ...]]:
        """Return the studies that exist, in the order asked for, and the facts that could not be had.

        A study that does not exist is not among them. Paths such as `studies[0].modalities` count the studies returned.
        With `fresh` (stores), that a study does not exist is asked anew. Raises Refusal `study-ambiguous`; on a `page` such
        a study is left out instead, so that one broken study does not hide all others.
        """
        answers = await self._ask(tuple(dict.fromkeys(uids)), fresh=fresh)
        studies: dict[str, Study] = {}
        missing: list[str] = []
        for uid, answer in answers.items():
            if answer.count > 1 and not page:
                raise refuse(Code.STUDY_AMBIGUOUS, count=str(answer.count))
            if answer.study is None:
                continue
            study, lacking = self._complete(uid, answer)
            missing += (f"studies[{len(studies)}].{name}" for name in lacking)
            studies[uid] = study
        return studies, tuple(missing)

    def enrich(self, study: Study) -> tuple[Study, tuple[str, ...]]:
        """Add the patient's facts to a study; also to one that a store names and the archive does not hold yet.

        The second value names the fields that are missing.
        """
        facts = self._sources.facts(study.patient_id, study.issuer_of_patient_id)
        whole = replace(study, conditions=facts.conditions, care_team=facts.care_team, consent=facts.consent)
        return whole, facts.missing

    def drop(self, uid: str) -> None:
        """Forget a study that a store or delete is about to change or has changed."""
        self._forget(uid)
        self.pictures.drop(uid)
        flight = self._flights.pop(uid, None)
        if flight is not None:
            flight.stale = True

    def begin(self, uid: str, told: object) -> bool:
        """Take note that a store writes under `uid`, before the archive is asked; False when another tells it otherwise.

        Two stores at once would otherwise both be told by the archive that there is no such study yet, and begin it
        under two patients. `end` ends it, once the archive has what the store sent.
        """
        held, count = self.begun.get(uid, (told, 0))
        if held != told:
            return False
        self.begun[uid] = (told, count + 1)
        return True

    def end(self, uid: str) -> None:
        """Say that a store that began `uid` is over."""
        told, count = self.begun[uid]
        if count > 1:
            self.begun[uid] = (told, count - 1)
        else:
            del self.begun[uid]

    def placed(self, study: Study, series: str, instance: str | None = None) -> bool:
        """Return whether series and instance are known to lie in this study; False sends the caller to `hierarchy`."""
        if series not in study.series:
            return False
        if instance is None:
            return True
        held = self._held.get(study.study_uid)
        listed = held.listings.get(series) if held is not None else None
        return listed is not None and instance in listed.uids and self._clock.monotonic() - listed.at < FACTS_SECONDS

    async def hierarchy(self, study: Study, series: str, instance: str | None = None) -> Study:
        """Make sure that series and instance lie in this study, which the archive itself does not check.

        Returns the study as it is known afterwards: when that is not the one given, it changed meanwhile and has to be
        judged anew. Raises Refusal `study-not-visible`, or `upstream-unreachable` when the archive cannot say.
        """
        if series not in study.series:
            study = await self._again(study)
            if series not in study.series:
                raise refuse(Code.STUDY_NOT_VISIBLE, "the series is not of this study")
        if instance is None or self.placed(study, series, instance):
            return study
        listed = await self._listing(study.study_uid, series)
        if instance not in listed.uids:
            if self._clock.monotonic() - listed.at >= FACTS_RECHECK_SECONDS:
                listed = await self._listing(study.study_uid, series, newer_than=listed.at)
            if instance not in listed.uids:
                raise refuse(Code.STUDY_NOT_VISIBLE, "the instance is not of this series")
        return study

    async def _again(self, study: Study) -> Study:
        """Return the study with its series as they are now, asked for at most once in a short time."""
        uid = study.study_uid
        held = self._held.get(uid)
        if held is None or self._clock.monotonic() - held.at >= FACTS_RECHECK_SECONDS:
            self.drop(uid)
        studies, missing = await self.gather([uid])
        if uid not in studies:
            raise refuse(Code.STUDY_NOT_VISIBLE, "the study is gone")
        if missing and not studies[uid].series:
            raise refuse(Code.UPSTREAM_UNREACHABLE, "the archive did not list the series")
        return studies[uid]

    def _complete(self, uid: str, answer: Found) -> tuple[Study, tuple[str, ...]]:
        if answer.study is None:
            raise AssertionError("only a study that exists can be completed")
        held = self._held.get(uid)
        generation = self._sources.generation
        if held is not None and held.found is answer and held.generation == generation and held.study is not None:
            return held.study, ()
        study, lacking = self.enrich(answer.study)
        missing = (*answer.missing, *lacking)
        if held is not None and held.found is answer:
            held.generation, held.study = generation, None if missing else study
        return study, missing

    async def _ask(self, uids: tuple[str, ...], *, fresh: bool) -> dict[str, Found]:
        now = self._clock.monotonic()
        answers: dict[str, Found | None] = dict.fromkeys(uids)
        waiting: dict[str, _Flight] = {}
        unasked: list[str] = []
        for uid in uids:
            held = self._held.get(uid)
            if held is not None and now - held.at < FACTS_SECONDS and not (fresh and held.found.study is None):
                answers[uid] = held.found
            elif (flight := self._flights.get(uid)) is not None and not fresh:
                waiting[uid] = flight
            else:
                unasked.append(uid)
        if unasked:
            loop = asyncio.get_running_loop()
            flights = {uid: _Flight(loop.create_future()) for uid in unasked}
            for uid, flight in flights.items():
                if (older := self._flights.get(uid)) is not None:
                    older.stale = True
                self._flights[uid] = flight
            waiting |= flights
            self._tasks.spawn(self._fly(flights), name="facts of studies")
        for uid, flight in waiting.items():
            answers[uid] = await asyncio.shield(flight.future)  # one who is cancelled does not cancel the others
        return {uid: answer for uid, answer in answers.items() if answer is not None}

    async def _fly(self, flights: dict[str, _Flight]) -> None:
        """Ask for a page of studies at once and give each its answer, also when asking fails."""
        uids = list(flights)
        studies: list[dict[str, Any]] | None = None
        series: list[dict[str, Any]] | None = None
        try:
            results = await asyncio.gather(self._door.studies(uids), self._door.series(uids), return_exceptions=True)
            studies, series = (self._rows(result) for result in results)
        finally:
            for uid, flight in flights.items():
                answer = found(uid, studies, series, alone=len(uids) == 1)
                if self._flights.get(uid) is flight:
                    del self._flights[uid]
                if answer.whole and not flight.stale:
                    self._hold(uid, answer)
                if not flight.future.done():
                    flight.future.set_result(answer)

    @staticmethod
    def _rows(result: list[dict[str, Any]] | BaseException) -> list[dict[str, Any]] | None:
        if isinstance(result, FactsUnavailable):
            return None
        if isinstance(result, BaseException):
            raise result
        return result

    def _hold(self, uid: str, answer: Found) -> None:
        self._forget(uid)
        while len(self._held) >= FACTS_CACHE:
            self._forget(next(iter(self._held)))  # all are held equally long: the first to come is the first to go
        self._held[uid] = _Held(answer, self._clock.monotonic())

    def _forget(self, uid: str) -> None:
        held = self._held.pop(uid, None)
        if held is not None:
            self._instances -= sum(len(listed.uids) for listed in held.listings.values())

    async def _listing(self, uid: str, series: str, *, newer_than: float = float("-inf")) -> _Listing:
        """Return the listing of one series, asked for once however many wait."""
        held = self._held.get(uid)
        if held is None:  # dropped a moment ago: list, and hold nothing
            return await self._list(uid, series)
        listed = held.listings.get(series)
        if listed is not None and listed.at > newer_than and self._clock.monotonic() - listed.at < FACTS_SECONDS:
            return listed
        running = held.listing_now.get(series)
        if running is None:
            running = held.listing_now[series] = self._tasks.spawn(self._relist(held, uid, series), name="a listing")
        return await asyncio.shield(running)

    async def _relist(self, held: _Held, uid: str, series: str) -> _Listing:
        try:
            listed = await self._list(uid, series)
        finally:
            held.listing_now.pop(series, None)
        if self._held.get(uid) is held:  # else it was dropped meanwhile
            old = held.listings.get(series)
            self._instances += len(listed.uids) - (len(old.uids) if old is not None else 0)
            held.listings[series] = listed
            while self._instances > INSTANCES_HELD and len(self._held) > 1:
                self._forget(next(other for other in self._held if other != uid))
        return listed

    async def _list(self, uid: str, series: str) -> _Listing:
        try:
            uids = listing(await self._door.instances(uid, series), uid, series)
        except FactsUnavailable as error:
            raise refuse(Code.UPSTREAM_UNREACHABLE, f"no listing of the series: {error}") from error
        if uids is None:
            raise refuse(Code.UPSTREAM_INVALID, "the listing of the series names other series or too many instances")
        return _Listing(uids, self._clock.monotonic())
