"""Who saw patient X, and what did subject Y do: one pass over the record, nothing held but the open leases.

A `use` line and a completion name the decision they come from; who, whose and which study stand there, or in what a
search disclosed and a store wrote. So decisions are remembered, as many as there can be leases.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

import orjson

from leadglass.audit.feed import every_line
from leadglass.audit.ids import milliseconds
from leadglass.clock import rfc3339
from leadglass.limits import LEASES_HELD

Outcome = Literal["allowed", "refused", "observed"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
"""`observed`: let through while the gateway observed, although the decision is a no. Who looks for what was allowed finds it, too."""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; all that is given must hold. `since` and `until` are epoch seconds."""

    patient: str | None = None
    study: str | None = None
    subject: str | None = None
    device: str | None = None
    since: float | None = None
    until: float | None = None
    outcome: Outcome | None = None
    decision_id: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One act in the record. `patients` and `studies` are those it was about, or those a list showed.

    `incomplete` says that the line kept only the first ones of a longer list, so that others may have been in it.
    """

    seq: int
    type: str
    decision_id: str
    timestamp: str
    outcome: Outcome
    subject: str | None = None
    device: str | None = None
    ip: str | None = None
    country: str | None = None
    city: str | None = None
    action: str | None = None
    transaction: str | None = None
    resource: str | None = None
    patients: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    status: int | None = None
    bytes: int | None = None
    cut_by: str | None = None
    leased_from: str | None = None
    incomplete: bool = False
    seconds: float = field(default=0.0, compare=False)


def member(document: Any, *names: str) -> Any:  # noqa: ANN401 - a line of JSON
    """Return what stands at a path into a line, None when nothing does."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _seconds(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).timestamp()
    except ValueError:
        return 0.0


def _outcome(document: dict[str, Any]) -> Outcome:
    if document.get("observed") == "refuse":
        return "observed"
    return "allowed" if member(document, "decision", "allow") is True else "refused"


def _decision(document: dict[str, Any]) -> Hit:
    resource = member(document, "resource")
    study = member(resource, "study_uid")
    named = member(document, "input", "studies") if member(document, "action", "name") == "store" else None
    studies = {study} if isinstance(study, str) else set()
    patients = {patient} if isinstance(patient := member(document, "patient", "id"), str) else set()
    for one in named if isinstance(named, list) else []:
        studies.update(uid for uid in [member(one, "study_uid")] if isinstance(uid, str))
        patients.update(uid for uid in [member(one, "patient_id")] if isinstance(uid, str))
    reasons = [
        cause.get("code")
        for name in ("reasons", "rows")
        for cause in member(document, "decision", name) or ()
        if isinstance(cause, dict)
    ]
    at = document.get("timestamp")
    return Hit(
        seq=document["seq"],
        type="decision",
        decision_id=str(document.get("decision_id")),
        timestamp=str(at),
        outcome=_outcome(document),
        subject=member(document, "subject", "id"),
        device=member(document, "device", "id"),
        ip=member(document, "client", "ip"),
        country=member(document, "client", "country"),
        city=member(document, "client", "city"),
        action=member(document, "action", "name"),
        transaction=member(document, "action", "transaction"),
        resource=member(resource, "instance_uid") or member(resource, "series_uid") or study,
        patients=tuple(sorted(patients)),
        studies=tuple(sorted(studies)),
        reasons=tuple(dict.fromkeys(str(code) for code in reasons)),
        seconds=_seconds(at),
    )


class _Search:
    """Turns lines into hits, with the decisions that later lines refer to."""

    def __init__(self) -> None:
        self._decisions: OrderedDict[str, Hit] = OrderedDict()

    def hit(self, document: dict[str, Any]) -> Hit | None:
        """Return the act that a line tells of, None when it is none or is a sum."""
        kind = document.get("type")
        if kind == "decision":
            hit = _decision(document)
            self._decisions[hit.decision_id] = hit
            if len(self._decisions) > LEASES_HELD:
                self._decisions.popitem(last=False)
            return hit
        if kind == "use":
            return self._use(document)
        if kind == "completion" and "decision_id" in document:
            return self._completion(document)
        return None

    def _base(self, name: str, seq: int) -> Hit:
        known = self._decisions.get(name)
        return known if known is not None else Hit(seq, "decision", name, "", "allowed")

    def _use(self, document: dict[str, Any]) -> Hit:
        name, origin = str(document.get("decision_id")), str(document.get("leased_from"))
        try:
            seconds = milliseconds(name) / 1000
        except ValueError:
            seconds = 0.0
        hit = replace(
            self._base(origin, document["seq"]),
            seq=document["seq"],
            type="use",
            decision_id=name,
            timestamp=rfc3339(seconds),
            transaction=document.get("transaction"),
            resource=document.get("sop_uid") or document.get("series_uid"),
            reasons=(),
            leased_from=origin,
            seconds=seconds,
        )
        self._decisions[name] = hit  # its completion, if any, refers to it
        if len(self._decisions) > LEASES_HELD:
            self._decisions.popitem(last=False)
        return hit

    def _completion(self, document: dict[str, Any]) -> Hit:
        base = self._base(str(document["decision_id"]), document["seq"])
        shown = document.get("disclosed") or document.get("stored")
        listed = [row for row in member(shown, "studies") or () if isinstance(row, dict)]
        patients = {row["patient_id"] for row in listed if isinstance(row.get("patient_id"), str)}
        studies = {row["study_uid"] for row in listed if isinstance(row.get("study_uid"), str)}
        return replace(
            base,
            seq=document["seq"],
            type="completion",
            timestamp=str(document.get("timestamp")),
            patients=tuple(sorted(patients.union(base.patients))),
            studies=tuple(sorted(studies.union(base.studies))),
            reasons=tuple(str(member(cause, "code")) for cause in document.get("reasons") or ()),
            status=document.get("status"),
            bytes=document.get("bytes"),
            cut_by=document.get("cut_by"),
            incomplete=bool(member(shown, "sha256")),
            seconds=_seconds(document.get("timestamp")),
        )


def matches(hit: Hit, query: Query) -> bool:
    """Return whether a hit is what was asked for. A list that was kept in part matches any patient and study."""
    return (
        (query.patient is None or query.patient in hit.patients or hit.incomplete)
        and (query.study is None or query.study in hit.studies or hit.incomplete)
        and (query.subject is None or query.subject == hit.subject)
        and (query.device is None or query.device == hit.device)
        and (query.since is None or hit.seconds >= query.since)
        and (query.until is None or hit.seconds < query.until)
        and (query.country is None or query.country == hit.country)
        and (query.outcome in {None, hit.outcome} or (query.outcome, hit.outcome) == ("allowed", "observed"))
        and (query.decision_id is None or query.decision_id in {hit.decision_id, hit.leased_from})
    )


def search(file: Path, query: Query, progress: Callable[[int], None] = lambda _: None) -> Iterator[Hit]:
    """Yield what matches, oldest first. `progress` is told how many bytes more have been read. Raises OSError.

    Lines that cannot be read are left out: `verify` is what names them.
    """
    reader = _Search()
    for line in every_line(file, progress):
        try:
            document = orjson.loads(line)
        except ValueError:
            continue
        if not isinstance(document, dict) or not isinstance(document.get("seq"), int):
            continue
        hit = reader.hit(document)
        if hit is not None and matches(hit, query):
            yield hit
