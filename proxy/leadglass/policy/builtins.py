"""The builtins that WebAssembly leaves to the host: a short list, each proven on OPA's own conformance cases.

A builtin that fails ends the evaluation, as OPA's strict mode does: an undefined in its place could make a denial
vanish. Left out on purpose: whatever answers differently tomorrow (time.now_ns, rand, uuid), since decisions are
replayed; whatever reaches outside (http.send, net.lookup_ip_addr, opa.runtime); and everything nobody needs yet.

Source: OPA documentation, "Built-in functions"; github.com/open-policy-agent/opa v1/topdown.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from ipaddress import ip_network
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadglass.policy import gofmt
from leadglass.policy.regovalue import Set, Value

Builtin = Callable[..., Value]

_NS: Final = 1_000_000_000
_INT64: Final = 2**63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_SEMVER: Final = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class BuiltinError(Exception):
    """A builtin was handed what it cannot take. Ends the evaluation."""


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise BuiltinError("a string was expected")


def _texts(value: Value) -> tuple[str, ...]:
    match value:
        case str():
            return (value,)
        case list():
            return tuple(map(_text, value))
        case Set(members):
            return tuple(map(_text, members))
    raise BuiltinError("a string, or an array or set of strings, was expected")


def sprintf(layout: Value, values: Value) -> Value:
    """Format as Go's fmt does: strings and numbers as such, everything else as Rego writes it."""
    if not isinstance(values, list):
        raise BuiltinError("an array was expected")
    try:
        return gofmt.sprintf(_text(layout), values)
    except ValueError as error:
        raise BuiltinError(str(error)) from None


def parse_rfc3339_ns(value: Value) -> Value:
    """Return nanoseconds since the epoch of an RFC 3339 time stamp (any number of fraction digits)."""
    found = _RFC3339.fullmatch(_text(value))
    if not found:
        raise BuiltinError("not an RFC 3339 time stamp")
    *date, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime(*map(int, date), tzinfo=UTC)  # type: ignore[misc, arg-type]  # six numbers, by the pattern
    except ValueError:
        raise BuiltinError("no such date or time") from None
    if sign and (int(hours) >= 24 or int(minutes) >= 60):  # noqa: PLR2004 - of a clock
        raise BuiltinError("no such time zone offset")
    shift = (int(hours) * 60 + int(minutes)) * 60 if sign else 0
    seconds = (moment - _EPOCH) // timedelta(seconds=1) - (shift if sign == "+" else -shift)
    return _in_range(seconds * _NS + int((fraction or "0")[:9].ljust(9, "0")))


def _in_range(ns: int) -> int:
    if not -_INT64 <= ns < _INT64:
        raise BuiltinError("time outside of valid range")
    return ns


def _moment(value: Value) -> datetime:
    """Read `ns`, `[ns]` or `[ns, zone]`."""
    zone: tzinfo = UTC
    if isinstance(value, list) and 1 <= len(value) <= 3:  # noqa: PLR2004 - the third is a layout, for time.format
        if len(value) > 1 and (name := _text(value[1])) not in {"", "UTC"}:
            try:
                zone = ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise BuiltinError("unknown time zone") from None
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise BuiltinError("whole nanoseconds, or [nanoseconds, zone], were expected")
    return (_EPOCH + timedelta(seconds=_in_range(int(value)) // _NS)).astimezone(zone)


def date(value: Value) -> Value:
    """Return [year, month, day]."""
    moment = _moment(value)
    return [moment.year, moment.month, moment.day]


def clock(value: Value) -> Value:
    """Return [hour, minute, second]."""
    moment = _moment(value)
    return [moment.hour, moment.minute, moment.second]


def weekday(value: Value) -> Value:
    """Return the English name of the day of the week."""
    return _WEEKDAYS[_moment(value).weekday()]


def sha256(value: Value) -> Value:
    """Return SHA-256 of a string's UTF-8, as lower-case hex."""
    return hashlib.sha256(_text(value).encode()).hexdigest()


def semver_is_valid(value: Value) -> Value:
    """Return whether the value is a version by Semantic Versioning 2.0.0."""
    return isinstance(value, str) and _SEMVER.fullmatch(value) is not None


def semver_compare(one: Value, other: Value) -> Value:
    """Return -1, 0 or 1 by the precedence of Semantic Versioning 2.0.0 section 11."""
    left, right = (_SEMVER.fullmatch(_text(value)) for value in (one, other))
    if not left or not right:
        raise BuiltinError("not a semantic version")
    core = [tuple(map(int, version.groups()[:3])) for version in (left, right)]
    if core[0] != core[1]:
        return -1 if core[0] < core[1] else 1
    if left[4] == right[4]:
        return 0
    if left[4] is None or right[4] is None:
        return 1 if left[4] is None else -1
    keys = [[_precedence(part) for part in text.split(".")] for text in (left[4], right[4])]
    return -1 if keys[0] < keys[1] else 1


def _precedence(identifier: str) -> tuple[int, int, str]:
    return (0, int(identifier), "") if identifier.isdigit() else (1, 0, identifier)


def any_prefix_match(search: Value, base: Value) -> Value:
    """Return whether any of `search` begins with any of `base`."""
    prefixes = _texts(base)
    return any(text.startswith(prefixes) for text in _texts(search))


def any_suffix_match(search: Value, base: Value) -> Value:
    """Return whether any of `search` ends with any of `base`."""
    suffixes = _texts(base)
    return any(text.endswith(suffixes) for text in _texts(search))


def count_text(search: Value, part: Value) -> Value:
    """Return how often `part` occurs in `search` without overlap."""
    return _text(search).count(_text(part))


def cidr_is_valid(value: Value) -> Value:
    """Return whether the value is an IP network in CIDR notation."""
    if not isinstance(value, str) or "/" not in value:
        return False
    address, _, bits = value.partition("/")
    try:
        ip_network(f"{address}/{bits}", strict=False)
    except ValueError:
        return False
    return bits.isdigit() and bits.isascii() and "%" not in address


BUILTINS: Final[Mapping[str, Builtin]] = MappingProxyType(
    {
        "crypto.sha256": sha256,
        "net.cidr_is_valid": cidr_is_valid,
        "semver.compare": semver_compare,
        "semver.is_valid": semver_is_valid,
        "sprintf": sprintf,
        "strings.any_prefix_match": any_prefix_match,
        "strings.any_suffix_match": any_suffix_match,
        "strings.count": count_text,
        "time.clock": clock,
        "time.date": date,
        "time.parse_rfc3339_ns": parse_rfc3339_ns,
        "time.weekday": weekday,
    }
)
