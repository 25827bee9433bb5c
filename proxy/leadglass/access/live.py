"""What is running: every exchange from its decision to the last byte of its reply, and the facts it stands on (law 7).

When an epoch moves that a running exchange stands on, or its `valid_until` passes, it is judged again, and ended when it
would no longer be allowed. What needs no question (a revocation, a token or certificate that ended) ends it at once, in
the very turn of the loop in which the epoch moved. Before the first byte of a reply leaves, whatever moved while the
archive worked has been looked at.
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

from leadglass.access.exchange import Exchange
from leadglass.access.services import Archive, Services
from leadglass.epochs import Epochs
from leadglass.model.decision import Decision, Obligation
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.question import Question
from leadglass.model.reasons import Code
from leadglass.policy.decide import epochs_of
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.access")
_NONE: Final[frozenset[int]] = frozenset()
_LOOK_SECONDS: Final = 0.1  # how late the end of a time may be noticed; epochs are noticed at once


class Standing(NamedTuple):
    """A question that an exchange stands on, and of its answer what bears on what runs.

    `hidden` are the rows of a search that it denies, `terms` what it makes of the bytes that leave.
    """

    question: Question
    valid_until: float
    outlives: int
    hidden: frozenset[int]
    terms: tuple[Obligation, ...]

    @classmethod
    def of(cls, question: Question, decision: Decision) -> "Standing":
        """Return the standing that an answer gives."""
        hidden = frozenset(denial.row for denial in decision.rows) if decision.rows else _NONE
        return cls(question, decision.valid_until, decision.outlives, hidden, decision.terms)


class Running:
    """One exchange under way; `async with` counts it in and out.

    `standings` are the questions that it stands on, several for a search that looked through several pages, all of them
    answered so until `valid_until` (epoch seconds). `generation` is that of the epochs when all of this was last looked at; `due` says that it is
    being judged again.
    """

    __slots__ = (
        "_live", "_over", "_refusal", "_task", "due", "exchange", "generation", "standings", "valid_until",
    )  # fmt: skip

    def __init__(self, live: "Live", exchange: Exchange, question: Question, decision: Decision) -> None:
        self._live, self.exchange, self.generation = live, exchange, exchange.generation
        self.due = self._over = False
        self._task = asyncio.current_task()
        self._refusal: Refusal | None = None
        self.standings: tuple[Standing, ...] = ()
        self.stands_on(question, decision)

    def stands_on(self, question: Question, decision: Decision, *, also: bool = False) -> None:
        """Say which answer to which question the exchange goes on with; `also`: beside those that it stands on."""
        standing = Standing.of(question, decision)
        self._stand((*self.standings, standing) if also else (standing,))

    def renewed(self, old: Standing, question: Question, decision: Decision) -> None:
        """Say how the question of a standing is answered now. It may have given way to another meanwhile."""
        self._stand(tuple(Standing.of(question, decision) if one is old else one for one in self.standings))

    def _stand(self, standings: tuple[Standing, ...]) -> None:
        self.standings = standings
        self.valid_until = min(one.valid_until for one in standings)
        self.exchange.outlives = min(one.outlives for one in standings)

    async def __aenter__(self) -> Self:
        """Begin. Raises Refusal when what has moved since it was identified ends it."""
        await self.confirm()
        self._live.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End. Raises the Refusal that a cancellation stands for."""
        self._over = True
        self._live.leave(self)
        if self._refusal is not None and self._task is not None and kind is asyncio.CancelledError:
            self._task.uncancel()
            raise self._refusal

    async def confirm(self) -> None:
        """Make sure that nothing has moved that was not looked at. Raises Refusal."""
        await self._live.confirm(self)

    def end(self, refusal: Refusal) -> None:
        """End it now: a reply that has begun is cut, and the completion says why; anything before is refused in words."""
        if self._over:
            return
        self._live.leave(self)
        if self.exchange.reply.started:
            self.exchange.scope.cut(refusal.causes[0].reason.code)
            self.exchange.reply.sever()
        elif self._refusal is None and self._task is not None:
            self._refusal = refusal
            self._task.cancel()


