"""The door of the policy package: a question in, a decision out, and a permit when it is a yes.

`cached()` answers from a lease and costs a digest and a look-up. `decide()` asks the engine. Whatever is not exactly one
sound answer is a denial: undefined, doubled or ill-typed is `decision-undefined`, a runaway is `decision-timeout`, an
engine that is not there or holds other rules is `decision-unavailable`.
"""

import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson

from leadglass import limits
from leadglass.clock import Clock
from leadglass.epochs import Epochs
from leadglass.model.decision import Decision, outlives
from leadglass.model.errors import Cause, Refusal
from leadglass.model.facts import EMERGENCY
from leadglass.model.permit import Permit
from leadglass.model.question import Question
from leadglass.model.reasons import REASONS, Code, Reason
from leadglass.policy import document
from leadglass.policy.digests import Digests
from leadglass.policy.engine import Engine, NoAnswer, OutOfTime, Unavailable, Undefined
from leadglass.policy.leases import Lease, Leases
from leadglass.policy.observed import Observes, enforcing, let_through, unjudged
from leadglass.policy.permits import permit
from leadglass.policy.schemas import SchemaFault
from leadglass.policy.sources import PolicySet
from leadglass.telemetry.traces import Span, begin

_log = logging.getLogger("leadglass.policy")
_CODES: Final[Mapping[type[NoAnswer], Code]] = MappingProxyType(
    {
        Undefined: Code.DECISION_UNDEFINED,
        OutOfTime: Code.DECISION_TIMEOUT,
        Unavailable: Code.DECISION_UNAVAILABLE,
    }
)
_Said: TypeAlias = tuple[document.Answer, str]
_QUIET: Final = 1.0  # seconds between two log lines about decisions of one code; each has its record


@dataclass(frozen=True, slots=True)
class Active:
    """A policy set in force: its files, and the engine that runs them.

    `reserve` runs the same set in process, for emergency codes alone, while the engine cannot be asked.
    """

    files: PolicySet
    engine: Engine
    reserve: Engine | None = None

    async def close(self) -> None:
        """Give back what the engines hold."""
        await self.engine.close()
        if self.reserve is not None:
            await self.reserve.close()


