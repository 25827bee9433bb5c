"""DPoP at the resource: one proof, one request; every trick with a proof as a row."""

import json
import timeit
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.jws import InvalidToken
from leadglass.identity.dpop import USE_NONCE, Nonces, ProofRefused, Proofs, Spent
from leadglass.identity.identity import Identity
from leadglass.limits import DPOP_BYTES, DPOP_HEADS, DPOP_NONCE_SECONDS, DPOP_SECONDS
from leadglass.model.credentials import Evidence
from leadglass.model.errors import Refusal
from support.clock import FakeClock
from support.dpop import URL, Client, ath
from support.idp import NOW, Provider, token
from support.tokens import b64, ec_jwk, ec_key, forge, rsa_jwk, rsa_key, sign_es, sign_ps, sign_rs

Build = Callable[..., Identity]
TOKEN = "a.b.c"
CLIENT = Client()


def shown(proof: str | None, *, method: str = "GET", url: str = URL) -> Evidence:
    return Evidence(method, url, proof)


def private_jwk() -> dict[str, Any]:
    return {**CLIENT.jwk, "d": b64(CLIENT.key.private_numbers().private_value.to_bytes(32, "big"))}


@pytest.fixture
def proofs() -> Proofs:
    return Proofs(FakeClock(float(NOW)), nonce=False)


def test_a_good_proof_passes_once(proofs: Proofs) -> None:
    good = CLIENT.proof(TOKEN)
    proofs.check(shown(good), TOKEN, CLIENT.jkt)
    with pytest.raises(ProofRefused, match="invalid token") as caught:
        proofs.check(shown(good), TOKEN, CLIENT.jkt)
    assert caught.value.cause == "proof used before (jti)"
    proofs.check(shown(CLIENT.proof(TOKEN)), TOKEN, CLIENT.jkt)


