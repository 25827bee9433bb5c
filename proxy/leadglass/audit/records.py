"""What stands in each kind of line. A builder returns the members of one JSON object; the chain adds its frame.

Five types: `decision` (judged, or refused before it could be), `use` (a leased decision used once more), `completion`
(how an exchange ended, or the sum of a lease's), `event` (all else) and `head` (signed). The record tells the true
reasons, those that only the log may know too. Whatever a client managed to put into a text, orjson leaves one line of
valid JSON: quotes and control characters are escaped, lone surrogates are spelled out.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from leadglass.clock import rfc3339
from leadglass.limits import NESTING_DEPTH, RECORD_LINE_BYTES, RECORD_TEXT_CHARS, RECORD_VALUES
from leadglass.model.decision import Decision
from leadglass.model.errors import Cause, Refusal
from leadglass.model.facts import ANONYMOUS, Action, Device, Resource, Study, Subject
from leadglass.model.question import Question


def _until(valid_until: float) -> str | None:
    return rfc3339(valid_until) if math.isfinite(valid_until) and 0 <= valid_until < 2**37 else None


def _plain(value: object, depth: int = 0) -> object:
    """Return a value that orjson takes: the slow way, for what it refused."""
    if depth > NESTING_DEPTH:
        return "(nested too deeply)"
    if isinstance(value, Mapping):
        return {str(_plain(str(key))): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | float | orjson.Fragment):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    return str(value).encode("utf-8", "backslashreplace").decode()


def body(document: Mapping[str, Any]) -> bytes:
    """Return the members of `document` as one line of JSON without its braces."""
    try:
        text = orjson.dumps(document)
    except TypeError:  # orjson's JSONEncodeError is one
        text = orjson.dumps(_plain(document))
    return text[1:-1]


def shown(text: str) -> str:
    """Bound a text that an unidentified client chose."""
    return text if len(text) <= RECORD_TEXT_CHARS else text[:RECORD_TEXT_CHARS] + "..."


def _subject(subject: Subject | None) -> dict[str, Any] | None:
    if subject is None:
        return None
    return {
        "type": subject.type,
        "id": subject.id,
        "issuer": subject.issuer,
        "roles": subject.roles,
        "mfa": subject.mfa,
    }


def _device(device: Device | None, age: float | None) -> dict[str, Any] | None:
    if device is None:
        return None
    by_status: dict[str, list[str]] = {}
    for name, check in device.checks.items():
        by_status.setdefault(str(check.get("status", "unknown")), []).append(name)
    return {
        "id": device.id,
        "name": device.name,
        "owner": device.owner,
        "owner_issuer": device.owner_issuer,
        "binding": device.binding,
        "posture": by_status,
        "posture_age_seconds": None if age is None else round(age, 3),
    }


def _client(ip: str, country: str | None, city: str | None) -> dict[str, str]:
    known = {"ip": ip, "country": country, "city": city}
    return {name: value for name, value in known.items() if value is not None}


def _patient(studies: Iterable[Study]) -> dict[str, Any] | None:
    """The one patient that a request is about; None for none or several (a search: see what it disclosed)."""
    found = {(study.patient_id, study.issuer_of_patient_id) for study in studies if study.patient_id is not None}
    if len(found) != 1:
        return None
    ((patient, issuer),) = found
    return {"id": patient, "issuer": issuer}


def _causes(causes: Iterable[Cause]) -> list[dict[str, Any]]:
    return [{"code": cause.reason.code, "params": dict(cause.params)} for cause in causes]


def _verdict(decision: Decision) -> dict[str, Any]:
    return {
        "allow": decision.allow,
        "grants": decision.grants,
        "reasons": _causes(decision.causes),
        "rows": [
            {"row": row.row, "code": row.cause.reason.code, "params": dict(row.cause.params)} for row in decision.rows
        ],
        "obligations": [{"type": duty.type, **duty.params} for duty in decision.obligations],
        "lease": {"seconds": decision.lease_seconds} if decision.lease_seconds else None,
    }


def _input(text: bytes) -> object:
    """The judged input as it was judged; its digest alone when it would burst the line."""
    if not text:
        return None
    if len(text) > RECORD_LINE_BYTES // 2:
        return {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}
    if b"\n" in text or b"\r" in text:  # valid JSON, and still not one line
        return orjson.loads(text)
    return orjson.Fragment(text)


@dataclass(frozen=True, slots=True)
class Where:
    """What every decision line tells of its exchange. `times` are microseconds by stage.

    `place` is country and city of the address, for a line that knows no context.
    """

    decision_id: str
    now: float
    door: str
    ip: str
    times: Mapping[str, int]
    again: int = 0  # how often this exchange was judged before
    place: tuple[str | None, str | None] = (None, None)


def _observed(true: Decision) -> Literal["allow", "hide", "refuse"]:
    """Say what will become of a request like this one once the gateway enforces."""
    if not true.allow:
        return "refuse"
    return "hide" if true.rows else "allow"


def decision(where: Where, question: Question, answer: Decision, viewer: str | None = None) -> bytes:
    """Make the line of a decision that was taken anew, with the judged input whole.

    `viewer` is what program asks, None unless the gateway observes. The line tells the true decision then, too.
    """
    context, true = question.context, answer.observed or answer
    document: dict[str, Any] = {
        "type": "decision",
        "decision_id": where.decision_id,
        "timestamp": rfc3339(where.now),
        "door": where.door,
        "subject": _subject(None if question.subject.issuer == ANONYMOUS else question.subject),
        "device": _device(question.device, question.posture_age),
        "action": {"name": question.action.name, "transaction": question.action.transaction},
        "resource": question.resource.document(),
        # A page that was judged is not yet a page that was shown: the completion tells that.
        "patient": None if question.action.name == "search" else _patient(question.studies),
        "client": _client(context.client_ip, context.country, context.city),
        "decision": _verdict(true),
        "policy": {"engine": answer.engine, "revision": answer.revision},
        "timing_us": where.times,
        "valid_until": _until(answer.valid_until),
        "input": _input(answer.input),
    }
    if where.again:
        document["again"] = where.again
    if answer.view is not None:
        document["view"] = answer.view
    if viewer is not None:
        document["observed"] = _observed(true)
        if viewer:
            document["client"]["user_agent"] = viewer
        if true.detail:
            document["decision"]["detail"] = shown(true.detail)
    return body(document)


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of an exchange when it was refused without a decision of policy."""

    subject: Subject | None = None
    device: Device | None = None
    action: Action | None = None
    resource: Resource | None = None
    studies: tuple[Study, ...] = ()
    method: str = ""
    path: str = ""  # less its query: tokens have been seen there


