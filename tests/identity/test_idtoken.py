"""ID and logout tokens are refused one claim at a time in tests/access/test_signin.py; here is at_hash by algorithm."""

import base64
import hashlib

import pytest

from leadglass.hazmat.jws import InvalidToken, KeySet, SigningKey, parse_key_set
from leadglass.identity.idtoken import Expected, check_id_token
from leadglass.identity.settings import IssuerSettings, LoginSettings
from support.tokens import ec_jwk, ec_key, ed_jwk, ed_key, forge, jwks, sign_es

NOW, ISSUER, ACCESS = 1_800_000_000, "https://idp.example.org", "access.token.value"
SETTINGS = IssuerSettings(issuer=ISSUER, audience="leadglass")
LOGIN = LoginSettings(client_id="gateway")


def claims(digest: str) -> dict[str, object]:
    half = hashlib.new(digest, ACCESS.encode()).digest()
    at_hash = base64.urlsafe_b64encode(half[: len(half) // 2]).rstrip(b"=").decode()
    return {"iss": ISSUER, "aud": "gateway", "sub": "s", "iat": NOW, "exp": NOW + 60, "nonce": "n", "at_hash": at_hash}


def check(token: str, keys: KeySet, access: str = ACCESS) -> None:
    check_id_token(token, keys, SETTINGS, LOGIN, Expected("n", access), NOW)


@pytest.mark.parametrize(("algorithm", "digest"), [("ES256", "sha256"), ("EdDSA", "sha512")])
def test_at_hash_goes_with_the_algorithm(algorithm: str, digest: str) -> None:
    sign = sign_es(ec_key()) if algorithm == "ES256" else ed_key().sign
    keys = parse_key_set(jwks(ec_jwk(ec_key()), ed_jwk(ed_key())))
    header = {"alg": algorithm, "typ": "JWT", "kid": "ec" if algorithm == "ES256" else "ed"}
    token = forge(header, claims(digest), sign)
    check(token, keys)
    with pytest.raises(InvalidToken) as refused:
        check(token, keys, "another.access.token")
    assert refused.value.cause == "at_hash is another token's"


def test_a_key_of_another_issuer_signs_nothing_here() -> None:
    with pytest.raises(InvalidToken):
        check(SigningKey.generate().sign(claims("sha256"), typ="JWT"), parse_key_set(jwks(ec_jwk(ec_key()))))