OTHER = Client("other")
ATTACKS: dict[str, tuple[str | None, str]] = {
    "no proof": (None, "no proof"),
    "empty": ("", "proof empty"),
    "oversize": (CLIENT.proof(TOKEN, pad="x" * DPOP_BYTES), "proof empty, oversize"),
    "not ASCII": ("\u00e9.b.c", "proof empty, oversize or not ASCII"),
    "two parts": ("a.b", "proof is not three parts"),
    "many parts": ("." * 2000, "proof is not three parts"),
    "two proofs joined": (f"{CLIENT.proof(TOKEN)}, {CLIENT.proof(TOKEN)}", "proof is not three parts"),
    "not JSON": (forge(b"{", {}, lambda _: b"x"), "proof malformed"),
    "duplicate claim": (
        forge({"typ": "dpop+jwt", "alg": "ES256", "jwk": CLIENT.jwk}, b'{"jti":"a","jti":"b"}', sign_es(CLIENT.key)),
        "proof malformed: duplicate name",
    ),
    "typ missing": (CLIENT.proof(TOKEN, {"typ": ...}), "proof typ"),
    "typ of another kind": (CLIENT.proof(TOKEN, {"typ": "JWT"}), "proof typ"),
    "device proof": (CLIENT.proof(TOKEN, {"typ": "leadglass-device+jwt"}), "proof typ"),
    "alg none": (CLIENT.proof(TOKEN, {"alg": "none"}, lambda _: b""), "proof algorithm not allowed"),
    "alg NoNe": (CLIENT.proof(TOKEN, {"alg": "NoNe"}, lambda _: b""), "proof algorithm not allowed"),
    "alg HS256": (CLIENT.proof(TOKEN, {"alg": "HS256"}, lambda _: b"x" * 32), "proof algorithm not allowed"),
    "alg HS256 with an oct key": (
        CLIENT.proof(TOKEN, {"alg": "HS256", "jwk": {"kty": "oct", "k": "eA"}}, lambda _: b"x" * 32),
        "proof algorithm not allowed",
    ),
    "alg a list": (CLIENT.proof(TOKEN, {"alg": ["ES256"]}), "proof algorithm not allowed"),
    "alg of another key": (CLIENT.proof(TOKEN, {"alg": "RS256"}), "proof algorithm does not fit"),
    "alg slow": (CLIENT.proof(TOKEN, {"alg": "ES512"}), "proof algorithm not allowed"),
    "jwk missing": (CLIENT.proof(TOKEN, {"jwk": ...}), "proof has no jwk"),
    "jwk a text": (CLIENT.proof(TOKEN, {"jwk": "x"}), "proof has no jwk"),
    "jwk private": (CLIENT.proof(TOKEN, {"jwk": private_jwk()}), "proof key is not public"),
    "jwk with a prime of RSA": (CLIENT.proof(TOKEN, {"jwk": {**CLIENT.jwk, "p": "eA"}}), "proof key is not public"),
    "jwk off the curve": (CLIENT.proof(TOKEN, {"jwk": {**CLIENT.jwk, "y": CLIENT.jwk["x"]}}), "key has impossible"),
    "jwk of a small RSA": (
        CLIENT.proof(TOKEN, {"alg": "RS256", "jwk": rsa_jwk(rsa_key(1024), None)}, sign_rs(rsa_key(1024))),
        "key is RSA of 1024 bits",
    ),
    "crit": (CLIENT.proof(TOKEN, {"crit": ["x"], "x": 1}), "proof header has crit"),
    "x5c": (CLIENT.proof(TOKEN, {"x5c": ["x"]}), "proof header has x5c"),
    "jku": (CLIENT.proof(TOKEN, {"jku": "https://evil.example"}), "proof header has jku"),
    "jkt mismatch": (OTHER.proof(TOKEN), "proof is by another key"),
    "signed by another key": (CLIENT.proof(TOKEN, None, sign_es(OTHER.key)), "proof signature wrong"),
    "signature empty": (CLIENT.proof(TOKEN, None, lambda _: b""), "proof signature wrong"),
    "jti missing": (CLIENT.proof(TOKEN, jti=...), "proof jti"),
    "jti empty": (CLIENT.proof(TOKEN, jti=""), "proof jti"),
    "jti a number": (CLIENT.proof(TOKEN, jti=7), "proof jti"),
    "jti long": (CLIENT.proof(TOKEN, jti="x" * 257), "proof jti"),
    "htm of another method": (CLIENT.proof(TOKEN, htm="DELETE"), "proof is for another method"),
    "htm in lower case": (CLIENT.proof(TOKEN, htm="get"), "proof is for another method"),
    "htm missing": (CLIENT.proof(TOKEN, htm=...), "proof is for another method"),
    "htu missing": (CLIENT.proof(TOKEN, htu=...), "proof is for another address"),
    "htu a list": (CLIENT.proof(TOKEN, htu=[URL]), "proof is for another address"),
    "ath missing": (CLIENT.proof(TOKEN, ath=...), "proof is for another token"),
    "ath of another token": (CLIENT.proof(TOKEN, ath=ath("x.y.z")), "proof is for another token"),
    "ath in hex": (CLIENT.proof(TOKEN, ath="ab" * 32), "proof is for another token"),
    "iat missing": (CLIENT.proof(TOKEN, iat=...), "proof iat"),
    "iat a text": (CLIENT.proof(TOKEN, iat=str(NOW)), "iat is not a time"),
    "iat true": (CLIENT.proof(TOKEN, iat=True), "iat is not a time"),
    "iat too old": (CLIENT.proof(TOKEN, iat=NOW - DPOP_SECONDS - 1), "proof iat"),
    "iat too far ahead": (CLIENT.proof(TOKEN, iat=NOW + DPOP_SECONDS + 1), "proof iat"),
    "exp past": (CLIENT.proof(TOKEN, exp=NOW), "proof expired"),
    "nbf ahead": (CLIENT.proof(TOKEN, nbf=NOW + DPOP_SECONDS + 1), "proof expired or not yet valid"),
} | {
    f"htu {variant}": (CLIENT.proof(TOKEN, htu=variant), "proof is for another address")
    for variant in (
        URL + "?PatientID=1", URL + "?", URL + "#x", URL + "/", URL.replace("https", "http"), URL.replace("https", "HTTPS"),
        URL.replace("pacs", "PACS"), URL.replace(".org/", ".org:443/"), URL.replace(".org/", ".org:8443/"),
        URL.replace(".org/", ".org./"), URL.replace("pacs", "user@pacs"), URL.replace("/studies", "//studies"),
        URL.replace("/studies", "/./studies"), URL.replace("studies", "%73tudies"), URL.replace("studies", "Studies"),
        "/dicom-web/studies", "https://evil.example/dicom-web/studies", f" {URL}", "",
    )
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_proof_with_a_trick_is_refused(proofs: Proofs, name: str) -> None:
    proof, cause = ATTACKS[name]
    with pytest.raises(ProofRefused) as caught:
        proofs.check(shown(proof), TOKEN, CLIENT.jkt)
    assert caught.value.cause.startswith(cause)
    assert not proofs._spent._now  # nothing is spent


@pytest.mark.parametrize("ahead", [-DPOP_SECONDS, 0, DPOP_SECONDS])
def test_clocks_may_differ(proofs: Proofs, ahead: int) -> None:
    proofs.check(shown(CLIENT.proof(TOKEN, iat=NOW + ahead)), TOKEN, CLIENT.jkt)


def test_the_same_jti_of_two_keys_is_two_proofs(proofs: Proofs) -> None:
    for client in (CLIENT, OTHER):
        proofs.check(shown(client.proof(TOKEN, jti="1")), TOKEN, client.jkt)


@pytest.mark.parametrize(("algorithm", "sign"), [("RS256", sign_rs), ("PS256", sign_ps)])
def test_other_algorithms_pass(proofs: Proofs, algorithm: str, sign: Callable[..., Any]) -> None:
    key = rsa_key()
    jwk = rsa_jwk(key, None)
    members = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, sort_keys=True, separators=(",", ":"))
    proofs.check(shown(CLIENT.proof(TOKEN, {"alg": algorithm, "jwk": jwk}, sign(key))), TOKEN, ath(members))


