"""Shapes of what agents send: exactly the members asked for, each of its type and within its bounds."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from leadglass.codec.strictjson import INTEGER_MAX, loads
from leadglass.devices.enrolled import Checks, KeyProtection
from leadglass.limits import STATEMENT_CHECKS, STATEMENT_LIST, STATEMENT_MEMBERS, STATEMENT_TEXT_CHARS

_HOSTNAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
_CHECK: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BOOT: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_MEMBER: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_STATUSES: Final = frozenset({"pass", "fail", "unknown"})
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DEPTH: Final = 6


class Malformed(ValueError):
    """A member is missing, superfluous, of a wrong type or out of bounds; the text names it."""


def members(data: bytes, names: frozenset[str]) -> dict[str, Any]:
    """Return the JSON object in `data`, which has exactly these members. Raises Malformed."""
    try:
        value = loads(data, _DEPTH)
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from None
    if not isinstance(value, dict) or set(value) != names:
        raise Malformed("members")
    return value


def text(form: Mapping[str, Any], name: str, limit: int = STATEMENT_TEXT_CHARS) -> str:
    """Return a member that is 1 to `limit` characters of text without controls. Raises Malformed."""
    value = form[name]
    if not isinstance(value, str) or not 1 <= len(value) <= limit or _CONTROLS.search(value):
        raise Malformed(name)
    return value


def literal(form: Mapping[str, Any], name: str, value: str) -> None:
    """Check that a member is exactly `value`. Raises Malformed."""
    if form[name] != value:
        raise Malformed(name)


def integer(form: Mapping[str, Any], name: str, *, low: int = 0) -> int:
    """Return a member that is an integer from `low` to 2^53-1. Raises Malformed."""
    value = form[name]
    if type(value) is not int or not low <= value <= INTEGER_MAX:  # True is an int
        raise Malformed(name)
    return value


def seconds(form: Mapping[str, Any], name: str) -> float:
    """Return a member that is a number of seconds, 0 or more. Raises Malformed."""
    value = form[name]
    if type(value) not in {int, float} or not 0 <= value <= INTEGER_MAX:
        raise Malformed(name)
    return float(value)


def hostname(form: Mapping[str, Any], name: str) -> str:
    """Return a member that is a host name. Raises Malformed."""
    return _matching(form, name, _HOSTNAME)


def boot_id(form: Mapping[str, Any], name: str) -> str:
    """Return a member that names a boot. Raises Malformed."""
    return _matching(form, name, _BOOT)


def _matching(form: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = form[name]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(name)
    return value


def key_protection(form: Mapping[str, Any], name: str) -> KeyProtection:
    """Return a member that says where the device key lives. Raises Malformed."""
    if form[name] not in ("tpm", "software"):
        raise Malformed(name)
    return cast("KeyProtection", form[name])


def checks(form: Mapping[str, Any], name: str) -> Checks:
    """Return the checks of a statement: id -> status, value, reason. Raises Malformed."""
    value = form[name]
    if not isinstance(value, dict) or len(value) > STATEMENT_CHECKS:
        raise Malformed(name)
    for identifier, check in value.items():
        if not _CHECK.fullmatch(identifier):
            raise Malformed(f"{name}: an id")
        _check(check, f"{name}.{identifier}")
    return value


def _check(check: object, where: str) -> None:
    if not isinstance(check, dict) or not {"status"} <= set(check) <= {"status", "value", "reason"}:
        raise Malformed(where)
    status, reason = check["status"], check.get("reason", "")
    if not isinstance(status, str) or status not in _STATUSES:
        raise Malformed(f"{where}.status")
    if not isinstance(reason, str) or not _scalar(reason):
        raise Malformed(f"{where}.reason")
    if not _value(check.get("value")):
        raise Malformed(f"{where}.value")


def _value(value: object) -> bool:
    if isinstance(value, dict):
        named = all(_MEMBER.fullmatch(name) for name in value)
        return len(value) <= STATEMENT_MEMBERS and named and all(map(_flat, value.values()))
    return _flat(value)


def _flat(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= STATEMENT_LIST and all(map(_scalar, value))
    return _scalar(value)


def _scalar(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= STATEMENT_TEXT_CHARS and not _CONTROLS.search(value)
    if isinstance(value, bool) or value is None:
        return True
    return isinstance(value, int | float) and math.isfinite(value)
