"""Who would notice when a gateway that observes began to enforce: one pass over the record, with bounded memory.

    decision lines with `observed`, and the uses of leases that come from them
        -> for each reason, person and viewer: how many requests, since when, until when

A request is counted once, however often it was judged: a search as a whole and by its rows, a store part by part. Who is
not signed in is told by address.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import orjson

from leadglass.audit.feed import every_line
from leadglass.audit.ids import milliseconds
from leadglass.audit.search import member
from leadglass.clock import rfc3339
from leadglass.limits import LEASES_HELD, READINESS_EACH, READINESS_NAMES

OTHERS: Final = "(others)"
_NO_VIEWER: Final = "(says nothing of itself)"
Verdict: TypeAlias = Literal["ready", "rows", "refused"]
"""Would notice nothing; would miss rows of lists; would be refused."""


def _some(names: Counter[str], name: str | None, most: int = READINESS_EACH) -> None:
    if name is not None:
        names[name if name in names or len(names) < most else OTHERS] += 1


@dataclass(slots=True)
class Tally:
    """What is known of one person, one viewer, or one reason. `hidden` are requests that would lose rows."""

    name: str
    requests: int = 0
    refused: int = 0
    hidden: int = 0
    first: str = ""
    last: str = ""
    last_refused: str = ""
    reasons: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    devices: Counter[str] = field(default_factory=Counter)
    viewers: Counter[str] = field(default_factory=Counter)
    params: Mapping[str, str] = field(default_factory=dict)  # of a reason, as it was first given

    @property
    def verdict(self) -> Verdict:
        """Say whether this one would notice."""
        if self.refused:
            return "refused"
        return "rows" if self.hidden else "ready"

    def document(self) -> dict[str, Any]:
        """Return the form that `--json` shows."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "requests": self.requests,
            "refused": self.refused,
            "hidden": self.hidden,
            "first": self.first,
            "last": self.last,
            "last_refused": self.last_refused or None,
            "reasons": dict(self.reasons.most_common()),
            "people": dict(self.people.most_common()),
            "devices": dict(self.devices.most_common()),
            "viewers": dict(self.viewers.most_common()),
        }


@dataclass(slots=True)
class _Seen:
    """A request that was counted, for what is said of it later."""

    person: str
    device: str | None
    viewer: str
    reasons: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Report:
    """The whole of it. `revisions` counts policy sets in a row; the last has judged since `revised`."""

    requests: int = 0
    first: str = ""
    last: str = ""
    revision: str = ""
    revisions: int = 0
    revised: str = ""
    reasons: dict[str, Tally] = field(default_factory=dict)
    people: dict[str, Tally] = field(default_factory=dict)
    viewers: dict[str, Tally] = field(default_factory=dict)

    def of(self, verdict: Verdict) -> list[Tally]:
        """Return the people of whom that holds, the busiest first."""
        return sorted((one for one in self.people.values() if one.verdict == verdict), key=lambda one: -one.requests)


def _tally(kind: dict[str, Tally], name: str) -> Tally:
    if name not in kind and len(kind) >= READINESS_NAMES:
        name = OTHERS
    return kind.setdefault(name, Tally(name))


def _person(document: dict[str, Any]) -> str:
    subject = member(document, "subject", "id")
    if isinstance(subject, str):
        return f"{subject} ({member(document, 'subject', 'issuer')})"
    return f"nobody at {member(document, 'client', 'ip')}"


class _Reader:
    """Turns lines into a report."""

    def __init__(self) -> None:
        self.report = Report()
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def decision(self, document: dict[str, Any]) -> None:
        """Count what a decision says. Lines of a gateway that enforced are none of it."""
        if document.get("observed") not in {"allow", "hide", "refuse"}:
            return
        name, at = str(document.get("decision_id")), str(document.get("timestamp"))
        self._revised(str(member(document, "policy", "revision")), at)
        seen = self._seen.get(name)
        if seen is None:
            viewer, device = member(document, "client", "user_agent"), member(document, "device", "id")
            seen = _Seen(_person(document), device, viewer if isinstance(viewer, str) else _NO_VIEWER)
            self._remember(name, seen)
            self._request(seen, at)
        if document["observed"] != "allow":
            self._against(seen, document, at)

    def use(self, document: dict[str, Any]) -> None:
        """Count one more request under a lease."""
        seen = self._seen.get(str(document.get("leased_from")))
        if seen is None:
            return
        try:
            at = rfc3339(milliseconds(str(document.get("decision_id"))) / 1000)
        except ValueError:
            return
        again = _Seen(seen.person, seen.device, seen.viewer)
        self._remember(str(document.get("decision_id")), again)  # it may be judged again
        self._request(again, at)

    def _remember(self, name: str, seen: _Seen) -> None:
        self._seen[name] = seen
        if len(self._seen) > LEASES_HELD:
            self._seen.popitem(last=False)

    def _revised(self, revision: str, at: str) -> None:
        report = self.report
        if report.revision != revision:
            report.revision, report.revised, report.revisions = revision, at, report.revisions + 1

    def _request(self, seen: _Seen, at: str) -> None:
        report = self.report
        report.requests += 1
        report.first, report.last = report.first or at, at
        person, viewer = _tally(report.people, seen.person), _tally(report.viewers, seen.viewer)
        for tally in (person, viewer):
            tally.requests += 1
            tally.first, tally.last = tally.first or at, at
        _some(person.viewers, seen.viewer)
        _some(viewer.people, seen.person, READINESS_NAMES)
        _some(person.devices, seen.device)

    def _against(self, seen: _Seen, document: dict[str, Any], at: str) -> None:
        report, refuses = self.report, document["observed"] == "refuse"
        first = not seen.reasons
        tallies = (_tally(report.people, seen.person), _tally(report.viewers, seen.viewer))
        for tally in tallies:
            tally.refused += first and refuses
            tally.hidden += first and not refuses
            tally.last_refused = at
        causes = [*_causes(document, "reasons"), *_causes(document, "rows")]
        for code, params in dict(reversed(causes)).items():
            if code in seen.reasons:
                continue
            seen.reasons.add(code)
            reason = report.reasons.setdefault(code, Tally(code, first=at, params=params))
            reason.requests += 1
            reason.refused += refuses
            reason.hidden += not refuses
            reason.last = reason.last_refused = at
            for names, name in (
                (reason.people, seen.person),
                (reason.viewers, seen.viewer),
                (reason.devices, seen.device),
            ):
                _some(names, name, READINESS_NAMES)
            for tally in tallies:
                tally.reasons[code] += 1


def _causes(document: dict[str, Any], name: str) -> list[tuple[str, Mapping[str, str]]]:
    found = member(document, "decision", name)
    return [
        (str(cause.get("code")), cause["params"] if isinstance(cause.get("params"), dict) else {})
        for cause in (found if isinstance(found, list) else ())
        if isinstance(cause, dict)
    ]


def readiness(
    file: Path, since: float | None = None, until: float | None = None, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Return what the record says of the time between two moments (epoch seconds). Raises OSError.

    `progress` is told how many bytes more have been read.
    """
    reader = _Reader()
    least, most = rfc3339(since) if since is not None else "", rfc3339(until) if until is not None else "~"
    for line in every_line(file, progress):
        kind = b'"type":"use",' in line[:200]
        if not kind and b'"observed":"' not in line:
            continue
        try:
            document = orjson.loads(line)
        except ValueError:
            continue
        if not isinstance(document, dict):
            continue
        if document.get("type") == "use":
            reader.use(document)
        elif document.get("type") == "decision" and least <= str(document.get("timestamp")) < most:
            reader.decision(document)
    return reader.report
