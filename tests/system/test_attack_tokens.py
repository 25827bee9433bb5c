"""Rows D, F and G of the attack list: tokens, caches under concurrency, and a policy engine that is led astray."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from leadglass import limits
from leadglass.hazmat.jws import SigningKey
from leadglass.policy.wasm import WasmEngine
from support.attacks import METADATA, Watch, still_serves
from support.gateway import CT, ISSUER, MR, Running
from support.tokens import b64, ec_jwk, ec_key, forge, sign_es

pytestmark = pytest.mark.asyncio(loop_scope="module")
Forge = Callable[[Running], str]


def head(site: Running, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - header members
    header = {"alg": "ES256", "typ": "at+jwt", "kid": site.idp.kid, **changes}
    return {name: value for name, value in header.items() if value is not ...}


def hs256(secret: bytes) -> Forge:
    def made(site: Running) -> str:
        def sign(message: bytes) -> bytes:
            return hmac.digest(secret, message, "sha256")

        return forge(head(site, alg="HS256"), site.claims("radiologist"), sign)

    return made


def with_public_key(form: Callable[[dict[str, str]], bytes]) -> Forge:
    def made(site: Running) -> str:
        secret = form(site.idp.public_jwk())
        return forge(
            head(site, alg="HS256"), site.claims("radiologist"), lambda message: hmac.digest(secret, message, "sha256")
        )

    return made


def unsigned(alg: object) -> Forge:
    return lambda site: forge(head(site, alg=alg), site.claims("radiologist"), lambda _: b"")


def signed(typ: str = "at+jwt", *, header: dict[str, Any] | None = None, **claims: Any) -> Forge:  # noqa: ANN401 - claims
    return lambda site: site.idp.sign(
        {name: value for name, value in {**site.claims("radiologist"), **claims}.items() if value is not ...},
        typ=typ, header=header,
    )  # fmt: skip


def brought(site: Running, **extra: object) -> str:
    """Sign with the attacker's key and bring it along in the header."""
    key = ec_key("P-256", "attacker")
    return forge(head(site, **extra), site.claims("radiologist"), sign_es(key))


def repeated(site: Running) -> str:
    claims = json.dumps(site.claims("radiologist")).encode()
    text = claims[:-1] + b', "roles": ["oncologist"]}'
    good = site.token()
    start, _, _ = good.split(".")
    return f"{start}.{b64(text)}.{good.rsplit('.', 1)[1]}"


def changed_tail(site: Running) -> str:
    good = site.token()
    last = "A" if good[-1] != "A" else "B"
    return good[:-1] + last


