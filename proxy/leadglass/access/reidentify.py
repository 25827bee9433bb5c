"""Who a pseudonym stands for: asked on the gateway's own machine, confirmed by a person, told to whoever asked.

Neither is enough alone. Whoever has the admin socket cannot sign in as somebody else; whoever may confirm sees project,
pseudonym, reason and who asks, and not the answer. Policy says who may confirm (`export`, `project.reidentify`), and whatever it
says, it takes a second factor and a fresh sign-in here.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from leadglass.access.services import Services
from leadglass.access.signals import stand
from leadglass.hazmat.pseudonym import is_made
from leadglass.limits import REIDENTIFY_HELD, REIDENTIFY_SECONDS, REIDENTIFY_SIGN_IN_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Cause, Refusal, StepUp, refuse
from leadglass.model.facts import EMERGENCY, Action, Resource, Subject
from leadglass.model.ports import EventSink
from leadglass.model.question import Question
from leadglass.model.reasons import REASONS, Code
from leadglass.model.request import Headers
from leadglass.projects.projects import Projects

ACTION: Final = Action("export", "project.reidentify")
_HARMLESS: Final = frozenset({"log", "outlive-token"})  # obligations that change nothing of an answer
_NAME: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{16}")


def is_pseudonym(text: str) -> bool:
    """Whether `text` has the form of a pseudonym. All else stays out of the record: it may be the name of somebody."""
    return is_made(text) or _NAME.fullmatch(text) is not None


@dataclass(slots=True)
class Asked:
    """One question. `found` is what the pseudonym stands for, once somebody has confirmed it; it is told once."""

    id: str
    project: str
    pseudonym: str
    reason: str
    by: Mapping[str, Any]
    ends: float
    state: Literal["waiting", "answering", "confirmed", "refused"] = "waiting"
    found: list[dict[str, str]] = field(default_factory=list)

    def named(self) -> dict[str, Any]:
        """Return how events name it."""
        return {"request": self.id, "project": self.project, "pseudonym": self.pseudonym, "by": dict(self.by)}


class Reidentify:
    """The questions that are open. `services` gives those in force."""

    def __init__(self, projects: Projects, services: Callable[[], Services], events: EventSink) -> None:
        self._projects, self._services, self._events = projects, services, events
        self._asked: dict[str, Asked] = {}

    def _now(self) -> float:
        now = self._services().clock.now()
        for one in [one for one in self._asked.values() if one.ends <= now]:
            del self._asked[one.id]
        return now

    # --- for whoever asks, over the admin socket ---------------------------------------------------------------------
    async def ask(self, project: str, pseudonym: str, reason: str, by: Mapping[str, Any]) -> Asked:
        """Open a question. Raises Refusal `rate-limited` when too many are open, `audit-unavailable`."""
        now = self._now()
        if len(self._asked) >= REIDENTIFY_HELD:
            raise refuse(Code.RATE_LIMITED, "too many questions are open")
        made = Asked(secrets.token_hex(16), project, pseudonym, reason, by, now + REIDENTIFY_SECONDS)
        await self._events.record_event("reidentification-asked", {**made.named(), "reason": reason})
        self._asked[made.id] = made
        return made

    def answer(self, name: str, by: Mapping[str, Any]) -> Asked | None:
        """Return a question of the same asker's as it stands, None when there is none; one that was answered is gone then."""
        self._now()
        asked = self._asked.get(name)
        if asked is None or asked.by.get("uid") != by.get("uid"):
            return None
        if asked.state in {"confirmed", "refused"}:
            del self._asked[name]
        return asked

    # --- for the person who confirms, in a browser -------------------------------------------------------------------
    async def look(self, name: str, peer: PeerFacts) -> Asked:
        """Return a question that waits, for a person who may confirm it.

        Raises Refusal: what policy says, `not-granted`, `user-unauthenticated`, and `reidentification-unknown` when there is no such question.
        """
        await self._may(peer)
        return self._waiting(name)

    def _waiting(self, name: str) -> Asked:
        self._now()
        asked = self._asked.get(name)
        if asked is None or asked.state != "waiting":
            raise refuse(Code.REIDENTIFICATION_UNKNOWN)
        return asked

    async def confirm(self, name: str, peer: PeerFacts) -> None:
        """Say yes: whoever asks is told. Raises as `look`, and `store-unavailable`, `audit-unavailable`."""
        subject = await self._may(peer)
        asked = self._waiting(name)
        asked.state = "answering"  # of two that confirm, one does
        try:
            found = await self._projects.reidentify(asked.project, asked.pseudonym)
            told = {**asked.named(), "reason": asked.reason, "found": [one["kind"] for one in found]}
            await self._events.record_event("reidentified", {**told, **_who(subject, peer)})
        except BaseException:
            asked.state = "waiting"
            raise
        asked.state, asked.found = "confirmed", found

    async def refuse(self, name: str, peer: PeerFacts) -> None:
        """Say no. Raises as `confirm`."""
        subject = await self._may(peer)
        asked = self._waiting(name)
        asked.state = "refused"
        await self._events.record_event("reidentification-refused", {**asked.named(), **_who(subject, peer)})

    async def _may(self, peer: PeerFacts) -> Subject:
        """Return who confirms, when everything about them allows it now. Raises Refusal."""
        services = self._services()
        session = services.sessions.one(peer.session) if peer.session else None
        if session is None:
            raise refuse(Code.USER_UNAUTHENTICATED, "no session")
        device = services.bindings.device(session.id)
        services.revocations.check(session.subject, device)
        subject, device, risk = stand(services, session.subject, device)
        context = services.contexts.build("http", peer.client_ip, Headers({}), services.degraded(), risk=risk)
        clock = services.clock
        posture_age = None if device is None else device.age(clock.monotonic())
        age = None if subject.auth_time is None else max(0.0, clock.now() - subject.auth_time)
        question = Question(
            subject, ACTION, Resource("project"), (), device, context, posture_age=posture_age, auth_age=age
        )
        decision = await services.policy.judge(question, peer.decision_id)  # also while observing
        if not decision.allow:
            raise decision.refusal()
        if not {one.type for one in decision.obligations} <= _HARMLESS:
            raise refuse(Code.OBLIGATION_UNKNOWN, "an obligation that has no meaning for a project")
        _hold(subject, age)
        return subject


def _hold(subject: Subject, age: float | None) -> None:
    """Hold to what no table loosens: a person, by a second factor, a moment ago. Raises Refusal `not-granted`."""
    if subject.type != "person" or subject.issuer == EMERGENCY:
        raise refuse(Code.NOT_GRANTED, "not a person who signed in")
    if not subject.mfa or age is None or age > REIDENTIFY_SIGN_IN_SECONDS:
        wanted = StepUp(max_age=int(REIDENTIFY_SIGN_IN_SECONDS))
        raise Refusal(Cause(REASONS[Code.NOT_GRANTED]), detail="no fresh second factor", step_up=wanted)


def _who(subject: Subject, peer: PeerFacts) -> dict[str, Any]:
    return {
        "subject": subject.id,
        "issuer": subject.issuer,
        "session": peer.session,
        "client_ip": peer.client_ip,
        "decision_id": peer.decision_id,
    }
