"""Logging in and out, attacked over the wire. Ids name rows of the attack list (E)."""

import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from leadglass.access.signin import device_path
from leadglass.hazmat.jws import SigningKey
from leadglass.hazmat.mac import from_b64u
from leadglass.model.login import Attempt, SignedIn
from support.gateway import CT
from support.oidc import V1, Browser, Oidc, Site, b64, site

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
SESSION = "__Host-leadglass"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as opened:
        yield opened


async def status(browser: Browser) -> int:
    return (await browser.ask(METADATA)).status


def forged_logout_tokens(place: Site) -> dict[str, str]:
    """Return logout tokens that somebody else made."""
    head, body, tail = place.oidc.logout_token().split(".")
    public = json.dumps(place.oidc.key.public_jwk()).encode()

    def header(**fields: Any) -> str:  # noqa: ANN401 - members
        return b64(json.dumps({"alg": "ES256", "typ": "logout+jwt", "kid": place.oidc.key.kid, **fields}).encode())

    def hmac_of(key: bytes) -> str:
        first = f"{header(alg='HS256')}.{body}"
        return f"{first}.{b64(hmac.digest(key, first.encode(), 'sha256'))}"

    other = Oidc(place.run.clock, url=place.oidc.url)
    return {
        "none": f"{header(alg='none')}.{body}.",
        "hmac with the public key": hmac_of(public),
        "hmac with nothing": hmac_of(b""),
        "a key in the header": f"{header(jwk=place.oidc.key.public_jwk())}.{body}.{tail}",
        "another's signature": other.key.sign(
            json.loads(from_b64u(body)), typ="logout+jwt", header={"kid": place.oidc.key.kid}
        ),
        "no signature": f"{head}.{body}.",
        "another body": f"{head}.{b64(from_b64u(body).replace(b'sid-1', b'sid-2'))}.{tail}",
        "garbage": "x",
        "empty": "",
        "huge": "A" * 100_000,
    }


async def test_a_logout_token_that_somebody_else_made_ends_nothing(place: Site) -> None:
    browser = await place.signed_in()
    for name, token in forged_logout_tokens(place).items():
        answer = await browser.post(V1 + "backchannel-logout", {"logout_token": token})
        assert (answer.status, answer.json["error"]) == (400, "invalid_request"), name
        (line,) = place.run.about(answer)[:1]
        assert line["decision"]["reasons"][0]["code"] == "sign-in-refused", name
    assert await status(browser) == 200


async def test_a_logout_token_ends_what_it_names_and_nothing_that_came_after(place: Site) -> None:
    first = await place.signed_in()
    place.oidc.sid = "sid-2"
    second = await place.signed_in()
    token = place.oidc.logout_token(sub="sub-dr.demo", sid="sid-2")
    old = place.oidc.logout_token(sub="sub-dr.demo", sid=...)
    foreign = place.oidc.logout_token(sub="sub-x", sid="sid-1")
    assert (await first.post(V1 + "backchannel-logout", {"logout_token": foreign})).json == {"ended": 0}
    assert (await first.post(V1 + "backchannel-logout", {"logout_token": token})).json == {"ended": 1}
    assert [await status(first), await status(second)] == [200, 401]
    place.run.clock.advance(5)
    third = await place.signed_in()
    assert (await third.post(V1 + "backchannel-logout", {"logout_token": old})).json == {"ended": 1}
    assert [await status(first), await status(third)] == [401, 200]


ELSEWHERE = [
    "//evil.example", "/\\evil.example", "https://evil.example", "https:evil.example", "/%09/evil.example", "/%5cevil.example",
    "//%2fevil.example", "/%2f%5cevil.example", "javascript:alert(1)", "https://pacs.example.org.evil.example/",
    "https://pacs.example.org@evil.example/", "/../evil.example", "/./\\evil.example", "//evil.example/..", "/%0d%0aX: y", "",
    "\\evil.example", "///evil.example", "/;@evil.example", "evil.example", "/.leadglass/v1/logout", "/viewer/#//evil.example",
]  # fmt: skip


async def test_nobody_lands_elsewhere_however_it_is_spelt(place: Site) -> None:
    """E1, whole: through login, state and callback. Every spelling: tests/codec/test_landing.py."""
    for there in ELSEWHERE:
        browser = place.browser()
        begun = await browser.look(f"{V1}login?return={quote(there, safe='')}")
        if begun.status == 400:  # control characters are no query
            continue
        assert begun.headers["location"].startswith(f"{place.oidc.url}/authorize?"), there
        answer = await browser.sign_in(f"?return={quote(there, safe='')}")
        assert (answer.status, answer.headers["location"]) == (303, device_path(None)), there


