"""What security events say (OpenID CAEP 1.0, OpenID Shared Signals 1.0 sections 7.1.4 and 8.1.5), read strictly."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from leadglass.hazmat.jws import InvalidToken, numeric_date
from leadglass.identity.claims import text
from leadglass.limits import SIGNAL_CLAIMS, SUBJECT_ID_CHARS
from leadglass.model.signals import Event

_CAEP: Final = "https://schemas.openid.net/secevent/caep/event-type/"
_SSF: Final = "https://schemas.openid.net/secevent/ssf/event-type/"
_OF_STREAMS: Final = frozenset({Event.VERIFICATION, Event.STREAM_UPDATED})
URIS: Final[Mapping[str, Event]] = {f"{_SSF if one in _OF_STREAMS else _CAEP}{one}": one for one in Event}

# Whose risk is told apart here; that of tenants, units and groups is nobody's in particular.
PRINCIPALS: Final = {"USER": "user", "DEVICE": "device", "SESSION": "session"}
_CHANGES: Final = frozenset({"create", "revoke", "update", "delete"})
_STATES: Final = frozenset({"enabled", "paused", "disabled"})
_LEVELS: Final = frozenset({"LOW", "MEDIUM", "HIGH"})


class Unfit(ValueError):
    """The event does not say what one of its type says."""


def read(event: Event, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is of use in an event. Raises Unfit."""
    try:
        return _READERS[event](payload)
    except InvalidToken as error:
        raise Unfit(error.cause) from None


def happened(payload: Mapping[str, Any], issued: float) -> float:
    """Return when it happened: `event_timestamp`, else when it was told. Raises Unfit."""
    try:
        return numeric_date(payload, "event_timestamp") or issued
    except InvalidToken as error:
        raise Unfit(error.cause) from None


def about(event: Event, says: Mapping[str, Any]) -> str:
    """Return what a simple subject identifier of this event names: user, session or device."""
    if event is Event.DEVICE_COMPLIANCE_CHANGE:
        return "device"
    return str(says["principal"]) if event is Event.RISK_LEVEL_CHANGE else "user"


def _one_of(payload: Mapping[str, Any], name: str, values: frozenset[str]) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or value not in values:
        raise Unfit(f"{name} is none of {', '.join(sorted(values))}")
    return value


def _session_revoked(_payload: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _credential(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "credential": text(payload.get("credential_type"), "credential_type"),
        "change": _one_of(payload, "change_type", _CHANGES),
    }


def _claims(payload: Mapping[str, Any]) -> dict[str, Any]:
    claims = payload.get("claims")
    if not isinstance(claims, dict) or not 0 < len(claims) <= SIGNAL_CLAIMS:
        raise Unfit("claims is no object, or holds none, or many")
    return {"claims": claims}


def _assurance(payload: Mapping[str, Any]) -> dict[str, Any]:
    text(payload.get("namespace"), "namespace")
    level = text(payload.get("current_level"), "current_level")
    if "change_direction" not in payload:  # levels have no order here: what is not said to be higher counts as lower
        return {"level": level, "direction": "decrease"}
    return {"level": level, "direction": _one_of(payload, "change_direction", frozenset({"increase", "decrease"}))}


def _compliance(payload: Mapping[str, Any]) -> dict[str, Any]:
    known = frozenset({"compliant", "not-compliant"})
    if "previous_status" in payload:
        _one_of(payload, "previous_status", known)
    return {"status": _one_of(payload, "current_status", known)}


def _risk(payload: Mapping[str, Any]) -> dict[str, Any]:
    principal = payload.get("principal")
    if not isinstance(principal, str) or principal not in PRINCIPALS:
        raise Unfit("principal is none of USER, DEVICE, SESSION")
    return {"principal": PRINCIPALS[principal], "level": _one_of(payload, "current_level", _LEVELS)}


def _verification(payload: Mapping[str, Any]) -> dict[str, Any]:
    return _words(payload, "state")


def _stream(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"status": _one_of(payload, "status", _STATES), **_words(payload, "reason")}


def _words(payload: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return what is for people to read; however it looks, it is no reason to refuse an event."""
    value = payload.get(name)
    return {name: value[:SUBJECT_ID_CHARS]} if isinstance(value, str) else {}


_READERS: Final[Mapping[Event, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    Event.SESSION_REVOKED: _session_revoked,
    Event.CREDENTIAL_CHANGE: _credential,
    Event.TOKEN_CLAIMS_CHANGE: _claims,
    Event.ASSURANCE_LEVEL_CHANGE: _assurance,
    Event.DEVICE_COMPLIANCE_CHANGE: _compliance,
    Event.RISK_LEVEL_CHANGE: _risk,
    Event.VERIFICATION: _verification,
    Event.STREAM_UPDATED: _stream,
}
