"""The tour's identity provider: what it hands out is what the gateway takes, and says who is who."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from leadglass.demo.idp import AUDIENCE, CLIENT, LIFETIME, PEOPLE, IdentityProvider
from leadglass.hazmat.jws import Profile, parse_key_set, read_unverified, verify_compact
from support.clock import FakeClock
from support.tokens import jwks


def test_tokens_are_sound_and_of_those_who_do_not_exist() -> None:
    clock = FakeClock()
    provider = IdentityProvider("http://127.0.0.1:1", clock)
    keys = parse_key_set(jwks(provider._key.public_jwk()))
    for person in PEOPLE.values():
        token = provider.token(person)
        claims = verify_compact(token, keys, Profile("access", "at+jwt")).claims
        assert (claims["aud"], claims["iss"]) == (AUDIENCE, provider.issuer)
        assert claims["preferred_username"].startswith("demo.")
        assert claims["exp"] == int(clock.now()) + LIFETIME
        assert claims["acr"] == ("mfa" if person.mfa else "pwd")
        assert ("otp" in claims["amr"]) is person.mfa
    assert read_unverified(provider.token(PEOPLE["oncologist"])) is not None


def test_no_two_tokens_are_one() -> None:
    provider = IdentityProvider("http://127.0.0.1:1", FakeClock())
    assert provider.token(PEOPLE["radiologist"]) != provider.token(PEOPLE["radiologist"])


ORIGIN = "https://127.0.0.1:8443"
VERIFIER = "v" * 43
ASKED = {
    "client_id": CLIENT, "response_type": "code", "redirect_uri": f"{ORIGIN}/.leadglass/v1/callback", "state": "s",
    "nonce": "n", "code_challenge_method": "S256",
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
}  # fmt: skip


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    provider = IdentityProvider("http://127.0.0.1:1", FakeClock(), ORIGIN)
    async with TestClient(TestServer(provider.app())) as client:
        yield client


async def code_of(client: TestClient[web.Request, web.Application], person: str) -> str:
    reply = await client.get("/authorize", params={**ASKED, "person": person}, allow_redirects=False)
    assert reply.status == 303
    back = URL(reply.headers["Location"])
    assert (str(back.with_query(None)), back.query["state"]) == (ASKED["redirect_uri"], "s")
    return back.query["code"]


async def test_whoever_comes_picks_a_person_and_is_taken_for_them(
    client: TestClient[web.Request, web.Application],
) -> None:
    page = await (await client.get("/authorize", params=ASKED)).text()
    assert all(person.name in page for person in PEOPLE.values())
    code = await code_of(client, "radiologist-no-mfa")
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    told = await (await client.post("/token", data=form)).json()
    claims = json.loads(base64.urlsafe_b64decode(told["id_token"].split(".")[1] + "=="))
    assert (claims["aud"], claims["nonce"], claims["acr"]) == (CLIENT, "n", "pwd")
    renewed = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert (await client.post("/token", data=renewed)).status == 200
    assert (await client.post("/token", data=renewed)).status == 400


async def test_a_code_is_good_once_and_for_its_verifier(client: TestClient[web.Request, web.Application]) -> None:
    for verifier in ("w" * 43, VERIFIER):
        form = {"grant_type": "authorization_code", "code_verifier": verifier}
        form["code"] = await code_of(client, "radiologist")
        statuses = [(await client.post("/token", data=form)).status for _ in range(2)]
        assert statuses == [200 if verifier == VERIFIER else 400, 400]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "response_type", "code_challenge_method"])
async def test_nobody_else_is_sent_a_code(client: TestClient[web.Request, web.Application], name: str) -> None:
    asked = {**ASKED, name: "https://elsewhere.example", "person": "radiologist"}
    reply = await client.get("/authorize", params=asked, allow_redirects=False)
    assert reply.status == 400