async def test_a_cookie_bomb_costs_its_sender_alone(place: Site) -> None:
    """E3: chunks, copies and sizes. What does not hold is refused, and others go on."""
    browser = await place.signed_in()
    good = f"{SESSION}={browser.cookies[SESSION]}"
    bombs = {
        f"{SESSION}_chunks=99999999; {SESSION}_0=x": 401,
        "; ".join(f"{SESSION}_{n}=x" for n in range(900)): 401,
        f"{good}; {good}": 400,
        f"{SESSION}={'A' * 20_000}": 401,
        f"{good}; pad={'A' * 40_000}": 431,
    }
    for bomb, expected in bombs.items():
        assert (await place.run.ask(METADATA, f"Cookie: {bomb}", token=None)).status == expected, bomb[:60]
    assert (
        await place.run.ask(METADATA, f"Cookie: {good}; {'; '.join(f'c{n}=x' for n in range(500))}", token=None)
    ).status == 200
    assert await status(browser) == 200


RENEWED: list[tuple[str, dict[str, Any], bool, str | None]] = [
    ("says-nothing", {"acr": ..., "amr": ...}, True, "mfa"),
    ("amr-alone-and-less", {"acr": ..., "amr": ["pwd"]}, False, None),
    ("acr-and-less", {"acr": "password"}, False, "password"),
]


@pytest.mark.parametrize(("claims", "mfa", "acr"), [row[1:] for row in RENEWED], ids=[row[0] for row in RENEWED])
async def test_a_renewal_keeps_no_level_that_the_issuer_no_longer_says(
    place: Site,
    claims: dict[str, Any],
    mfa: bool,  # noqa: FBT001 - rows of a table
    acr: str | None,
) -> None:
    browser = await place.signed_in()
    place.oidc.id_claims = place.oidc.access_claims = claims
    place.run.clock.advance(331)  # and the leeway
    await status(browser)
    (session,) = place.run.gateway.browsers.sessions.all()
    assert (session["mfa"], session["acr"]) == (mfa, acr)


async def test_strangers_cannot_keep_an_issuer_from_changing_its_key(place: Site) -> None:
    """Keys are fetched once in ten seconds for tokens of anybody, and at once for what the issuer gave us itself."""
    browser = await place.signed_in()
    place.run.clock.advance(331)
    stranger = Oidc(place.run.clock, url=place.oidc.url).tokens({"nonce": ""})["access_token"]
    assert (await place.run.ask(METADATA, token=stranger)).status == 401
    place.oidc.key = SigningKey.generate()
    await status(browser)
    assert place.run.gateway.browsers.sessions.cached(browser.cookies[SESSION]) is not None


async def test_a_key_that_is_not_published_ends_no_session(place: Site) -> None:
    browser = await place.signed_in()
    place.run.clock.advance(331)
    place.oidc.keys, place.oidc.key = [place.oidc.key], SigningKey.generate()
    assert await status(browser) == 503
    assert len(place.run.gateway.browsers.sessions) == 1


async def test_sign_ins_that_fail_cannot_fill_the_record(place: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one refusal of a stranger, so they are counted beyond some in a minute, and no event stands beside them."""
    monkeypatch.setattr(place.run.gateway.audit.noise, "_per_minute", 3)
    before = place.run.record("decision"), place.run.record("event")
    for _ in range(10):
        place.run.clock.advance(0.1)
        assert (await place.browser().look(f"{V1}callback?state=x&code=y&iss=z")).status == 403
    after = place.run.record("decision"), place.run.record("event")
    assert [len(now) - len(then) for now, then in zip(after, before, strict=True)] == [3, 0]


async def test_a_logout_that_comes_while_the_code_is_redeemed_leaves_no_session(
    place: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, other = place.browser(), place.browser()
    back = await browser.login()
    providers = place.run.gateway.browsers.sign_in._providers()
    redeem = providers.redeem

    async def overtaken(attempt: Attempt, code: str, **more: str) -> SignedIn:
        said = await redeem(attempt, code, **more)
        place.run.clock.advance(1)
        told = await other.post(V1 + "backchannel-logout", {"logout_token": place.oidc.logout_token()})
        assert told.json == {"ended": 0}
        return said

    monkeypatch.setattr(providers, "redeem", overtaken)
    answer = await browser.look(back)
    assert (answer.status, "set-cookie" in answer.headers) == (401, False)
    assert len(place.run.gateway.browsers.sessions) == 0
