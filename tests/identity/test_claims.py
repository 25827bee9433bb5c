import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.jws import InvalidToken
from leadglass.identity.claims import check_purpose, lookup, subject, text, texts
from leadglass.identity.settings import IssuerSettings
from leadglass.limits import SUBJECT_VALUES
from leadglass.model.facts import Subject

CLAIMS: dict[str, Any] = {"iss": "https://idp.example", "aud": "leadglass", "sub": "x1"}


def issuer(**more: object) -> IssuerSettings:
    document = {"issuer": "https://idp.example", "audience": "leadglass", **more}
    return IssuerSettings.model_validate_json(json.dumps(document))


def mapped(body: dict[str, Any], **settings: object) -> Subject:
    return subject({**CLAIMS, **body}, issuer(**settings), token_hash=b"h", expires=2_000.0, now=1_000.0)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sub", "x1"),
        ("realm_access.roles", ["a"]),
        ("https://example.org/roles", ["b"]),
        ("https://example.org/claims.roles", ["c"]),
        ("a.b", 1),  # the exact name before the path
        ("a.c", 2),
        ("d.e.f", 3),  # a name with a dot inside a path
        ("deep.er.est", 4),
    ],
)
def test_claims_are_found_by_name_then_by_path(path: str, value: object) -> None:
    claims = {
        "sub": "x1",
        "realm_access": {"roles": ["a"]},
        "https://example.org/roles": ["b"],
        "https://example.org/claims": {"roles": ["c"]},
        "a.b": 1,
        "a": {"b": 0, "c": 2},
        "d": {"x": 0},
        "d.e": {"f": 3},
        "deep": {"er": {"est": 4}},
    }
    assert lookup(claims, path) == value


@pytest.mark.parametrize("path", ["", ".", "a", "a.b", "n", "n.x", "s.x", "l.0", "o.", ".o", "o..p"])
def test_what_is_not_there_is_absent(path: str) -> None:
    claims = {"n": None, "s": "text", "l": ["zero"], "o": {"p": 1}}
    assert texts(claims, path, "roles") == ()


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        " a",
        "a ",
        "a\n",
        "a\0b",
        "a\x1b[31m",
        "a\u202eb",
        "a\u200bb",
        "a\u2028b",
        "\ufeffa",
        "\ud800",
        "a" * 257,
        None,
        5,
        True,
        ["a"],
        {"a": 1},
    ],
    ids=repr,
)
def test_an_id_is_short_visible_text(value: object) -> None:
    with pytest.raises(InvalidToken, match="invalid token") as caught:
        mapped({"sub": value})
    assert "claim sub" in caught.value.cause


def test_ids_are_compared_in_nfc() -> None:
    assert mapped({"sub": "Mu\u0308ller"}).id == mapped({"sub": "M\u00fcller"}).id == "M\u00fcller"
    assert mapped({"sub": "\u0430dmin"}).id != "admin"  # Cyrillic: another person, and never folded into one


@pytest.mark.parametrize(
    "value",
    [
        "admin",
        {"admin": True},
        1,
        True,
        ["a", 1],
        ["a", None],
        ["a", ["b"]],
        [""],
        ["a\n"],
        ["r"] * (SUBJECT_VALUES + 1),
    ],
    ids=lambda v: repr(v)[:20],
)
def test_roles_are_a_list_of_texts_or_a_refusal(value: object) -> None:
    with pytest.raises(InvalidToken) as caught:
        mapped({"groups": value}, claims={"groups": "groups"})
    assert "claim groups" in caught.value.cause


