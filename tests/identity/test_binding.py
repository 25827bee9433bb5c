"""What a token is bound to, and the certificate that must go with it (RFC 8705)."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from leadglass.hazmat.jws import InvalidToken
from leadglass.identity.binding import Binding, read_binding
from leadglass.identity.identity import Identity
from leadglass.model.credentials import Evidence
from leadglass.model.errors import Refusal
from support.dpop import URL, Client
from support.idp import Provider, token
from support.tokens import b64

Build = Callable[..., Identity]
DER = b"a certificate"
DIGEST = hashlib.sha256(DER).digest()
THUMB = b64(DIGEST)


def test_no_cnf_is_no_binding() -> None:
    assert read_binding({"sub": "x"}) is None


def test_both_bindings_may_stand_together() -> None:
    both = read_binding({"cnf": {"jkt": THUMB, "x5t#S256": THUMB}})
    assert both == Binding(THUMB, DIGEST)
    assert both.words == "a DPoP proof and its client certificate"


@pytest.mark.parametrize(
    "cnf",
    [
        None, {}, [], "x", {"kid": "1"}, {"jwk": {}}, {"jkt": THUMB, "kid": "1"}, {"x5t": THUMB}, {"jkt": None}, {"jkt": 1},
        {"jkt": ""}, {"jkt": THUMB + "="}, {"jkt": THUMB[:-1]}, {"jkt": DIGEST.hex()}, {"x5t#S256": ""},
        {"x5t#S256": THUMB + "A"}, {"x5t#s256": THUMB}, {"x5t#S256": [THUMB]},
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_not_understood_whole_is_refused(cnf: object) -> None:
    with pytest.raises(InvalidToken):
        read_binding({"cnf": cnf})


@pytest.mark.parametrize(
    ("certificate", "cause"),
    [
        (None, "bound to a certificate (cnf.x5t#S256), and the connection shows none"),
        (b"", "bound to another"),
        (b"another", "bound to another"),
        (DER + b"\0", "bound to another"),
        (DIGEST, "bound to another"),
    ],
)
def test_another_certificate_is_refused(certificate: bytes | None, cause: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        Binding(certificate=DIGEST).check_certificate(certificate)
    assert caught.value.cause.startswith(cause)


async def test_each_request_shows_the_certificate(build: Build, provider: Provider) -> None:
    identity = build({"issuer": provider.url, "audience": "leadglass"})
    bound = f"Bearer {token(provider.url, cnf={'x5t#S256': THUMB})}"
    good = Evidence("GET", URL, None, DER)
    who = await identity.authenticate(bound, good)
    assert identity.cached(bound, good) is who
    for bad in (Evidence(), Evidence("GET", URL, None, b"another")):
        assert identity.cached(bound, bad) is None
        with pytest.raises(Refusal):
            await identity.authenticate(bound, bad)


async def test_a_token_bound_to_both_needs_both(build: Build, provider: Provider) -> None:
    identity = build({"issuer": provider.url, "audience": "leadglass"})
    client = Client()
    confirmation: dict[str, Any] = {"x5t#S256": THUMB, "jkt": client.jkt}
    bound = token(provider.url, cnf=confirmation)
    nonce = identity._proofs.nonces.new()
    for certificate, proof in ((None, client.proof(bound, nonce=nonce)), (DER, None)):
        with pytest.raises(Refusal):
            await identity.authenticate(f"DPoP {bound}", Evidence("GET", URL, proof, certificate))
    await identity.authenticate(f"DPoP {bound}", Evidence("GET", URL, client.proof(bound, nonce=nonce), DER))
    with pytest.raises(Refusal):
        await identity.authenticate(f"Bearer {bound}", Evidence("GET", URL, None, DER))


async def test_the_command_line_says_what_a_token_needs(build: Build, provider: Provider) -> None:
    identity = build({"issuer": provider.url, "audience": "leadglass"})
    steps, who = await identity.explain(token(provider.url, cnf={"jkt": THUMB}))
    assert who is not None
    assert "each request needs a DPoP proof" in steps[5].detail