class Live:
    """The registry of what is running. `services` gives those in force now."""

    def __init__(self, epochs: Epochs, tasks: Tasks, services: Callable[[], Services]) -> None:
        self._epochs, self._tasks, self._services = epochs, tasks, services
        self._running: set[Running] = set()
        self._moved: set[str] = set()
        epochs.watch(self._move)

    def __len__(self) -> int:
        return len(self._running)

    @property
    def generation(self) -> int:
        """What an exchange notes before anything about it is looked up, so that no move between then and now is lost."""
        return self._epochs.generation

    def running(self, exchange: Exchange, question: Question, decision: Decision) -> Running:
        """Return an exchange to be counted in (`async with`)."""
        return Running(self, exchange, question, decision)

    def enter(self, running: Running) -> None:
        """Count an exchange in."""
        self._running.add(running)

    def leave(self, running: Running) -> None:
        """Count an exchange out."""
        self._running.discard(running)

    async def confirm(self, running: Running) -> None:
        """Judge an exchange again if its time is over, or anything has moved since it was judged. Raises Refusal."""
        over = running.exchange.services.clock.now() >= running.valid_until
        while over or running.generation != self._epochs.generation:
            over, generation = False, self._epochs.generation
            await self._judge(running)
            running.generation = generation

    async def watch(self) -> None:
        """Look, for ever, at what is past its time. Run as a task."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._running:
                now = self._services().clock.now()
                for running in [running for running in self._running if now >= running.valid_until]:
                    self._look_at(running)

    def _move(self, name: str) -> None:
        if not self._running:
            return
        if not self._moved:  # several often move together; one look, in this very turn of the loop, serves them all
            asyncio.get_running_loop().call_soon(self._look)
        self._moved.add(name)

    def _look(self) -> None:
        moved, self._moved = self._moved, set()
        for running in list(self._running):
            if any(not moved.isdisjoint(epochs_of(standing.question)) for standing in running.standings):
                self._look_at(running)

    def _look_at(self, running: Running) -> None:
        try:
            running.exchange.renew()  # what needs no question: revoked, ended, withdrawn
        except Refusal as refusal:
            running.end(refusal)
            return
        if not running.due:
            running.due = True
            self._tasks.spawn(self._again(running), name="judge again")

    async def _again(self, running: Running) -> None:
        """Put the question again with the facts of now. Whatever goes wrong is a no."""
        try:
            await self.confirm(running)
        except Refusal as refusal:
            running.end(refusal)
        except Exception as error:  # noqa: BLE001 - a crash is a no (law 2)
            _log.error("judging a running exchange again failed: %s", type(error).__name__)
            running.end(refuse(Code.INTERNAL_FAULT, type(error).__name__))
        finally:
            running.due = False

    async def _judge(self, running: Running) -> None:
        for standing in running.standings:
            await self._judge_one(running, standing)

    async def _judge_one(self, running: Running, standing: Standing) -> None:
        services, exchange = self._services(), running.exchange
        exchange.renew()
        mended = standing.question.subject.glass if exchange.subject.glass is None else None
        archive = _archive(services, exchange)
        studies, missing = ((), ()) if archive is None else await _known(archive, standing.question.studies)
        context = services.contexts.again(exchange.context, services.degraded(), mended=mended)
        exchange.context = context
        question = exchange.question(studies, missing, standing.question.resource, context)
        known = services.policy.cached(question, exchange.scope.decision_id) if exchange.refused is None else None
        if known is None:
            decision = await exchange.decide(question)
            await exchange.scope.decided(question, decision)
            if not decision.allow:
                raise decision.refusal()
        else:
            decision = known[0]
        if not standing.hidden >= {denial.row for denial in decision.rows}:
            raise refuse(Code.STUDY_NOT_VISIBLE, "a row of the page may no longer be seen")
        moved = decision.terms and (
            services.means != exchange.services.means or services.means.project(decision.view) != exchange.shown_as
        )
        if moved or decision.terms != standing.terms:
            raise refuse(Code.VIEW_CHANGED, "what is made of the reply has changed while it runs")
        running.renewed(standing, question, decision)


def _archive(services: Services, exchange: Exchange) -> Archive | None:
    """Return the archive that an exchange is with as it is now, None for a file.

    Raises Refusal when none of that name is there, or another than the exchange is with: what it holds is no fact about this.
    """
    name = exchange.match.resource.upstream
    if name is None:
        return None
    archive = services.archives.get(name)
    if archive is None or archive.upstream.root != exchange.archive.upstream.root:
        raise refuse(Code.ROUTE_UNKNOWN, "the archive is no longer behind the gateway")
    return archive


async def _known(archive: Archive, judged: tuple[Study, ...]) -> tuple[tuple[Study, ...], tuple[str, ...]]:
    """Return studies that were judged as they are now, in their order, and the facts that could not be had.

    One that the archive does not hold yet stays whose it was; of one that is gone nothing is known. Raises Refusal.
    """
    found, missing = await archive.studies.gather([study.study_uid for study in judged])
    studies: list[Study] = []
    lacking: list[str] = []
    places = iter(range(len(found)))
    for at, study in enumerate(judged):
        if (now := found.get(study.study_uid)) is not None:
            path = f"studies[{next(places)}]."
            absent = [name.removeprefix(path) for name in missing if name.startswith(path)]
        elif study.exists:
            now, absent = Study(study.study_uid, exists=False), []
        else:
            now, names = archive.studies.enrich(study)
            absent = list(names)
        studies.append(now)
        lacking += (f"studies[{at}].{name}" for name in absent)
    return tuple(studies), tuple(lacking)
