import json
from contextlib import suppress
from itertools import count
from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.jwk import InvalidKeySet, InvalidToken, parse_key_set, parse_public_key
from leadglass.hazmat.mac import from_b64u
from leadglass.limits import JWKS_BYTES, JWKS_KEYS
from support.tokens import b64, ec_jwk, ec_key, ed_jwk, ed_key, jwks, number, rsa_jwk, rsa_key

EC, RSA = ec_jwk(ec_key()), rsa_jwk(rsa_key())


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[]", "not JSON"),
        (b'{"keys":[],"keys":[]}', "duplicate name"),
        (b"{}", "no list"),
        (b'{"keys":{}}', "no list"),
        (b'{"keys":[]}', "no usable key"),
        (b'{"keys":["x"]}', "not an object"),
        (jwks(*[EC] * (JWKS_KEYS + 1)), "no list of at most"),
        (b" " * (JWKS_BYTES + 1), "larger than"),
        (jwks(EC, {"kty": "oct", "k": b64(b"secret"), "kid": "s"}), "symmetric"),
        (jwks(EC, {"kty": "oct", "k": ""}), "symmetric"),
        (jwks({**RSA, "k": b64(b"secret")}), "symmetric"),
        (jwks(RSA, {**EC, "d": b64(b"secret")}), "private"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sets_that_are_refused_whole(document: bytes, problem: str) -> None:
    with pytest.raises(InvalidKeySet, match=problem):
        parse_key_set(document)


def roca_jwk() -> dict[str, Any]:
    """A modulus with the fingerprint of the flawed generator: a power of 65537 modulo every small odd prime."""
    modulus = 2 * prod(p for p in range(3, 168, 2) if all(p % q for q in range(3, p, 2)))
    base = pow(65537, 123_457, modulus)
    start = (1 << 2047) // modulus + 1
    n = next(base + k * modulus for k in count(start) if (base + k * modulus) % 2)
    return {"kty": "RSA", "n": number(n), "e": "AQAB", "kid": "roca"}


def with_exponent(exponent: int) -> dict[str, Any]:
    return {**RSA, "e": number(exponent)}


def off_curve() -> dict[str, Any]:
    return {**EC, "x": number(5, 32), "y": number(5, 32)}


@pytest.mark.parametrize(
    ("jwk", "problem"),
    [
        (rsa_jwk(rsa_key(1024)), "1024 bits"),
        ({**RSA, "n": number((1 << 9000) + 1)}, "9001 bits"),
        (with_exponent(1), "unsafe exponent"),
        (with_exponent(2), "unsafe exponent"),
        (with_exponent(65536), "unsafe exponent"),
        (with_exponent((1 << 70) + 1), "unsafe exponent"),
        (roca_jwk(), "ROCA"),
        ({**RSA, "n": b64(b"\0" + from_b64u(RSA["n"]))}, "impossible numbers"),
        ({**RSA, "n": RSA["n"] + "="}, "impossible numbers"),
        ({**RSA, "n": 5}, "impossible numbers"),
        ({"kty": "RSA", "kid": "x"}, "impossible numbers"),
        (off_curve(), "impossible numbers"),
        ({**EC, "x": number(1)}, "impossible numbers"),
        ({**EC, "crv": "P-384"}, "impossible numbers"),
        (ec_jwk(ec_key("secp256k1")), "unknown type or curve"),
        ({**ed_jwk(ed_key()), "crv": "X25519"}, "unknown type or curve"),
        ({**ed_jwk(ed_key()), "x": b64(b"short")}, "impossible numbers"),
        ({"kty": "nonsense"}, "unknown type or curve"),
        ({"kty": ["EC"]}, "unknown type or curve"),
        ({}, "unknown type or curve"),
        ({**RSA, "use": "enc"}, "not for signatures"),
        ({**RSA, "key_ops": ["encrypt"]}, "not for verification"),
        ({**RSA, "key_ops": "verify"}, "not for verification"),
        ({**RSA, "alg": "RSA-OAEP"}, "does not fit"),
        ({**RSA, "alg": "ES256"}, "does not fit"),
        ({**RSA, "alg": "HS256"}, "does not fit"),
        ({**EC, "alg": ["ES256"]}, "does not fit"),
        ({**EC, "kid": 7}, "kid is not"),
        ({**EC, "kid": "k" * 300}, "kid is not"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keys_that_are_left_out(jwk: dict[str, Any], problem: str) -> None:
    good = ec_jwk(ec_key("P-384"), "good")
    keys = parse_key_set(jwks(jwk, good))
    assert [key.kid for key in keys.keys] == ["good"]
    assert problem in keys.skipped[0]
    with pytest.raises(InvalidKeySet, match="no usable key"):
        parse_key_set(jwks(jwk))


def test_a_key_is_bound_to_the_algorithms_of_its_kind() -> None:
    keys = {
        key.kid: key
        for key in parse_key_set(jwks(EC, RSA, ed_jwk(ed_key()), {**RSA, "kid": "one", "alg": "PS256"})).keys
    }
    assert keys["ec"].algorithms == {"ES256"}
    assert keys["ed"].algorithms == {"EdDSA"}
    assert keys["rsa"].algorithms == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    assert keys["one"].algorithms == {"PS256"}


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    # The example of RFC 7638 section 3.1.
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    key = parse_public_key({"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_sets_are_equal_when_they_hold_the_same_keys() -> None:
    one = parse_key_set(jwks(EC, RSA))
    assert one == parse_key_set(jwks(RSA, {**EC, "use": "sig", "x5t": "abc"}, EC))
    assert one != parse_key_set(jwks(EC))
    assert one != parse_key_set(jwks(RSA, {**EC, "kid": "renamed"}))
    assert one != parse_key_set(jwks(RSA, ec_jwk(ec_key("P-256", "new"))))


@pytest.mark.parametrize("jwk", [{"kty": "oct", "k": "AAAA"}, {**EC, "d": "AAAA"}, {**EC, "crv": "P-999"}, {}])
def test_a_lone_key_must_be_public_and_usable(jwk: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        parse_public_key(jwk)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_set_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    document = json.loads(jwks(EC, RSA, ed_jwk(ed_key())))
    jwk = document["keys"][data.draw(st.integers(0, 2))]
    name = data.draw(st.sampled_from([*jwk, "d", "k", "use", "alg", "key_ops"]))
    jwk[name] = data.draw(
        st.one_of(st.none(), st.text(max_size=50), st.integers(), st.lists(st.text(max_size=5), max_size=2))
    )
    with suppress(InvalidKeySet):
        parse_key_set(json.dumps(document).encode())
