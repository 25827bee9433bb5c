import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leadglass.epochs import Epochs
from leadglass.identity.identity import STEPS, Identity
from leadglass.limits import JWKS_PERIOD_SECONDS, JWKS_REFRESH_SECONDS, TOKEN_CACHE
from leadglass.model.errors import Refusal
from support.clock import FakeClock
from support.idp import NOW, Provider, claims, token
from support.tokens import ec_jwk, ec_key, forge, jwks, rsa_jwk, rsa_key, sign_es, sign_rs

Build = Callable[..., Identity]
MAPPING = {"claims": {"id": "preferred_username", "roles": "realm_access.roles"}, "mfa": {"amr": ["otp"]}}


def issuer(name: str, **more: object) -> dict[str, Any]:
    return {"issuer": name, "audience": "leadglass", **MAPPING, **more}


async def refused(identity: Identity, authorization: str | None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await identity.authenticate(authorization)
    assert identity.cached(authorization) is None
    return caught.value


async def test_a_good_token_is_judged_once_and_then_remembered(build: Build, provider: Provider) -> None:
    identity = build(issuer(provider.url))
    await identity.start()
    good = token(provider.url, amr=["pwd", "otp"], auth_time=NOW - 60)
    assert identity.cached(f"Bearer {good}") is None
    who = await identity.authenticate(f"Bearer {good}")
    assert (who.id, who.roles, who.mfa, who.auth_time) == ("dr.demo", ("radiologist",), True, NOW - 60)
    assert who.token_hash == hashlib.sha256(good.encode()).digest()
    assert identity.cached(f"Bearer {good}") is who
    assert identity.cached(f"bearer {good}") is who
    assert await identity.authenticate(f"BEARER {good}") == who
    assert identity.epoch(who) == f"issuer:{provider.url}"


@pytest.mark.parametrize(
    ("authorization", "code", "detail"),
    [
        (None, "user-unauthenticated", "no Authorization"),
        ("", "user-unauthenticated", "neither a Bearer"),
        ("Basic ZGVtbzpkZW1v", "user-unauthenticated", "neither a Bearer"),
        ("Bearer", "user-unauthenticated", "empty, oversize"),
        ("Bearer ", "user-unauthenticated", "empty, oversize"),
        ("Bearer x.y.z", "user-unauthenticated", "malformed"),
        ("Bearer a.b.c, Bearer d.e.f", "two-credentials", ""),
        ("Bearer a.b.c,Basic eA==", "two-credentials", ""),
    ],
)
async def test_headers_without_a_usable_token(
    build: Build, provider: Provider, authorization: str | None, code: str, detail: str
) -> None:
    refusal = await refused(build(issuer(provider.url)), authorization)
    assert refusal.causes[0].reason.code == code
    assert refusal.detail.startswith(detail)


def forged(url: str) -> dict[str, tuple[str, str]]:
    """Tokens that an attacker, another party or an honest mistake would bring, and what the record says."""
    good_head = {"alg": "ES256", "typ": "JWT", "kid": "ec"}
    return {
        "expired": (token(url, exp=NOW - 30), "expired"),
        "no exp": (token(url, exp=...), "exp missing"),
        "exp as text": (token(url, exp=str(NOW + 300)), "exp is not a time"),
        "not yet valid": (token(url, nbf=NOW + 31), "not yet valid"),
        "issued in the future": (token(url, iat=NOW + 31), "not yet valid"),
        "D6 another issuer": (token("https://evil.example"), "issuer unknown"),
        "D6 issuer with a slash more": (token(f"{url}/"), "issuer unknown"),
        "D6 issuer missing": (token(url, iss=...), "issuer unknown"),
        "D6 issuer a list": (token(url, iss=[url]), "issuer unknown"),
        "D6 another audience": (token(url, aud="account"), "aud is another's"),
        "D6 no audience": (token(url, aud=...), "aud missing"),
        "D6 several audiences, no azp": (token(url, aud=["leadglass", "account"]), "several aud"),
        "D6 ID token": (token(url, nonce="n"), "an ID token (nonce)"),
        "D6 ID token by at_hash": (token(url, at_hash="h"), "an ID token (at_hash)"),
        "D6 device statement": (token(url, typ="leadglass-posture+jwt"), "typ is of another kind"),
        "D6 logout token": (token(url, typ="logout+jwt"), "typ is of another kind"),
        "bound to a key by name": (token(url, cnf={"kid": "x"}), "bound to a key (cnf) in a way"),
        "bound to something malformed": (token(url, cnf={"jkt": "x"}), "cnf.jkt is not a SHA-256"),
        "signed by another key": (token(url, key="attacker"), "signature wrong"),
        "kid unknown": (token(url, kid="nobody"), "key unknown"),
        "alg none": (forge({**good_head, "alg": "none"}, claims(url), lambda _: b""), "algorithm not allowed"),
        "alg not of this issuer": (
            forge({**good_head, "alg": "RS256", "kid": "rsa"}, claims(url), sign_rs(rsa_key())),
            "algorithm not allowed",
        ),
        "D7 roles as text": (token(url, realm_access={"roles": "admin"}), "claim realm_access.roles for roles"),
        "D7 id missing": (token(url, preferred_username=...), "claim preferred_username is missing"),
        "D7 id with a line break": (token(url, preferred_username="dr.demo\nadmin"), "claim preferred_username"),
        "D7 duplicate claim": (
            forge(
                good_head,
                json.dumps(claims(url)).replace("}}", '},"sub":"b"}').encode()[:-1] + b',"sub":"c"}',
                sign_es(ec_key()),
            ),
            "malformed: duplicate name",
        ),
    }


@pytest.mark.parametrize("name", forged("https://x"))
async def test_forged_tokens_are_refused_and_never_remembered(build: Build, provider: Provider, name: str) -> None:
    identity = build(issuer(provider.url, algorithms=["ES256"]))
    provider.publish(ec_jwk(ec_key()), rsa_jwk(rsa_key()))
    bad, detail = forged(provider.url)[name]
    refusal = await refused(identity, f"Bearer {bad}")
    assert refusal.causes[0].reason.code == "user-unauthenticated"
    assert refusal.detail.startswith(detail)
    assert bad not in str(refusal) + refusal.detail
    steps, who = await identity.explain(bad)
    assert who is None
    assert [step.name for step in steps] == list(STEPS[: len(steps)])
    assert [step.ok for step in steps] == [True] * (len(steps) - 1) + [False]


async def test_one_issuers_key_cannot_speak_for_another(build: Build, provider: Provider, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(jwks(ec_jwk(ec_key("P-256", "other"))))  # the same kid, another key
    other = "https://other.example"
    identity = build(issuer(provider.url), issuer(other, jwks=str(file)))
    await identity.start()
    assert (await identity.authenticate(f"Bearer {token(other, key='other')}")).issuer == other
    for mixed in (token(other, key="a"), token(provider.url, key="other")):
        assert (await refused(identity, f"Bearer {mixed}")).detail == "signature wrong"


async def test_the_cache_says_what_full_verification_would_say(
    build: Build, provider: Provider, clock: FakeClock
) -> None:
    identity = build(issuer(provider.url, leeway=30))
    await identity.start()
    header = f"Bearer {token(provider.url, exp=NOW + 60, nbf=NOW)}"
    who = await identity.authenticate(header)
    assert who.expires == NOW + 90  # exp and the leeway: the moment trust ends
    clock.step(89.5)
    assert identity.cached(header) is who
    clock.step(0.5)
    await refused(identity, header)
    clock.step(-60)
    assert identity.cached(header) is who
    clock.step(-61)  # the clock steps back before nbf
    await refused(identity, header)


async def test_a_withdrawn_key_ends_what_it_signed(
    build: Build, provider: Provider, clock: FakeClock, epochs: Epochs
) -> None:
    identity = build(issuer(provider.url))
    await identity.start()
    header = f"Bearer {token(provider.url, exp=NOW + 10_000)}"
    who = await identity.authenticate(header)
    lease = epochs.snapshot([identity.epoch(who)])
    provider.publish(ec_jwk(ec_key("P-256", "new"), "new"))
    clock.advance(JWKS_PERIOD_SECONDS)
    await identity._issuers[provider.url].keys.maintain()
    assert not epochs.current(lease)
    assert identity.cached(header) is None
    assert (await refused(identity, header)).detail == "key unknown"
    assert (await identity.authenticate(f"Bearer {token(provider.url, kid='new', key='new')}")).id == "dr.demo"


async def test_a_new_key_is_learned_by_its_first_token(build: Build, provider: Provider, clock: FakeClock) -> None:
    identity = build(issuer(provider.url))
    await identity.start()
    provider.publish(ec_jwk(ec_key()), ec_jwk(ec_key("P-256", "new"), "new"))
    header = f"Bearer {token(provider.url, kid='new', key='new')}"
    assert (await refused(identity, header)).detail == "key unknown"  # loaded a moment ago
    clock.advance(JWKS_REFRESH_SECONDS)
    assert (await identity.authenticate(header)).id == "dr.demo"


async def test_an_issuer_that_is_down_refuses_with_the_cause_and_recovers(
    build: Build, provider: Provider, clock: FakeClock
) -> None:
    provider.answer(b"garbage")
    identity = build(issuer(provider.url))
    await identity.start()
    header = f"Bearer {token(provider.url)}"
    assert (await refused(identity, header)).detail.startswith("no keys of the issuer: not JSON")
    assert provider.url in identity.problems()
    provider.publish(ec_jwk(ec_key()))
    clock.advance(JWKS_REFRESH_SECONDS)
    assert (await identity.authenticate(header)).id == "dr.demo"
    assert identity.problems() == {}


async def test_an_issuer_that_hangs_does_not_hold_up_the_start(
    build: Build, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadglass.identity.identity.JWKS_START_SECONDS", 0.01)
    provider.gate = asyncio.Event()
    identity = build(issuer(provider.url))
    async with asyncio.timeout(2):
        await identity.start()
    provider.gate.set()
    assert (await identity.authenticate(f"Bearer {token(provider.url)}")).id == "dr.demo"
    assert provider.hits == 1


async def test_the_cache_is_bounded_and_lets_the_oldest_go(
    build: Build, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TOKEN_CACHE >= 1_000
    monkeypatch.setattr("leadglass.identity.identity.TOKEN_CACHE", 3)
    identity = build(issuer(provider.url))
    headers = [f"Bearer {token(provider.url, jti=str(n))}" for n in range(5)]
    for header in headers:
        await identity.authenticate(header)
    assert [identity.cached(header) is not None for header in headers] == [False, False, True, True, True]


async def test_upkeep_runs_by_itself(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.identity.jwks.FILE_WATCH_SECONDS", 0.001)
    file = tmp_path / "keys.json"
    file.write_bytes(jwks(ec_jwk(ec_key())))
    identity = build(issuer("https://idp.example", jwks=str(file)))
    await identity.start()
    header = f"Bearer {token('https://idp.example')}"
    await identity.authenticate(header)
    file.write_bytes(jwks(ec_jwk(ec_key("P-256", "new"), "new")))
    async with asyncio.timeout(5):
        while identity.cached(header) is not None:  # noqa: ASYNC110 - the change is noticed by polling
            await asyncio.sleep(0.001)


async def test_explain_names_every_step_of_a_good_token(build: Build, provider: Provider) -> None:
    identity = build(issuer(provider.url))
    steps, who = await identity.explain(token(provider.url))
    assert [step.name for step in steps] == list(STEPS)
    assert all(step.ok for step in steps)
    assert who is not None
    assert steps[-1].detail == "person dr.demo"
