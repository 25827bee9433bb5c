"""Who broke the glass or used an emergency code, and what somebody has signed off: read from the record, where both are.

Decisions of one person for one reason are one case; with an emergency code it begins with the code, read or not: a series that is read image by image is many decisions. A sign-off
closes the case as it stands; whoever breaks the glass again after it opens another.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from leadglass.audit.feed import lines, open_in_order
from leadglass.limits import RECORD_VALUES

_BROKEN = "glass-broken"
_BEGUN = "emergency-begun"
_REVIEWED = "glass-reviewed"


@dataclass(slots=True)
class Case:
    """One person breaking the glass for one reason. `decisions` are ids, the first of them names the case.

    `issuer` says who names the person so; that of emergency codes is the gateway's own.

    `studies` are the first ones. `signed` is None while nobody has signed it off, else note and by.
    """

    subject: str
    issuer: str
    reason: str
    since: str
    last: str
    decisions: list[str] = field(default_factory=list)
    studies: dict[str, None] = field(default_factory=dict)
    signed: dict[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return the form that `--json` shows."""
        return {
            "decision_id": self.decisions[0],
            "subject": self.subject,
            "issuer": self.issuer,
            "reason": self.reason,
            "since": self.since,
            "last": self.last,
            "decisions": len(self.decisions),
            "studies": list(self.studies),
            "signed": self.signed,
        }


def cases(file: Path) -> list[Case]:
    """Return every case in the record, the oldest first. Raises OSError."""
    found: list[Case] = []
    waiting: dict[tuple[str, str, str], Case] = {}
    for _, stream in open_in_order(file):
        for line in lines(stream):
            if b'"kind":"glass-' not in line and b'"kind":"emergency-begun"' not in line:
                continue
            try:
                document = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(document, dict) and document.get("type") == "event":
                _take(document, found, waiting)
    return found


def _take(document: dict[str, Any], found: list[Case], waiting: dict[tuple[str, str, str], Case]) -> None:
    fields, at = document.get("fields"), str(document.get("timestamp"))
    if not isinstance(fields, dict):
        return
    name = str(fields.get("decision_id"))
    key = (str(fields.get("subject")), str(fields.get("issuer")), str(fields.get("reason")))
    if document.get("kind") in {_BROKEN, _BEGUN}:
        case = waiting.get(key)
        if case is None:
            case = waiting[key] = Case(*key, at, at)
            found.append(case)
        case.last = at
        case.decisions.append(name)
        for uid in fields.get("studies") or ():
            if len(case.studies) < RECORD_VALUES:
                case.studies[str(uid)] = None
    elif document.get("kind") == _REVIEWED:
        told = (str(fields.get("subject")), str(fields.get("reason")))
        for signed in [key for key, case in waiting.items() if (key[0], key[2]) == told and name in case.decisions]:
            waiting.pop(signed).signed = {"at": at, "note": fields.get("note"), "by": fields.get("by")}
