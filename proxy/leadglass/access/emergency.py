"""Coming in by an emergency code: no identity provider, policy server or agent is asked.

    name, code, reason -> the code is spent and a session of 4 h begins, in one transaction, with an event

What the session may do is for policy to say (policies/leadglass/rules/identity/emergency).
"""

import re
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.access.rates import RateLimit
from leadglass.audit.noise import source_of
from leadglass.clock import Clock, rfc3339
from leadglass.emergency.codes import CodeRefused, EmergencyCodes
from leadglass.limits import (
    BREAK_GLASS_CHARS,
    EMERGENCY_NAME_CHARS,
    EMERGENCY_SECONDS,
    EMERGENCY_SOURCE_SECONDS,
    EMERGENCY_SOURCE_TRIES,
)
from leadglass.model.control import PeerFacts
from leadglass.model.errors import refuse
from leadglass.model.facts import EMERGENCY, Subject
from leadglass.model.login import SignedIn
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.sessions.session import Glass, Session
from leadglass.sessions.sessions import Sessions
from leadglass.telemetry import metrics

_TOKEN: Final = re.compile(r"Bearer lge_([A-Za-z0-9_-]{43})")
_WAIT: Final = str(int(EMERGENCY_SOURCE_SECONDS / EMERGENCY_SOURCE_TRIES))


def words(text: str, most: int = BREAK_GLASS_CHARS) -> str | None:
    """Return a reason or name as it is kept, None when it is empty, too long or not printable."""
    kept = " ".join(text.split())
    return kept if 0 < len(kept) <= most and kept.isprintable() else None


def token(cookie: str) -> str:
    """Return what a viewer that keeps no cookies sends as `Authorization: Bearer`."""
    return f"lge_{cookie}"


def session_of(authorization: str | None) -> str | None:
    """Return the session's secret in an Authorization field, None when it holds something else."""
    found = _TOKEN.fullmatch(authorization or "")
    return found and found[1]


class Emergency:
    """Takes codes."""

    def __init__(self, codes: EmergencyCodes, sessions: Sessions, events: EventSink, clock: Clock) -> None:
        self._codes, self._sessions, self._events, self._clock = codes, sessions, events, clock
        self._failures = RateLimit(
            clock, EMERGENCY_SOURCE_TRIES / EMERGENCY_SOURCE_SECONDS, burst=EMERGENCY_SOURCE_SECONDS
        )

    async def begin(self, code: str, name: str, reason: str, peer: PeerFacts) -> tuple[str, Session]:
        """Spend a code and return the secret of the session that begins, and the session.

        Raises Refusal `emergency-code-refused`, `rate-limited`, `store-unavailable`, `audit-unavailable`.
        """
        source = source_of(peer.client_ip)
        if self._failures.empty(source):
            raise refuse(Code.RATE_LIMITED, "wrong emergency codes", headers={"Retry-After": _WAIT})
        try:
            return await self._begin(code, words(name, EMERGENCY_NAME_CHARS), words(reason), peer)
        except CodeRefused as refused:
            self._failures.allows(source)
            metrics.EMERGENCIES.add(("refused",))
            told = {"cause": refused.cause, "code": refused.code_id}
            where = {"client_ip": peer.client_ip, "decision_id": peer.decision_id}
            await self._events.record_event("emergency-refused", {**told, **where})
            raise refuse(Code.EMERGENCY_CODE_REFUSED, refused.cause) from None

    async def _begin(self, code: str, name: str | None, reason: str | None, peer: PeerFacts) -> tuple[str, Session]:
        if name is None or reason is None:
            raise CodeRefused("no name" if name is None else "no reason")
        code_id, now = await self._codes.check(code, name), self._clock.now()
        ends = now + EMERGENCY_SECONDS
        subject = Subject("person", name, EMERGENCY, b"", ends, auth_time=int(now), claims={"emergency_code": code_id})

        async def spend(connection: AsyncConnection, session: Session) -> None:
            await self._codes.spend(connection, code_id, name)
            told = {
                "decision_id": peer.decision_id,
                "code": code_id,
                "subject": name,
                "issuer": EMERGENCY,
                "reason": reason,
                "session": session.id,
                "ends": rfc3339(ends),
                "client_ip": peer.client_ip,
            }
            await self._events.record_event("emergency-begun", told)

        signed_in = SignedIn(subject, ends, None)
        begun = await self._sessions.begin(
            signed_in, peer.client_ip, peer.session, glass=Glass(reason, ends), also=spend
        )
        metrics.EMERGENCIES.add(("begun",))
        return begun
