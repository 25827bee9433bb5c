"""Why somebody was refused, for that person: what the refusal page leads to.

The last refusals of browser sessions are kept for a while, each for its own person alone. The text is made when it is asked
for, one at a time and off the event loop, from reasons that may be disclosed (policy/explain.py): a study that is hidden
and one that is not there read alike.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import orjson

from leadglass.clock import Clock
from leadglass.limits import REFUSALS_KEPT, REFUSALS_KEPT_BYTES, REFUSALS_KEPT_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.decision import Decision
from leadglass.model.disclosure import say
from leadglass.model.errors import refuse
from leadglass.model.question import Question
from leadglass.model.reasons import Code
from leadglass.policy import build, tables
from leadglass.policy.decide import Policy
from leadglass.policy.engine import NoAnswer
from leadglass.policy.explain import Explainer, Personal
from leadglass.policy.sources import PolicySet
from leadglass.policy.wasm import WasmEngine

_NOTHING: Final = "nothing is known of this decision: it is another person's, too long ago, or was made before any rule"


_WORDS: Final = say(refuse(Code.STUDY_NOT_VISIBLE))
_HIDDEN: Final = Personal(_WORDS.codes, (_WORDS.detail,), ())


@dataclass(frozen=True, slots=True)
class _Kept:
    session: str
    judged: bytes  # empty where there is nothing to be said but that
    at: float  # monotonic seconds


class Why:
    """The last refusals, and their explanations."""

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy, self._clock = policy, clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._said: dict[str, Personal] = {}
        self._turn = asyncio.Lock()
        self._waiting: set[str] = set()  # sessions, each with one question: nobody alone makes all others wait

    def keep(self, question: Question, decision: Decision) -> None:
        """Remember a refusal of a browser session."""
        session = question.subject.session
        if session is None or not decision.input or len(decision.input) > REFUSALS_KEPT_BYTES:
            return
        self._put(decision.id, _Kept(session, decision.input, self._clock.monotonic()))

    def hide(self, session: str, decision_id: str) -> None:
        """Remember that a session was told no more than that there is no such study, whoever or whatever said so.

        All of these are explained alike and with the same effort, or having one would tell what lies behind it.
        """
        self._put(decision_id, _Kept(session, b"", self._clock.monotonic()))

    def _put(self, decision_id: str, kept: _Kept) -> None:
        self._kept[decision_id] = kept
        if len(self._kept) > REFUSALS_KEPT:
            self._forget(next(iter(self._kept)))

    def _forget(self, decision_id: str) -> None:
        self._kept.pop(decision_id, None)
        self._said.pop(decision_id, None)

    def knows(self, decision_id: str) -> bool:
        """Return whether there is something to say of this decision."""
        return decision_id in self._kept

    async def explain(self, decision_id: str, peer: PeerFacts) -> Personal:
        """Explain a refusal to the session that was refused.

        Raises Refusal `route-unknown` when it is none of its, `rate-limited` while it waits for another.
        """
        kept = self._kept.get(decision_id)
        if kept is not None and self._clock.monotonic() - kept.at >= REFUSALS_KEPT_SECONDS:
            self._forget(decision_id)
            kept = None
        if kept is None or peer.session != kept.session:
            raise refuse(Code.ROUTE_UNKNOWN, _NOTHING)
        if kept.session in self._waiting:
            raise refuse(Code.RATE_LIMITED, "one explanation at a time", headers={"Retry-After": "2"})
        self._waiting.add(kept.session)
        try:
            async with self._turn:
                return self._said.get(decision_id) or await self._made(decision_id, kept)
        finally:
            self._waiting.discard(kept.session)

    async def _made(self, decision_id: str, kept: _Kept) -> Personal:
        if not kept.judged:
            return _HIDDEN
        try:
            said = await asyncio.to_thread(_explained, self._policy.active.files, kept.judged)
        except NoAnswer as none:
            raise refuse(Code.DECISION_UNDEFINED, str(none)) from None
        if decision_id in self._kept:
            self._said[decision_id] = said
        return said


def _explained(files: PolicySet, judged: bytes) -> Personal:
    """Explain in a thread, with an engine of its own: the one in force answers requests meanwhile."""
    engine = WasmEngine(build.load(files), tables.data(files.tables))
    return Explainer(files, engine).personal(orjson.loads(judged))
