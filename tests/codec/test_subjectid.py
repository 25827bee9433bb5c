from typing import Any

import pytest

from leadglass.codec.subjectid import UnknownSubject, parse
from leadglass.limits import SIGNAL_NAMES
from leadglass.model.signals import Name

ISSUER = "https://idp.example.org"
IN_ISSUER = {"format": "iss_sub", "iss": ISSUER, "sub": "s"}
OPAQUE = {"format": "opaque", "id": "x"}
EMAIL = {"format": "email", "email": "A@Example.org"}

GOOD: list[tuple[object, str, list[set[Name]]]] = [
    (IN_ISSUER, "user", [{("sub", "s")}]),
    (EMAIL, "user", [{("email", "a@example.org")}]),
    (OPAQUE, "user", [{("sub", "x"), ("sid", "x")}]),
    (OPAQUE, "session", [{("sid", "x")}]),
    (OPAQUE, "device", [{("device", "x")}]),
    ({"format": "uri", "uri": "urn:leadglass:device:D1"}, "device", [{("device", "D1")}]),
    ({"format": "aliases", "identifiers": [IN_ISSUER, EMAIL]}, "user", [{("sub", "s"), ("email", "a@example.org")}]),
    ({"format": "complex", "user": IN_ISSUER}, "user", [{("sub", "s")}]),
    ({"format": "complex", "user": OPAQUE}, "user", [{("sub", "x")}]),
    ({"format": "complex", "session": OPAQUE, "user": IN_ISSUER}, "user", [{("sub", "s")}, {("sid", "x")}]),
    (
        {"format": "complex", "device": OPAQUE, "session": OPAQUE, "user": EMAIL, "tenant": OPAQUE},
        "user",
        [{("email", "a@example.org")}, {("sid", "x")}, {("device", "x")}],
    ),
    ({"format": "complex", "device": OPAQUE}, "device", [{("device", "x")}]),
]


@pytest.mark.parametrize(("sub_id", "simple", "parts"), GOOD, ids=str)
def test_whom_an_identifier_names(sub_id: object, simple: str, parts: list[set[Name]]) -> None:
    whom = parse(sub_id, ISSUER, simple=simple, device_by="id")
    assert (whom.issuer, [set(part) for part in whom.parts]) == (ISSUER, parts)


def test_devices_may_be_called_by_name() -> None:
    whom = parse(OPAQUE, ISSUER, simple="device", device_by="name")
    assert whom.parts == (frozenset({("device-name", "x")}),)


BAD: list[tuple[Any, str]] = [
    (None, "user"),
    ("s", "user"),
    ([IN_ISSUER], "user"),
    ({}, "user"),
    ({"format": "iss_sub", "iss": f"{ISSUER}/", "sub": "s"}, "user"),
    ({"format": "iss_sub", "sub": "s"}, "user"),
    ({"format": "iss_sub", "iss": ISSUER}, "user"),
    ({"format": "iss_sub", "iss": ISSUER, "sub": ""}, "user"),
    ({"format": "iss_sub", "iss": ISSUER, "sub": ["s"]}, "user"),
    ({"format": "iss_sub", "iss": ISSUER, "sub": "a\nb"}, "user"),
    ({"format": "iss_sub", "iss": ISSUER, "sub": "s" * 300}, "user"),
    (IN_ISSUER, "device"),
    (IN_ISSUER, "session"),
    ({"format": "opaque"}, "user"),
    ({"format": "account", "uri": "acct:a@example.org"}, "user"),
    ({"format": "phone_number", "phone_number": "+1"}, "user"),
    ({"format": "uri", "uri": "https://example.org"}, "device"),
    ({"format": "uri", "uri": "urn:leadglass:device:D1"}, "user"),
    ({"format": "aliases", "identifiers": []}, "user"),
    ({"format": "aliases", "identifiers": [EMAIL] * (SIGNAL_NAMES + 1)}, "user"),
    ({"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": [EMAIL]}]}, "user"),
    ({"format": "aliases", "identifiers": ["x"]}, "user"),
    ({"format": "complex"}, "user"),
    ({"format": "complex", "tenant": OPAQUE}, "user"),
    ({"format": "complex", "user": "s"}, "user"),
    ({"format": "complex", "user": IN_ISSUER, "account": OPAQUE}, "user"),
    ({"format": "complex", "user": {"format": "complex", "user": IN_ISSUER}}, "user"),
]


@pytest.mark.parametrize(("sub_id", "simple"), BAD, ids=str)
def test_what_names_nobody_is_refused(sub_id: object, simple: str) -> None:
    with pytest.raises(UnknownSubject):
        parse(sub_id, ISSUER, simple=simple, device_by="id")