def test_lists_are_sorted_and_hold_each_value_once() -> None:
    who = mapped({"r": ["b", "a", "b"], "g": [], "s": None}, claims={"roles": "r", "groups": "g", "sites": "s"})
    assert (who.roles, who.groups, who.sites) == (("a", "b"), (), ())


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"nonce": "n"}, "an ID token (nonce)"),
        ({"at_hash": "h"}, "an ID token (at_hash)"),
        ({"c_hash": "h"}, "an ID token (c_hash)"),
        ({"nonce": None}, "an ID token (nonce)"),
        ({"typ": "ID"}, "a token of kind id"),
        ({"typ": "Refresh"}, "a token of kind refresh"),
        ({"aud": "other"}, "aud is another's"),
        ({"aud": "leadglass/"}, "aud is another's"),
        ({"aud": "LEADGLASS"}, "aud is another's"),
        ({"aud": []}, "aud is another's"),
        ({"aud": None}, "aud missing"),
        ({"aud": {"leadglass": 1}}, "aud missing"),
        ({"aud": ["leadglass", 5]}, "aud missing"),
        ({"aud": ["leadglass", "account"]}, "several aud"),
        ({"aud": ["leadglass", "account"], "azp": 1}, "several aud"),
    ],
    ids=str,
)
def test_tokens_for_another_purpose_are_refused(claims: dict[str, Any], cause: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        check_purpose({**CLAIMS, **claims}, "leadglass")
    assert caught.value.cause.startswith(cause)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["leadglass"]},
        {"aud": ["account", "leadglass"], "azp": "viewer"},
        {"aud": ["account", "leadglass"], "client_id": "viewer"},
        {"typ": "Bearer"},
    ],
    ids=str,
)
def test_access_tokens_pass(claims: dict[str, Any]) -> None:
    check_purpose({**CLAIMS, **claims}, "leadglass")


@pytest.mark.parametrize(
    ("claims", "mfa"),
    [
        ({}, False),
        ({"acr": "1"}, False),
        ({"acr": "mfa"}, True),
        ({"amr": ["pwd"]}, False),
        ({"amr": ["pwd", "otp"]}, True),
        ({"acr": "1", "amr": ["hwk"]}, True),
        ({"amr": []}, False),
        ({"amr": ["OTP"]}, False),
        ({"mfa": True}, False),
    ],
    ids=str,
)
def test_mfa_is_what_the_configuration_says(claims: dict[str, Any], *, mfa: bool) -> None:
    assert mapped(claims, mfa={"acr": ["mfa"], "amr": ["otp", "hwk"]}).mfa is mfa
    assert mapped(claims).mfa is False


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"amr": "otp"}, "claim amr"),
        ({"amr": [1]}, "claim amr"),
        ({"amr": None}, "claim amr"),
        ({"acr": 2}, "claim acr"),
        ({"acr": ["mfa"]}, "claim acr"),
        ({"auth_time": "900"}, "auth_time is not"),
        ({"auth_time": 900.5}, "auth_time is not"),
        ({"auth_time": True}, "auth_time is not"),
        ({"auth_time": -5}, "auth_time is not"),
        ({"auth_time": 1_031}, "auth_time is in the future"),
    ],
    ids=str,
)
def test_how_someone_signed_in_is_read_strictly(claims: dict[str, Any], cause: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        mapped(claims, mfa={"amr": ["otp"]})
    assert caught.value.cause.startswith(cause)


def test_email_is_an_id_only_when_verified() -> None:
    address = "attacker@evil.example@example.org"
    for claims in ({}, {"email_verified": False}, {"email_verified": "true"}):
        with pytest.raises(InvalidToken) as caught:
            mapped({"email": address, **claims}, claims={"id": "email"})
        assert caught.value.cause == "email is the id and is not verified"
    assert mapped({"email": address, "email_verified": True}, claims={"id": "email"}).id == address


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({"client_id": "bot"}, "service"),
        ({"client_id": "viewer"}, "person"),
        ({}, "person"),
        ({"client_id": ["bot"]}, "person"),
    ],
    ids=str,
)
def test_services_are_told_from_persons(claims: dict[str, Any], kind: str) -> None:
    assert mapped(claims, service={"claim": "client_id", "values": ["bot"]}).type == kind
    assert mapped(claims).type == "person"


def test_the_subject_is_what_policy_will_see() -> None:
    who = mapped(
        {"dept": {"name": "oncology"}, "auth_time": 900, "acr": "mfa"},
        claims={"id": "sub", "extra": {"department": "dept.name", "absent": "nothing"}},
        mfa={"acr": ["mfa"]},
    )
    assert who == Subject(
        type="person",
        id="x1",
        issuer="https://idp.example",
        token_hash=b"h",
        sub="x1",
        expires=2_000.0,
        mfa=True,
        acr="mfa",
        auth_time=900,
        claims={"department": "oncology"},
    )


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_a_text_that_passes_is_a_fixed_point(value: str) -> None:
    try:
        normal = text(value, "id")
    except InvalidToken:
        return
    assert text(normal, "id") == normal
    assert normal.isprintable() or "\u00a0" in normal or any(c.isspace() for c in normal)
    normal.encode()