def refusal(where: Where, known: Known, refused: Refusal) -> bytes:
    """Make the decision line of a request that a stage refused before policy was asked."""
    return body(
        {
            "type": "decision",
            "decision_id": where.decision_id,
            "timestamp": rfc3339(where.now),
            "door": where.door,
            "subject": _subject(known.subject),
            "device": _device(known.device, None),
            "action": None
            if known.action is None
            else {"name": known.action.name, "transaction": known.action.transaction},
            "resource": None if known.resource is None else known.resource.document(),
            "patient": _patient(known.studies),
            "client": _client(where.ip, *where.place),
            "request": {"method": shown(known.method), "path": shown(known.path)},
            "decision": {
                "allow": False,
                "reasons": _causes(refused.causes),
                "detail": shown(refused.detail),
                "obligations": [],
                "lease": None,
            },
            "policy": None,
            "timing_us": where.times,
            "valid_until": None,
        }
    )


def use(decision_id: str, leased_from: str, transaction: str, resource: Resource) -> bytes:
    """Make the line of a leased request. Its time is that of its id; who, whose and why stand in `leased_from`."""
    document: dict[str, Any] = {
        "type": "use",
        "decision_id": decision_id,
        "leased_from": leased_from,
        "transaction": transaction,
    }
    if resource.instance_uid is not None:
        document["sop_uid"] = resource.instance_uid
        if resource.frames is not None:
            document["frames"] = resource.frames
    elif resource.series_uid is not None:
        document["series_uid"] = resource.series_uid
    return body(document)


