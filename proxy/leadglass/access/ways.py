"""What a refusal page leads to beside signing in: why, breaking the glass, an emergency code.

A way is offered for what the person is told, never for what lies behind it, so a hidden study and an absent one offer
the same.
"""

from typing import Final
from urllib.parse import quote, urlencode

from leadglass.access.services import Services
from leadglass.codec.control import BREAK_GLASS, EMERGENCY, WHY
from leadglass.codec.landing import landing
from leadglass.model.disclosure import say
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.model.request import RawHead

# Refusals behind which something of ours or the identity provider may be down.
_DOWN: Final = frozenset({Code.SIGN_IN_UNAVAILABLE, Code.DECISION_UNAVAILABLE})


def with_query(path: str, **asked: str | None) -> str:
    """Return a path of ours with what is asked there; None is left out."""
    told = {name: value for name, value in asked.items() if value is not None}
    return f"{path}?{urlencode(told, quote_via=quote)}" if told else path


def offer(services: Services, head: RawHead, refusal: Refusal, decision_id: str, session: str | None = None) -> None:
    """Write the ways onto a refusal, for the page that may say it. `session` is whose browser it is, where that is known."""
    told = say(refusal).codes[0]
    if told == Code.STUDY_NOT_VISIBLE and session is not None:
        services.why.hide(session, decision_id)
    if any(name == b"authorization" for name, _ in head.fields):
        return
    back = landing(head.target.decode("ascii", "replace"))
    ways = []
    if services.why.knows(decision_id):
        ways.append((with_query(WHY, decision=decision_id), "Why, and what would help"))
    if told == Code.STUDY_NOT_VISIBLE and services.glass.enabled and any(name == b"cookie" for name, _ in head.fields):
        ways.append((with_query(BREAK_GLASS, **{"return": back}), "Break the glass in an emergency"))
    if told in _DOWN:
        ways.append((with_query(EMERGENCY, **{"return": back}), "Use an emergency code"))
    refusal.ways = tuple(ways)
