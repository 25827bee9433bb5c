import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from leadglass.identity.settings import IdentitySettings, safe_url

ISSUER = {"issuer": "https://idp.example/realms/main", "audience": "leadglass"}


def read(*issuers: dict[str, Any], base: Path | None = None) -> IdentitySettings:
    context = None if base is None else {"base": base, "environ": {}}
    return IdentitySettings.model_validate_json(json.dumps({"issuers": issuers}), context=context)


def test_the_line_of_the_plan_is_read(tmp_path: Path) -> None:
    issuer = {
        **ISSUER,
        "jwks": "auto",
        "token_type": "JWT",
        "claims": {"id": "preferred_username", "roles": "realm_access.roles"},
        "mfa": {"acr": ["mfa"], "amr": ["otp", "hwk"]},
    }
    read_back = read(issuer, base=tmp_path).issuers[0]
    assert read_back.claims.roles == "realm_access.roles"
    assert read_back.mfa.amr == ("otp", "hwk")
    assert read_back.jwks == "auto"


def test_a_key_file_is_relative_to_the_configuration(tmp_path: Path) -> None:
    assert read({**ISSUER, "jwks": "keys/idp.json"}, base=tmp_path).issuers[0].jwks == str(tmp_path / "keys/idp.json")


@pytest.mark.parametrize(
    ("issuer", "problem"),
    [
        ({"issuer": "http://idp.example", "audience": "a"}, "must be an https URL"),
        ({"issuer": "idp", "audience": "a"}, "must be an https URL"),
        ({**ISSUER, "jwks": "http://idp.example/keys"}, "must be https"),
        ({**ISSUER, "jwks": "ftp://idp.example/keys"}, "must be https"),
        ({**ISSUER, "jwks": 5}, "must be auto"),
        ({**ISSUER, "jwks": ""}, "must be auto"),
        ({**ISSUER, "algorithms": ["HS256"]}, "Input should be"),
        ({**ISSUER, "algorithms": ["none"]}, "Input should be"),
        ({**ISSUER, "algorithms": []}, "at least 1"),
        ({**ISSUER, "leeway": 3600}, "less than or equal to 120"),
        ({**ISSUER, "token_type": ""}, "at least 1"),
        ({**ISSUER, "mfa": {"amr": "otp"}}, "valid (tuple|array)"),
        ({**ISSUER, "claims": {"role": "x"}}, "not permitted"),
        ({**ISSUER, "service": {"claim": "azp", "values": []}}, "at least 1"),
        ({"issuer": "https://idp.example"}, "required"),
        ({"issuer": "urn:leadglass:emergency", "audience": "a", "jwks": "keys.json"}, "the gateway's own"),
        ({"issuer": "URN:Leadglass:emergency", "audience": "a", "jwks": "keys.json"}, "the gateway's own"),
    ],
)
def test_faults_are_named(issuer: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        read(issuer)


def test_an_issuer_is_listed_once() -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        read(ISSUER, {**ISSUER, "audience": "other"})


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://idp.example/keys", True),
        ("http://127.0.0.1:8080/keys", True),
        ("http://localhost/keys", True),
        ("http://[::1]:80/keys", True),
        ("http://idp.example/keys", False),
        ("http://127.0.0.1.evil.example/keys", False),
        ("http://127.0.0.1@evil.example/keys", False),
        ("https://user:pw@idp.example/keys", False),
        ("https://idp.example/keys#x", False),
        ("https://idp.example\\@evil/keys", False),
        ("https://idp.example/a b", False),
        ("https:///keys", False),
        ("https://idp.example:99999/", False),
        ("https://[::1", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_keys_come_over_https_or_from_this_machine(url: str, *, safe: bool) -> None:
    assert safe_url(url) is safe
