import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadglass.cli import identity as verbs
from leadglass.identity.settings import IdentitySettings
from support.idp import token
from support.tokens import ec_jwk, ec_key, jwks

IDP = "https://idp.example"


class Loaded:
    def __init__(self, identity: IdentitySettings) -> None:
        self.identity = identity


@pytest.fixture(autouse=True)
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(ec_jwk(ec_key())))
    issuer = {
        "issuer": IDP,
        "audience": "leadglass",
        "jwks": str(keys),
        "claims": {"id": "preferred_username", "roles": "realm_access.roles"},
    }
    settings = IdentitySettings.model_validate_json(json.dumps({"issuers": [issuer]}))
    monkeypatch.setattr(verbs, "load", lambda _: Loaded(settings))


def far(*, kid: str = "ec", **claims: object) -> str:
    """A token that is good by the real clock."""
    return token(IDP, kid=kid, key="a", typ="JWT", **{"iat": 1, "exp": 4_000_000_000, **claims})


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer "])
def test_a_good_token_maps_to_its_subject(prefix: str) -> None:
    result = CliRunner().invoke(verbs.app, ["check", "--json", prefix + far()])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["accepted"] is True
    assert document["subject"]["id"] == "dr.demo"
    assert document["subject"]["roles"] == ["radiologist"]
    assert [step["name"] for step in document["steps"]][-1] == "subject"


def test_a_refused_token_ends_with_1_and_says_where_and_what_to_do() -> None:
    result = CliRunner().invoke(verbs.app, ["check", "--json", far(aud="account")])
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["accepted"] is False
    assert document["subject"] is None
    assert document["steps"][-1] == {"name": "purpose", "ok": False, "detail": "aud is another's"}
    assert "leadglass: error: refused at purpose: aud is another's" in result.stderr
    assert "leadglass: hint: ask for an access token" in result.stderr


def test_the_table_is_for_people_and_the_token_may_come_by_standard_input() -> None:
    result = CliRunner().invoke(verbs.app, ["check", "-"], input=far(preferred_username="[red]x[/red]") + "\n")
    assert result.exit_code == 0
    assert "[red]x[/red]" in result.stdout
    assert "radiologist" in result.stdout


def test_escape_sequences_in_a_forged_token_do_not_reach_the_terminal() -> None:
    result = CliRunner().invoke(verbs.app, ["check", far(kid="\x1b[2Jgone")])
    assert result.exit_code == 1
    assert "\x1b[2J" not in result.stdout + result.stderr
    assert "key unknown" in result.stderr


def test_the_group_offers_check() -> None:
    result = CliRunner().invoke(verbs.app, ["--help"])
    assert result.exit_code == 0
    assert "check" in result.stdout