class Policy:
    """The policy in force, its leases, and what it says to a question."""

    def __init__(self, active: Active, clock: Clock, epochs: Epochs, observes: Observes = enforcing) -> None:
        self._active, self._clock, self._epochs, self._observes = active, clock, epochs, observes
        self._said: dict[Code, float] = {}
        self.leases = Leases(epochs)
        self._digests = Digests()

    @property
    def reasons(self) -> Mapping[str, Reason]:
        """Every reason that a decision may give, the gateway's own among them."""
        return self._active.files.reasons

    @property
    def tables(self) -> Mapping[str, object]:
        """The tables in force, by name."""
        return self._active.files.tables

    @property
    def revision(self) -> str:
        """The policy set in force, as it stands in every record."""
        return self._active.files.revision

    @property
    def active(self) -> Active:
        """The policy set in force."""
        return self._active

    def swap(self, active: Active) -> Active:
        """Put another policy set in force, end every lease, and return the one that was."""
        was, self._active = self._active, active
        self._epochs.bump("policy")
        return was

    def cached(self, question: Question, decision_id: str) -> tuple[Decision, Permit] | None:
        """Return the decision of the lease in force for this question with its permit, or None."""
        try:
            digest = self._digests.key(question)
        except TypeError:  # holds what JSON cannot say; decide() denies it
            return None
        now = self._clock.now()
        lease = self.leases.find(digest, question.resource, now, self._clock.monotonic())
        if lease is None:
            return None
        held = lease.decision
        decision = Decision(
            decision_id,
            True,  # noqa: FBT003 - a denial is never leased
            held.valid_until,
            held.revision,
            held.engine,
            held.grants,
            (),
            held.rows,
            held.visibility,
            held.obligations,
            held.lease_seconds,
            None,
            held.id,
        )
        return decision, permit(question, decision)

    def permit(self, question: Question, decision: Decision) -> Permit:
        """Return leave to ask the upstream. Raises the decision's Refusal when it is a no."""
        return permit(question, decision)

    def pardon(self, refusal: Refusal, decision_id: str) -> Decision:
        """Return the answer to what an earlier stage refused and observation lets pass. Raises the refusal when it is over."""
        until = self._observes()
        if until is None:
            raise refusal
        return unjudged(decision_id, refusal, self.revision, until)

    async def decide(self, question: Question, decision_id: str) -> Decision:
        """Return what is done: what `judge` says; while observing, a denial is let through. Never raises."""
        decision = await self.judge(question, decision_id)
        until = self._observes()
        return decision if until is None else let_through(decision, until)

    async def judge(self, question: Question, decision_id: str) -> Decision:
        """Ask the engine. Never raises: whatever goes wrong is a denial."""
        active = self._active
        now, monotonic = self._clock.now(), self._clock.monotonic()
        snapshot = self._epochs.snapshot(epochs_of(question))
        asked = b""
        try:
            asked = _input(question)
            answer, engine = await self._ask(active, question, asked)
        except NoAnswer as none:
            if active is not self._active:  # the rules changed while they were asked
                return await self.judge(question, decision_id)
            code = _CODES[type(none)]
            if (
                monotonic >= self._said.get(code, monotonic - _QUIET) + _QUIET
            ):  # an engine that is down must not fill the log
                self._said[code] = monotonic
                _log.error("decision %s: %s: %s", decision_id, code, none)
            return Decision(
                id=decision_id,
                allow=False,
                valid_until=now,
                revision=active.files.revision,
                engine=active.engine.name,
                causes=(Cause(REASONS[code]),),
                input=asked,
            )
        if active is not self._active:
            return await self.judge(question, decision_id)
        seconds = min(answer.lease_seconds, limits.LEASE_SECONDS_MAX) if answer.allow else 0.0
        decision = Decision(
            id=decision_id,
            allow=answer.allow,
            valid_until=_valid_until(question, answer, now, seconds),
            revision=active.files.revision,
            engine=engine,
            grants=answer.grants,
            causes=answer.causes,
            rows=answer.rows,
            visibility=answer.visibility,
            obligations=answer.obligations,
            lease_seconds=seconds,
            step_up=answer.step_up,
            input=asked,
        )
        if seconds and answer.lease_scope:
            lease = Lease(decision, snapshot, monotonic + decision.valid_until - now)
            self.leases.hold(
                question.lease_key(), question.resource, answer.lease_scope, lease, self._clock.monotonic()
            )
        return decision

    def _ask(self, active: Active, question: Question, asked: bytes) -> Coroutine[Any, Any, _Said]:
        """Return the answer, and the name of the engine that gave it. Raises NoAnswer."""
        span = begin("evaluate")
        asking = self._evaluated(active, question, asked)
        return asking if span is None else self._traced(span, active, len(asked), asking)

    async def _traced(self, span: Span, active: Active, size: int, asking: Coroutine[Any, Any, _Said]) -> _Said:
        """Ask under a span."""
        span.attributes = {"leadglass.revision": active.files.revision, "leadglass.input_size": size}
        with span:
            answer, engine = await asking
        span.attributes["leadglass.engine"], span.attributes["leadglass.allow"] = engine, answer.allow
        return answer, engine

    async def _evaluated(self, active: Active, question: Question, asked: bytes) -> _Said:
        try:
            active.files.schemas["schemas/input.json"].check(orjson.loads(asked))
        except SchemaFault as fault:
            raise Undefined(f"the input is ill-typed: {fault}") from None
        engine = active.engine
        try:
            said = await engine.evaluate(asked)
        except Unavailable:
            if active.reserve is None or question.subject.issuer != EMERGENCY:
                raise
            engine = active.reserve
            said = await engine.evaluate(asked)
        answer = document.read(
            said,
            active.files.schemas["schemas/decision.json"],
            active.files.reasons,
            studies=len(question.studies),
            search=question.action.name == "search",
        )
        return answer, engine.name

    async def close(self) -> None:
        """End all leases and close the engine."""
        self.leases.close()
        await self._active.close()


def _input(question: Question) -> bytes:
    try:
        asked = question.input()
    except TypeError as error:
        raise Undefined(f"the input is not JSON: {error}") from None
    if len(asked) > limits.INPUT_BYTES:
        raise Undefined("the input is larger than the gateway judges")
    return asked


def epochs_of(question: Question) -> tuple[str, ...]:
    """Return the names of the epochs that an answer to this question stands on."""
    names: tuple[str, ...] = ("policy", "attributes", "config", "risk", f"issuer:{question.subject.issuer}")
    if question.subject.session is not None:
        names = (*names, f"session:{question.subject.session}")
    if question.subject.sub is not None:
        names = (*names, f"person:{question.subject.issuer} {question.subject.sub}")
    return names if question.device is None else (*names, f"device:{question.device.id}")


def _valid_until(question: Question, answer: document.Answer, now: float, lease: float) -> float:
    extra = outlives(answer.obligations) if question.subject.session is None else 0  # a session is not outlived
    ends = [question.subject.expires + extra]
    if question.device is not None:
        ends.append(question.device.expires)
    if answer.until_at is not None:
        ends.append(answer.until_at)
    if answer.until_in is not None:
        ends.append(now + answer.until_in)
    if lease:
        ends.append(now + lease)
    return min(ends)