def disclosure(studies: Mapping[str, str]) -> dict[str, Any]:
    """Return studies and their patients for a completion: the first ones in full, a digest of all when there are more.

    The digest is SHA-256 over `study<TAB>patient<LF>` in the order of the study UIDs.
    """
    listed = [{"study_uid": uid, "patient_id": studies[uid]} for uid in list(studies)[:RECORD_VALUES]]
    document: dict[str, Any] = {"count": len(studies), "studies": listed}
    if len(studies) > RECORD_VALUES:
        lines = "".join(f"{uid}\t{studies[uid]}\n" for uid in sorted(studies))
        document["sha256"] = hashlib.sha256(lines.encode("utf-8", "backslashreplace")).hexdigest()
    return document


class Ended(NamedTuple):
    """How an exchange ended. `status` is None when no reply was begun, `messages` counts those of a channel."""

    status: int | None
    bytes: int
    milliseconds: int
    cut_by: str | None = None
    messages: Mapping[str, int] | None = None


def completion(
    decision_id: str,
    now: float,
    ended: Ended,
    refused: Refusal | None = None,
    disclosed: tuple[Literal["disclosed", "stored"], Mapping[str, str]] | None = None,
) -> bytes:
    """Make the line of how one exchange ended."""
    document: dict[str, Any] = {
        "type": "completion",
        "decision_id": decision_id,
        "timestamp": rfc3339(now),
        "status": ended.status,
        "bytes": ended.bytes,
        "ms": ended.milliseconds,
        "cut_by": ended.cut_by,
    }
    if refused is not None:
        document["reasons"], document["detail"] = _causes(refused.causes), shown(refused.detail)
    if ended.messages is not None:
        document["messages"] = dict(ended.messages)
    if disclosed is not None:
        document[disclosed[0]] = disclosure(disclosed[1])
    return body(document)


def lease_sum(leased_from: str, now: float, uses: int, sent: int, milliseconds: int) -> bytes:
    """Make the completion that stands for all quick and whole exchanges under one lease."""
    return body(
        {
            "type": "completion",
            "leased_from": leased_from,
            "timestamp": rfc3339(now),
            "uses": uses,
            "bytes": sent,
            "ms": milliseconds,
        }
    )


def event(kind: str, fields: Mapping[str, Any], now: float) -> bytes:
    """Make the line of a happening that is no request."""
    return body({"type": "event", "kind": kind, "timestamp": rfc3339(now), "fields": fields})


def glass_broken(decision_id: str, question: Question, now: float) -> bytes:
    """Make the event of somebody having broken the glass, for the review."""
    studies = [study.study_uid for study in question.studies]
    fields = {
        "decision_id": decision_id,
        "subject": question.subject.id,
        "issuer": question.subject.issuer,
        "reason": (question.context.break_glass or {}).get("reason"),
        "transaction": question.action.transaction,
        "studies": studies[:RECORD_VALUES],
        "count": len(studies),
        "client_ip": question.context.client_ip,
    }
    return event("glass-broken", fields, now)


def head(now: float, signed: tuple[int, str], key: str, signature: str) -> bytes:
    """Make the line of a signed head; `signed` is the `seq` and `hash` of the line it speaks of."""
    return body(
        {
            "type": "head",
            "timestamp": rfc3339(now),
            "signed": {"seq": signed[0], "hash": signed[1]},
            "key": key,
            "signature": signature,
        }
    )
