"""The scope of one exchange: opened first, and it writes on every way out (law 5).

    scope = audit.scope(incoming)
    async with scope:
        try:
            scope.admit()
            ...
            await scope.decided(question, decision)      # raises: nothing was recorded, nothing may leave
            ...
            scope.finished(status, sent)
        except Refusal as refusal:
            reply.refuse(await scope.refused(refusal), scope.decision_id)

All writing is synchronous, so a cancellation cannot come between an exchange and its line. An exchange that leaves the
scope without having been judged or refused is written as a refusal with `internal-fault`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

from leadglass.audit import records
from leadglass.audit.noise import Noise
from leadglass.audit.spans import Story, tell
from leadglass.audit.sums import Sums
from leadglass.audit.writer import Pressure
from leadglass.clock import Clock
from leadglass.limits import COMPLETION_SECONDS, VIEWER_CHARS
from leadglass.model.decision import Decision
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Action, Device, Resource, Subject
from leadglass.model.question import Question
from leadglass.model.reasons import Code
from leadglass.model.request import Incoming
from leadglass.telemetry import metrics
from leadglass.telemetry.traces import Trace

_SCARCE: frozenset[Pressure] = frozenset({"critical", "reserve"})
_FAILED = 400  # and above: a status that needs a completion of its own


Locate: TypeAlias = Callable[[str], tuple[str | None, str | None]]
"""Country and city of an address, as far as they are known."""


class Book(Protocol):
    """What a scope needs of the record."""

    clock: Clock
    noise: Noise
    sums: Sums
    strict: bool
    locate: Locate

    @property
    def pressure(self) -> Pressure:
        """How full the disk under the record is."""
        ...

    def observes(self) -> float | None:
        """Return until when refusals are let through, None while they are carried out."""
        ...

    def check(self) -> None:
        """Raise Refusal `audit-unavailable` while nothing can be written."""
        ...

    def write(self, body: bytes) -> None:
        """Write a line. Raises Refusal `audit-unavailable`."""
        ...

    def write_end(self, body: bytes) -> None:
        """Write the line of an exchange that is over, now or when the record can be written again. Never raises."""
        ...

    async def on_disk(self) -> None:
        """Wait until everything written is on disk. Raises Refusal `audit-unavailable`."""
        ...


class Scope:
    """One exchange in the record.

    The pipeline names what it learns (`subject`, `device`, `action`, `resource`) so that a later refusal is told with
    it. `decision_id` is a ULID; policy makes its Decision under this id, and it is what leases come from. `trace` is that
    of the exchange, where it has one.
    """

    __slots__ = (
        "_again",
        "_book",
        "_control",
        "_cut_by",
        "_decision",
        "_disclosed",
        "_ended",
        "_incoming",
        "_marks",
        "_opened",
        "_refusal",
        "action",
        "decision_id",
        "device",
        "messages",
        "resource",
        "subject",
        "trace",
    )

    def __init__(self, book: Book, incoming: Incoming, decision_id: str) -> None:
        self._book, self._incoming, self.decision_id = book, incoming, decision_id
        self.subject: Subject | None = None
        self.device: Device | None = None
        self.action: Action | None = None
        self.resource: Resource | None = None
        self.messages: dict[str, int] | None = None  # of a channel: how many were `passed` on and `withheld`
        self.trace: Trace | None = None
        self._opened = book.clock.monotonic()
        self._marks: list[tuple[str, float]] = []
        self._decision: Decision | None = None
        self._refusal: Refusal | None = None
        self._ended: tuple[int | None, int, str | None] | None = None
        self._disclosed: Mapping[str, str] | None = None
        self._control = ""
        self._cut_by: str | None = None
        self._again = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(error)

    def admit(self) -> None:
        """Go on only if the record can be written. Raises Refusal `audit-unavailable`."""
        self._book.check()

    def stage(self, name: str) -> None:
        """Say that the stage `name` begins, and so that the one before it has ended. One look at the clock."""
        self._marks.append((name, self._book.clock.monotonic()))

    def control(self, name: str) -> None:
        """Say that this needs no line: our own control side, which records what it does as events, or a preflight."""
        self._control = name

    async def decided(self, question: Question, decision: Decision) -> None:
        """Write the decision, or the use of a lease; once more each time the exchange is judged anew.

        Raises Refusal `audit-unavailable`; nothing may leave then.
        """
        self.subject, self.device, self.action, self.resource = (
            question.subject,
            question.device,
            question.action,
            question.resource,
        )
        if decision.allow and decision.leased_from is not None:
            line = records.use(self.decision_id, decision.leased_from, question.action.transaction, question.resource)
            metrics.LEASE_USES.add()
        else:
            line = records.decision(self._where(question.context.client_ip), question, decision, self._viewer())
        self._again += 1
        self._book.write(line)
        if decision.obligations and decision.leased_from is None:
            self._glass(question, decision)
        self._decision = decision
        if decision.observed is not None:
            metrics.OBSERVED.add((decision.observed.refusal().causes[0].reason.code,))
        elif decision.allow:
            metrics.REASONS.add(("allow",))
        else:
            metrics.REASONS.add((decision.refusal().causes[0].reason.code,))
        if self._book.strict:
            await self._book.on_disk()

    def _viewer(self) -> str | None:
        """Return what program asks, by its own word, None while that is not written: it is, while the gateway observes."""
        if self._book.observes() is None:
            return None
        said = next((value for name, value in self._incoming.head.fields if name == b"user-agent"), b"")
        return said[:VIEWER_CHARS].decode("ascii", "backslashreplace")

    def _glass(self, question: Question, decision: Decision) -> None:
        """Say loudly that somebody broke the glass, and over which studies. A page yet to be filled shows nothing."""
        broken = question.context.break_glass
        logged = any(duty.type == "log" for duty in decision.obligations)
        if not decision.allow or broken is None or not logged or not question.studies:
            return
        metrics.GLASS_BROKEN.add()
        self._book.write(records.glass_broken(self.decision_id, question, self._book.clock.now()))

    async def refused(self, refusal: Refusal, question: Question | None = None) -> Refusal:
        """Write why this exchange is refused, and return the refusal to answer with.

        That is the one handed in, or `audit-unavailable` when it could not be written. A denial that `decided` has
        written already is not written twice; a refusal after an allowing decision goes into the completion.
        """
        if refusal.causes[0].reason.code == Code.AUDIT_UNAVAILABLE:
            self._refusal = (
                refusal  # it could not be written a moment ago; the reopened record tells how many there were
            )
            return refusal
        try:
            self._refuse(refusal, question)
            if self._book.strict and self._decision is None:
                await self._book.on_disk()
        except Refusal as unavailable:
            return unavailable
        return refusal

    def _refuse(self, refusal: Refusal, question: Question | None = None) -> None:
        first, self._refusal = self._refusal is None, refusal
        if self._decision is not None or not first:
            return
        code = refusal.causes[0].reason.code
        metrics.REASONS.add((code,))
        ip = question.context.client_ip if question is not None else self._incoming.peer.ip
        if question is not None:
            self.subject, self.device, self.action, self.resource = (
                question.subject,
                question.device,
                question.action,
                question.resource,
            )
        if self.subject is None:
            book = self._book
            if not book.noise.admit(ip, code, book.clock.monotonic(), scarce=book.pressure in _SCARCE):
                book.check()
                return
        head = self._incoming.head
        known = records.Known(
            self.subject,
            self.device,
            self.action,
            self.resource,
            question.studies if question is not None else (),
            head.method,
            head.target.split(b"?", 1)[0].decode("utf-8", "backslashreplace"),
        )
        self._book.write(records.refusal(replace(self._where(ip), place=self._book.locate(ip)), known, refusal))

    def disclose(self, studies: Mapping[str, str]) -> None:
        """Name what a search shows or a store writes: Study Instance UIDs with their patient ids, as they are at the end.

        Said before the reply, so that an exchange which is cut or refused half-way still tells what went through.
        """
        self._disclosed = studies

    def cut(self, code: str) -> None:
        """Say that the reply is being cut, and by which reason; it stands above what `finished` is told."""
        self._cut_by = code

    def finished(self, status: int | None, bytes_sent: int, cut_by: str | None = None) -> None:
        """Say how the exchange ended; the line follows when the scope closes.

        `status` is None when no reply was begun, `cut_by` the code of what cut it.
        """
        self._ended = (status, bytes_sent, cut_by)

    def _where(self, ip: str) -> records.Where:
        clock, marks = self._book.clock, self._marks
        ends = [at for _, at in marks[1:]]
        ends.append(clock.monotonic())
        times: dict[str, int] = {}
        for (name, at), end in zip(marks, ends, strict=False):
            times[name] = times.get(name, 0) + round((end - at) * 1e6)
        return records.Where(self.decision_id, clock.now(), self._incoming.door, ip, times, self._again)

    def _close(self, error: BaseException | None) -> None:
        if self._decision is None and self._refusal is None and not self._control:
            self._unjudged(error)
        status, sent, cut_by = self._ended or (None, 0, None)
        cut_by = self._cut_by or cut_by
        if error is not None and cut_by is None:
            cut_by = type(error).__name__
        now = self._book.clock.monotonic()
        seconds = now - self._opened
        self._complete(records.Ended(status, sent, round(seconds * 1000), cut_by, self.messages), seconds, now)
        outcome = self._outcome(status, cut_by)
        self._measure(outcome, sent, seconds, now)
        if self.trace is not None:
            told = self._incoming, self.decision_id, self.action, self._decision, self._refusal, self._marks
            tell(self.trace, Story(*told, outcome, status, sent, cut_by, now, self._book.clock.now()))

    def _unjudged(self, error: BaseException | None) -> None:
        """Write down an exchange that nobody decided about: the client left, or a stage failed to say anything."""
        told = self._ended[2] if self._ended is not None else None
        why = told or ("the pipeline ended" if error is None else type(error).__name__)
        try:
            self._refuse(error if isinstance(error, Refusal) else refuse(Code.INTERNAL_FAULT, f"not judged: {why}"))
        except Refusal:
            metrics.AUDIT_LOST.add()

    def _outcome(self, status: int | None, cut_by: str | None) -> str:
        if self._decision is not None and self._decision.allow:
            if cut_by is not None:
                return "cut"
            if self._refusal is not None or status is None or status >= _FAILED:
                return "failed"
            return "allowed" if self._decision.observed is None else "observed"
        return "control" if self._control and self._refusal is None else "refused"

    def _complete(self, ended: records.Ended, seconds: float, now: float) -> None:
        decision = self._decision
        allowed = decision is not None and decision.allow
        plain = (
            ended.cut_by is None
            and (self._refusal is None or not allowed)
            and seconds <= COMPLETION_SECONDS
            and self._disclosed is None
        )
        if not allowed and (plain or self._ended is None):
            return  # the refusal's own line says it all; control exchanges write events
        if plain and decision is not None and ended.status is not None and ended.status < _FAILED:
            lease = decision.leased_from or (decision.id if decision.lease_seconds > 0 else None)
            if lease is not None and self.action is not None and self.action.name not in {"search", "store"}:
                left = decision.valid_until - self._book.clock.now()
                self._book.sums.add(lease, ended.bytes, ended.milliseconds, left, now)
                return
        disclosed: tuple[Literal["disclosed", "stored"], Mapping[str, str]] | None = None
        if self._disclosed is not None:
            stores = self.action is not None and self.action.name == "store"
            disclosed = ("stored" if stores else "disclosed", self._disclosed)
        refusal = self._refusal if allowed else None
        self._book.write_end(records.completion(self.decision_id, self._book.clock.now(), ended, refusal, disclosed))

    def _measure(self, outcome: str, sent: int, seconds: float, now: float) -> None:
        metrics.REQUESTS.add((self._incoming.door, outcome))
        metrics.EXCHANGES.observe((outcome,), seconds)
        metrics.SENT_BYTES.add((), sent)
        last, observe = now, metrics.STAGES.observe
        for name, at in reversed(self._marks):
            observe((name,), last - at)
            last = at
