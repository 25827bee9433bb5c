"""Notices: which lines of the record somebody is told of at once, and in which words.

A notice names who, when, from where, how often and the decision id, by which the record is searched; never a patient or a
study, and the reason only where the settings say so. Reading a series under a broken glass is hundreds of decisions: each
person and reason is told of once, and again when it goes on for another hour.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

import orjson

from leadglass.clock import Clock
from leadglass.limits import NOTICE_AGAIN_SECONDS, NOTICE_CASES, NOTICE_LISTED, NOTICE_OLD_SECONDS

Notice: TypeAlias = dict[str, Any]

_WORDS: Final = {
    "glass-broken": "broke the glass",
    "emergency-begun": "used an emergency code",
    "emergency-refused": "an emergency code was refused",
}
_MARKS: Final = tuple(f'"kind":"{kind}"'.encode() for kind in _WORDS)
_TAKEN: Final = ("decision_id", "subject", "issuer", "client_ip", "session", "ends", "cause", "code")


class Notices:
    """What is to be told. One for each receiver: each remembers what it has taken."""

    def __init__(self, clock: Clock, *, reasons: bool) -> None:
        self._clock, self._reasons = clock, reasons
        self._told: OrderedDict[tuple[str, ...], float] = OrderedDict()  # case -> monotonic seconds

    def encode(self, lines: Iterable[bytes]) -> bytes:
        """Return the notices that these lines of the record amount to, as JSON; nothing when there are none."""
        found: dict[tuple[str, ...], Notice] = {}
        for line in lines:
            if not any(mark in line for mark in _MARKS):
                continue
            try:
                document = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(document, dict) and document.get("type") == "event" and document.get("kind") in _WORDS:
                self._take(document, found)
        return orjson.dumps(list(found.values())) if found else b""

    def _take(self, document: Mapping[str, Any], found: dict[tuple[str, ...], Notice]) -> None:
        fields, at = document.get("fields"), str(document.get("timestamp"))
        if not isinstance(fields, dict) or self._old(at):
            return
        kind = str(document["kind"])
        names = ("subject", "issuer", "reason") if kind != "emergency-refused" else ("client_ip",)
        case = (kind, *(str(fields.get(name)) for name in names))
        notice = found.get(case)
        if notice is None:
            known = {name: fields[name] for name in _TAKEN if fields.get(name) is not None}
            if self._reasons and fields.get("reason") is not None:
                known["reason"] = fields["reason"]
            notice = found[case] = {"kind": kind, "since": at, "count": 0, **known, "case": list(case)}
        notice["count"] += 1

    def _old(self, at: str) -> bool:
        try:
            return self._clock.now() - datetime.fromisoformat(at).timestamp() > NOTICE_OLD_SECONDS
        except ValueError:
            return False

    def due(self, batch: bytes) -> list[Notice]:
        """Return the notices of a batch that were not told of lately."""
        now = self._clock.monotonic()
        return [
            notice
            for notice in orjson.loads(batch)
            if now - self._told.get(tuple(notice["case"]), float("-inf")) >= NOTICE_AGAIN_SECONDS
        ]

    def told(self, notices: Iterable[Notice]) -> None:
        """Remember that these were taken."""
        for notice in notices:
            case = tuple(notice["case"])
            self._told.pop(case, None)
            self._told[case] = self._clock.monotonic()
            if len(self._told) > NOTICE_CASES:
                self._told.popitem(last=False)


def documents(notices: Iterable[Notice]) -> list[Notice]:
    """Return notices as a receiver gets them."""
    return [{name: value for name, value in notice.items() if name != "case"} for notice in notices]


def sentences(notices: list[Notice]) -> list[str]:
    """Return a line of words for each notice, and one for those that are too many to list."""
    said = [_sentence(notice) for notice in notices[:NOTICE_LISTED]]
    more = len(notices) - NOTICE_LISTED
    return [*said, f"and {more} more"] if more > 0 else said


def _sentence(notice: Notice) -> str:
    what, where = _WORDS[notice["kind"]], f"from {notice.get('client_ip', 'an unknown address')}"
    if notice["kind"] == "emergency-refused":
        words = f"{what} {where}: {notice.get('cause', 'no cause given')}"
    else:
        words = f"{notice.get('subject')} ({notice.get('issuer')}) {what} {where}"
    if notice["count"] > 1:
        words += f", {notice['count']} times"
    if "reason" in notice:
        words += f", because: {notice['reason']}"
    said = f"{notice['since']}  {words}  [decision {notice.get('decision_id')}]"
    return "".join(character if character.isprintable() else " " for character in said)
