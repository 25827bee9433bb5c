"""What the trace of an exchange says of it: how it went, by codes, and never about whom."""

import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from leadglass.model.decision import Decision
from leadglass.model.errors import Refusal
from leadglass.model.facts import Action
from leadglass.model.request import Incoming
from leadglass.telemetry.traces import Attributes, Ended, Trace

_log = logging.getLogger("leadglass.audit")
# RFC 9110 section 9 and RFC 5789. Another method is a text of the client's.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"})
_FAILED: Final = 500  # and above: the server's own fault, by the semantic conventions
_GONE: Final = "client-gone"


class Story(NamedTuple):
    """An exchange that is over, as its scope knows it."""

    incoming: Incoming
    decision_id: str
    action: Action | None
    decision: Decision | None
    refusal: Refusal | None
    marks: Sequence[tuple[str, float]]
    outcome: str
    status: int | None
    sent: int
    cut_by: str | None
    at: float
    wall: float


def tell(trace: Trace, story: Story) -> None:
    """End the trace. Never raises: it must not cost an exchange its end."""
    try:
        name, ended = _ended(trace.route, story)
        trace.end(name, ended)
    except Exception:  # noqa: BLE001 - a fault of ours; the exchange is over and recorded
        _log.exception("decision %s: its trace cannot be told", story.decision_id)
    finally:
        trace.leave()


def _ended(route: str | None, story: Story) -> tuple[str, Ended]:
    incoming = story.incoming
    said: Attributes = {
        "leadglass.decision_id": story.decision_id,
        "leadglass.door": incoming.door,
        "leadglass.outcome": story.outcome,
        "url.scheme": "https" if incoming.peer.tls else "http",
        "network.protocol.version": "1.1",
        "http.response.body.size": story.sent,
    }
    method = incoming.head.method if incoming.head.method in _METHODS else "_OTHER"
    said["http.request.method"] = method
    if route is not None:
        said["http.route"] = route
    if story.status is not None:
        said["http.response.status_code"] = story.status
    if story.action is not None:
        said["leadglass.transaction"] = story.action.transaction
    failed, decision, refusal = None, story.decision, story.refusal
    if refusal is not None and refusal.causes[0].reason.status >= _FAILED:
        failed = str(refusal.causes[0].reason.code)
    if refusal is None and decision is not None and decision.observed is not None:
        refusal = decision.observed.refusal()  # what it would have been, were it not observed
    if refusal is not None:
        said["leadglass.reasons"] = [str(cause.reason.code) for cause in refusal.causes]
    if story.cut_by is not None:
        said["leadglass.cut_by"] = str(story.cut_by)
        failed = failed or (None if story.cut_by == _GONE else str(story.cut_by))
    name = " ".join(("HTTP" if method == "_OTHER" else method, *([] if route is None else [route])))
    return name, Ended(story.marks, story.at, story.wall, said, failed, _staged(story.decision))


def _staged(decision: Decision | None) -> dict[str, Attributes]:
    if decision is None:
        return {}
    return {
        "decision": {
            "leadglass.engine": decision.engine,
            "leadglass.revision": decision.revision,
            "leadglass.allow": decision.allow,
            "leadglass.leased": decision.leased_from is not None,
        }
    }
