"""Breaking the glass from a browser: a viewer cannot send a header, so its session carries the reason for a while.

Policy says who may, here as for every request after it; what the session then asks for is judged as if each request had
sent `Leadglass-Break-Glass` and the purpose ETREAT (docs/break-glass.md).
"""

from collections.abc import Mapping
from typing import Any, Final

from leadglass.access.emergency import words
from leadglass.attributes.context import ETREAT
from leadglass.clock import Clock, rfc3339
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Action, Context, Resource
from leadglass.model.question import Question
from leadglass.model.reasons import Code
from leadglass.policy.decide import Policy
from leadglass.sessions.session import Glass, Session
from leadglass.sessions.sessions import Sessions

# What the rule about breaking the glass says, and policy that has no answer. All else is for the request itself to hear.
_AGAINST: Final = frozenset({
    "break-glass-refused", "break-glass-sign-in",
    Code.DECISION_UNDEFINED, Code.DECISION_TIMEOUT, Code.DECISION_UNAVAILABLE,
})  # fmt: skip


class BreakGlass:
    """Breaks the glass in a session, and makes it whole."""

    def __init__(self, sessions: Sessions, policy: Policy, clock: Clock) -> None:
        self._sessions, self._policy, self._clock = sessions, policy, clock

    @property
    def enabled(self) -> bool:
        """Whether anybody may here."""
        return self._table().get("enabled") is True

    def _table(self) -> Mapping[str, Any]:
        table = self._policy.tables.get("break_glass")
        return table if isinstance(table, Mapping) else {}

    def _session(self, peer: PeerFacts) -> Session:
        session = self._sessions.one(peer.session) if peer.session else None
        if session is None:
            raise refuse(Code.USER_UNAUTHENTICATED, "no session")
        return session

    async def ask(self, peer: PeerFacts, why: str = "(not said yet)") -> Session:
        """Ask policy whether this person may break the glass now, whatever they then ask for; return the session.

        Raises Refusal: what the rule says, `user-unauthenticated`, and policy that has no answer.
        """
        session = self._session(peer)
        subject = session.subject
        age = None if subject.auth_time is None else max(0.0, self._clock.now() - subject.auth_time)
        context = Context("http", peer.client_ip, 0, 1, purpose=ETREAT, break_glass={"reason": why})
        question = Question(
            subject, Action("search", "qido-rs.studies"), Resource("study"), (), None, context, auth_age=age
        )
        decision = await self._policy.judge(question, peer.decision_id)  # also while observing: it outlasts that
        causes = [cause for cause in decision.causes if cause.reason.code in _AGAINST]
        if causes:
            raise Refusal(*causes, step_up=decision.step_up)
        return session

    async def smash(self, reason: str, peer: PeerFacts) -> Glass:
        """Break the glass in a session for `reason`, for as long as the sign-in is fresh.

        Raises Refusal: the rule's own, `user-unauthenticated`, `http-malformed`, `store-unavailable`, `audit-unavailable`.
        """
        why = words(reason)
        if why is None:
            raise refuse(Code.HTTP_MALFORMED, "the reason is empty, too long or not printable")
        session = await self.ask(peer, why)
        glass = Glass(why, (session.subject.auth_time or 0) + float(self._table()["max_age_seconds"]))
        told = {"reason": why, "ends": rfc3339(glass.ends)}
        where = {"client_ip": peer.client_ip, "decision_id": peer.decision_id}
        await self._sessions.break_glass(session.id, glass, "glass-taken", {**told, **where})
        return glass

    async def mend(self, peer: PeerFacts) -> None:
        """Make the glass of a session whole before its time. Raises Refusal as `smash`."""
        session = self._session(peer)
        if session.coded:
            raise refuse(Code.HTTP_MALFORMED, "an emergency ends with its session: sign out")
        await self._sessions.break_glass(session.id, None, "glass-mended", {"decision_id": peer.decision_id})