@given(st.integers(0, 600), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_no_mutation_of_a_proof_passes(place: int, value: int) -> None:
    proofs = Proofs(FakeClock(float(NOW)), nonce=False)
    proof = CLIENT.proof(TOKEN, jti="fixed")
    place %= len(proof)
    mutated = proof[:place] + chr(value) + proof[place + 1 :]
    if mutated != proof:
        with pytest.raises(InvalidToken):
            proofs.check(shown(mutated), TOKEN, CLIENT.jkt)


# --- what was spent --------------------------------------------------------------------------------------------------
def test_a_spent_proof_is_remembered_for_as_long_as_it_could_be_good() -> None:
    clock = FakeClock(float(NOW))
    proofs = Proofs(clock, nonce=False)
    clock.advance(2 * DPOP_SECONDS - 1)  # right before a generation ends
    now = NOW + 2 * DPOP_SECONDS - 1
    ahead = CLIENT.proof(TOKEN, iat=now + DPOP_SECONDS)
    proofs.check(shown(ahead), TOKEN, CLIENT.jkt)
    for _ in range(4 * DPOP_SECONDS):
        with pytest.raises(ProofRefused):
            proofs.check(shown(ahead), TOKEN, CLIENT.jkt)
        clock.advance(1)


def test_the_memory_lets_go_of_the_past() -> None:
    clock = FakeClock(float(NOW))
    spent = Spent(clock, held=3, by_one=3)
    for jti in "abc":
        spent.spend(CLIENT.jkt, jti, "a")
    with pytest.raises(ProofRefused, match="invalid token") as caught:
        spent.spend(CLIENT.jkt, "d", "a")
    assert caught.value.cause == "more proofs than are remembered"
    clock.advance(2 * DPOP_SECONDS)
    spent.spend(CLIENT.jkt, "d", "a")
    clock.advance(10 * DPOP_SECONDS)
    spent.spend(CLIENT.jkt, "a", "a")
    assert (len(spent._now), len(spent._before)) == (1, 0)


def test_nobody_alone_can_fill_the_memory_of_all_whatever_keys_they_make() -> None:
    spent = Spent(FakeClock(), held=4, by_one=2)
    for jti in "ab":
        spent.spend(CLIENT.jkt, jti, "a")
    with pytest.raises(ProofRefused):
        spent.spend(OTHER.jkt, "c", "a")
    spent.spend(OTHER.jkt, "c", "b")


def test_only_keys_that_a_token_named_are_remembered(proofs: Proofs, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProofRefused):
        proofs.check(shown(OTHER.proof(TOKEN)), TOKEN, CLIENT.jkt)
    assert not proofs._heads
    monkeypatch.setattr("leadglass.identity.dpop.DPOP_HEADS", 1)
    for client in (CLIENT, OTHER, CLIENT):
        proofs.check(shown(client.proof(TOKEN)), TOKEN, client.jkt)
        assert len(proofs._heads) == 1 <= DPOP_HEADS


# --- nonces ----------------------------------------------------------------------------------------------------------
def test_a_proof_carries_a_nonce_in_force() -> None:
    clock = FakeClock(float(NOW))
    proofs = Proofs(clock, nonce=True)
    nonce = proofs.nonces.new()
    proofs.check(shown(CLIENT.proof(TOKEN, nonce=nonce)), TOKEN, CLIENT.jkt)
    proofs.check(shown(CLIENT.proof(TOKEN, nonce=nonce)), TOKEN, CLIENT.jkt)
    foreign = Nonces(clock).new()  # of another process, or of this one before its restart
    for bad in (..., "", "x", 7, [nonce], foreign, nonce[:-1], nonce + "A", "A" + nonce[1:]):
        with pytest.raises(ProofRefused) as caught:
            proofs.check(shown(CLIENT.proof(TOKEN, nonce=bad)), TOKEN, CLIENT.jkt)
        assert caught.value.error == USE_NONCE
    clock.advance(DPOP_NONCE_SECONDS)
    with pytest.raises(ProofRefused):
        proofs.check(shown(CLIENT.proof(TOKEN, nonce=nonce, iat=NOW + DPOP_NONCE_SECONDS)), TOKEN, CLIENT.jkt)


# --- with the token --------------------------------------------------------------------------------------------------
def identity_for(build: Build, url: str) -> Identity:
    return build({"issuer": url, "audience": "leadglass", "claims": {"id": "preferred_username"}})


async def refusal(identity: Identity, authorization: str, evidence: Evidence) -> Refusal:
    assert identity.cached(authorization, evidence) is None
    with pytest.raises(Refusal) as caught:
        await identity.authenticate(authorization, evidence)
    assert caught.value.causes[0].reason.code == "user-unauthenticated"
    return caught.value


async def test_a_bound_token_needs_a_proof_each_time(build: Build, provider: Provider) -> None:
    identity = identity_for(build, provider.url)
    bound = token(provider.url, cnf={"jkt": CLIENT.jkt})
    asked = await refusal(identity, f"DPoP {bound}", shown(CLIENT.proof(bound)))
    assert asked.challenge == "use_dpop_nonce"
    nonce = asked.headers["DPoP-Nonce"]
    who = await identity.authenticate(f"DPoP {bound}", shown(CLIENT.proof(bound, nonce=nonce)))
    assert who.id == "dr.demo"
    again = shown(CLIENT.proof(bound, nonce=nonce))
    assert identity.cached(f"dpop {bound}", again) is who
    replayed = await refusal(identity, f"DPoP {bound}", again)
    assert (replayed.challenge, dict(replayed.headers)) == ("invalid_dpop_proof", {})
    bare = await refusal(identity, f"DPoP {bound}", shown(None))
    assert bare.challenge == "invalid_dpop_proof"


async def test_there_is_no_downgrade_and_no_upgrade(build: Build, provider: Provider) -> None:
    identity = identity_for(build, provider.url)
    bound, plain = token(provider.url, cnf={"jkt": CLIENT.jkt}), token(provider.url)
    nonce = identity._proofs.nonces.new()
    for remembered in (False, True):
        for evidence in (shown(None), shown(CLIENT.proof(bound, nonce=nonce))):
            refused = await refusal(identity, f"Bearer {bound}", evidence)
            assert refused.detail == "bound to a DPoP key (cnf.jkt) and shown as Bearer"
            assert refused.challenge == "invalid_token"
        refused = await refusal(identity, f"DPoP {plain}", shown(CLIENT.proof(plain, nonce=nonce)))
        assert refused.detail == "shown as DPoP and bound to no key"
        refused = await refusal(identity, f"Bearer {plain}", shown(CLIENT.proof(plain, nonce=nonce)))
        assert refused.detail == "a proof (DPoP) beside a Bearer token"
        if not remembered:
            await identity.authenticate(f"Bearer {plain}")
            await identity.authenticate(f"DPoP {bound}", shown(CLIENT.proof(bound, nonce=nonce)))
    stolen = token(provider.url, cnf={"jkt": CLIENT.jkt}, jti="other")
    refused = await refusal(identity, f"DPoP {stolen}", shown(OTHER.proof(stolen, nonce=nonce)))
    assert refused.detail.startswith("proof is by another key")
    two = f"DPoP {bound}, Bearer {plain}"
    with pytest.raises(Refusal) as caught:
        await identity.authenticate(two, shown(CLIENT.proof(bound, nonce=nonce)))
    assert caught.value.causes[0].reason.code == "two-credentials"


async def test_a_fault_of_the_token_comes_before_its_proof(build: Build, provider: Provider) -> None:
    identity = identity_for(build, provider.url)
    ended = token(provider.url, exp=NOW - 31, cnf={"jkt": CLIENT.jkt})
    refused = await refusal(identity, f"DPoP {ended}", shown(CLIENT.proof(ended)))
    assert (refused.detail, refused.challenge) == ("expired", "")


def test_a_proof_costs_less_than_a_quarter_of_a_millisecond() -> None:
    proofs = Proofs(FakeClock(float(NOW)), nonce=True)
    nonce = proofs.nonces.new()
    made = [shown(CLIENT.proof(TOKEN, nonce=nonce)) for _ in range(200)]
    supply = iter(made)
    best = min(timeit.repeat(lambda: proofs.check(next(supply), TOKEN, CLIENT.jkt), number=20, repeat=10)) / 20
    assert best < 0.00025


def test_forged_with_the_issuers_key_it_is_no_proof(proofs: Proofs) -> None:
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": ec_jwk(ec_key(), None)}
    claims = {"jti": "1", "htm": "GET", "htu": URL, "iat": NOW, "ath": ath(TOKEN)}
    with pytest.raises(ProofRefused):
        proofs.check(shown(forge(header, claims, sign_es(ec_key()))), TOKEN, CLIENT.jkt)
