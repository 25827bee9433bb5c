"""Subject identifiers of security events (RFC 9493, and the complex form of OpenID Shared Signals 1.0)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from leadglass.limits import SIGNAL_NAMES, SUBJECT_ID_CHARS
from leadglass.model.signals import Name, Whom

_DEVICE_URN: Final = "urn:leadglass:device:"
_BEYOND: Final = frozenset({"format", "user", "session", "device", "tenant", "application", "org_unit", "group"})


class UnknownSubject(ValueError):
    """No subject identifier, or one that nobody here can be told by."""


def parse(sub_id: object, issuer: str, *, simple: str, device_by: str) -> Whom:
    """Return whom `sub_id` names among the people of `issuer`. Raises UnknownSubject.

    `simple` says what an identifier that is no complex one names: `user`, `session` or `device`; an opaque one that may be
    of a session is taken for the person, too. `device_by` is how devices are called: by `id` or by `name`.
    """
    reader = _Reader(issuer, device_by)
    if not isinstance(sub_id, Mapping):
        raise UnknownSubject("sub_id is missing or no object")
    if sub_id.get("format") != "complex":
        return Whom(issuer, (reader.names(sub_id, simple),))
    if sub_id.keys() - _BEYOND:
        raise UnknownSubject("sub_id has members that are not understood")
    # Tenant, application, unit and group narrow it down further than can be told here, so they narrow nothing.
    kinds = [kind for kind in ("user", "session", "device") if kind in sub_id]
    if not kinds:
        raise UnknownSubject("sub_id names neither user nor session nor device")
    return Whom(issuer, tuple(reader.names(sub_id[kind], f"its {kind}") for kind in kinds))


class _Reader:
    def __init__(self, issuer: str, device_by: str) -> None:
        self._issuer = issuer
        self._device: Literal["device", "device-name"] = "device" if device_by == "id" else "device-name"

    def names(self, given: object, kind: str) -> frozenset[Name]:
        """Return the names in one simple identifier, or in the aliases of one."""
        if not isinstance(given, Mapping):
            raise UnknownSubject("sub_id holds what is no object")
        form = given.get("format")
        if form != "aliases":
            return frozenset(self._name(given, form, kind))
        listed = given.get("identifiers")
        if not isinstance(listed, list) or not 0 < len(listed) <= SIGNAL_NAMES:
            raise UnknownSubject("sub_id has no list of aliases, or a long one")
        found: set[Name] = set()
        for one in listed:
            if not isinstance(one, Mapping) or one.get("format") == "aliases":
                raise UnknownSubject("an alias is no identifier")
            found |= self._name(one, one.get("format"), kind)
        return frozenset(found)

    def _name(self, given: Mapping[str, Any], form: object, kind: str) -> set[Name]:
        of_device, of_session = kind.endswith("device"), kind.endswith("session")
        if form == "iss_sub" and not of_device and not of_session:
            if _text(given, "iss") != self._issuer:
                raise UnknownSubject("iss of sub_id is another issuer's")
            return {("sub", _text(given, "sub"))}
        if form == "email" and not of_device and not of_session:
            return {("email", _text(given, "email").lower())}
        if form == "uri" and of_device and _text(given, "uri").startswith(_DEVICE_URN):
            return {("device", _text(given, "uri").removeprefix(_DEVICE_URN))}
        if form == "opaque":
            value = _text(given, "id")
            if of_device:
                return {(self._device, value)}
            if of_session:
                return {("sid", value)}
            return {("sub", value)} if kind.startswith("its") else {("sub", value), ("sid", value)}
        raise UnknownSubject(f"sub_id has a format that names no {kind.removeprefix('its ')} here")


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= SUBJECT_ID_CHARS or not value.isprintable():
        raise UnknownSubject(f"{name} of sub_id is missing, too long or not printable")
    return value