FORGED: dict[str, Forge] = {
    **{f"D1-alg-{alg}": unsigned(alg) for alg in ("none", "NoNe", "NONE", "", None, 5, ["ES256"])},
    "D1-alg-missing": unsigned(...),
    "D1-hs256-with-the-jwk": with_public_key(lambda jwk: json.dumps(jwk).encode()),
    "D1-hs256-with-x": with_public_key(lambda jwk: base64.urlsafe_b64decode(jwk["x"] + "==")),
    "D1-hs256-with-the-point": with_public_key(
        lambda jwk: b"\4" + b"".join(base64.urlsafe_b64decode(jwk[name] + "==") for name in "xy")
    ),
    "D2-empty-key": hs256(b""),
    "D2-zero-key": hs256(b"\0" * 32),
    "D3-jwk": lambda site: brought(site, jwk=ec_jwk(ec_key("P-256", "attacker"))),
    "D3-jwk-and-kid": lambda site: brought(site, jwk=ec_jwk(ec_key("P-256", "attacker")), kid="ec"),
    "D3-jku": lambda site: brought(site, jku="https://evil.example/keys"),
    "D3-x5u": lambda site: brought(site, x5u="https://evil.example/cert"),
    "D3-x5c": lambda site: brought(site, x5c=["MIIB"]),
    "D3-kid-path": lambda site: brought(site, kid="../../../../dev/null"),
    "D3-kid-sql": lambda site: brought(site, kid="' OR 1=1 --"),
    "D3-kid-missing": lambda site: brought(site, kid=...),
    "D3-another-key": lambda site: SigningKey.generate().sign(site.claims("radiologist"), typ="at+jwt"),
    "D4-crit": signed(header={"crit": ["x"], "x": 1}),
    "D4-b64": signed(header={"crit": ["b64"], "b64": False}),
    "D5-dots": lambda _: "a" + "." * 5_000,
    "D5-five-parts": lambda site: site.token() + ".x.y",
    "D5-padding": lambda site: site.token() + "==",
    "D5-not-canonical": changed_tail,
    "D5-plus": lambda site: site.token().replace("-", "+").replace("_", "/") + "+",
    "D5-huge": lambda site: site.token() + "A" * 20_000,
    "D5-deep": lambda site: forge(head(site), b"[" * 5_000, lambda _: b"x" * 64),
    "D6-audience": signed(aud="account"),
    "D6-audience-near": signed(aud="leadglass2"),
    "D6-no-audience": signed(aud=...),
    "D6-two-audiences": signed(aud=["leadglass", "other"]),
    "D6-issuer": signed(iss="https://evil.example"),
    "D6-issuer-slash": signed(iss=f"{ISSUER}/"),
    "D6-issuer-case": signed(iss=ISSUER.upper()),
    "D6-id-token": signed(typ="JWT"),
    "D6-id-token-nonce": signed(nonce="n"),
    "D6-statement": signed(typ="leadglass-posture+jwt"),
    "D6-no-typ": lambda site: forge(head(site, typ=...), site.claims("radiologist"), lambda _: b"x" * 64),
    "D7-roles-as-text": signed(roles="oncologist"),
    "D7-roles-as-object": signed(roles={"oncologist": True}),
    "D7-no-name": signed(preferred_username=...),
    "D7-name-as-list": signed(preferred_username=["dr.demo"]),
    "D7-repeated-claim": repeated,
    "D8-expired": signed(exp=1),
    "D8-no-exp": signed(exp=...),
    "D8-exp-as-text": signed(exp="9999999999"),
    "D8-exp-nan": signed(exp=True),
    "D8-not-yet": signed(nbf=9_999_999_999),
    "D8-issued-later": signed(iat=9_999_999_999),
    "D8-bound-to-a-key": signed(cnf={"jkt": "x"}),
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_token_that_is_not_sound_is_a_401(site: Running, name: str) -> None:
    site.clock.advance(0.2)
    token = FORGED[name](site)
    watch = Watch(site)
    for _ in range(2):  # never remembered as good
        answer = await site.ask(METADATA, token=token)
        assert (answer.status, answer.reasons) in [(401, ["user-unauthenticated"]), (431, ["head-too-large"])], name
        assert token not in answer.body.decode()
    lines = await watch.recorded(2)
    assert [line["decision"]["allow"] for line in lines] == [False, False]
    assert token[:40] not in json.dumps(lines)
    assert site.archive.asked == []


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer\tx", "DPoP", "Negotiate"])
async def test_another_scheme_is_no_credential(site: Running, scheme: str) -> None:
    answer = await site.ask(METADATA, f"Authorization: {scheme} {site.token()}", token=None)
    assert answer.status in {400, 401}


@pytest.mark.parametrize("where", ["?access_token={}", "?token={}"])
async def test_a_token_in_the_address_is_none_and_is_not_written_down(site: Running, where: str) -> None:
    token = site.token()
    watch = Watch(site)
    answer = await site.ask(METADATA + where.format(token), token=None)
    assert answer.status in {400, 401}
    assert token not in json.dumps(await watch.recorded())


# --- F: caches and concurrency ------------------------------------------------------------------------------------------
async def test_answers_under_way_at_once_are_each_for_their_own(site: Running) -> None:
    """Two people ask for the same at the same time, many times over: nobody gets what is the other's."""
    await site.tell()
    may, may_not = site.token("radiologist", "oncologist"), site.token("radiologist")
    path = f"/dicom-web/studies/{MR.uid}/metadata"
    tokens = [may if turn % 2 else may_not for turn in range(24)]
    answers = await asyncio.gather(*(site.ask(path, token=token) for token in tokens))
    for token, answer in zip(tokens, answers, strict=True):
        assert answer.status == (200 if token == may else 404)
        (decided, *_) = site.about(answer)
        if decided["type"] == "decision":
            assert decided["decision"]["allow"] is (token == may)


async def test_one_connection_may_carry_two_people(site: Running) -> None:
    """A pooled connection of a proxy does: each request is judged by the token that came with it."""
    await site.tell()
    path = f"/dicom-web/studies/{MR.uid}/metadata"
    async with site.client() as client:
        for roles, status in ((("radiologist", "oncologist"), 200), (("radiologist",), 404)) * 2:
            request = (
                f"GET {path} HTTP/1.1\r\nHost: pacs.example.org\r\nAuthorization: Bearer {site.token(*roles)}\r\n\r\n"
            )
            await client.send(request.encode())
            assert (await client.answer()).status == status


async def test_an_allowed_answer_is_gone_with_the_token_that_earned_it(site: Running) -> None:
    await site.tell()
    token = site.token()
    assert (await site.ask(METADATA, token=token)).status == 200
    twin = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    assert hashlib.sha256(twin.encode()) != hashlib.sha256(token.encode())
    assert (await site.ask(METADATA, token=twin)).status == 401
    assert (await site.ask(METADATA, token=token)).status == 200


# --- G: policy ----------------------------------------------------------------------------------------------------------
async def test_a_policy_that_runs_away_is_a_denial_and_the_next_request_is_fine(
    site: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.tell()
    with monkeypatch.context() as patched:
        patched.setattr(limits, "WASM_FUEL", 1_000)
        answer = await site.ask(METADATA)
    assert (answer.status, answer.reasons) == (403, ["decision-timeout"])
    await still_serves(site)


@pytest.mark.parametrize(
    "said",
    [b"", b"{}", b"[]", b"null", b'[{"result": true}]', b'[{"result": {"allow": true}}]', b'{"allow": true}', b"\xff"],
)
async def test_an_engine_that_answers_anything_else_is_a_denial(
    site: Running, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    await site.tell()

    async def lie(*_: object) -> bytes:
        return said

    names = [name for name in ("ask", "evaluate", "query") if hasattr(WasmEngine, name)]
    assert names
    with monkeypatch.context() as patched:
        for name in names:
            patched.setattr(WasmEngine, name, lie)
        answer = await site.ask(METADATA)
    assert answer.status in {403, 500}
    assert answer.reasons[0] in {"decision-undefined", "internal-fault"}
    assert (await site.ask(f"/dicom-web/studies/{CT.uid}/metadata")).status == 200


async def test_after_all_of_them_the_gateway_serves_as_ever(site: Running) -> None:
    await still_serves(site)
