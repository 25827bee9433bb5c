import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.jws import (
    InvalidToken,
    Profile,
    SigningKey,
    check_validity,
    parse_key_set,
    parse_public_key,
    read_unverified,
    verify_compact,
)
from leadglass.limits import TOKEN_BYTES
from support.tokens import (
    Sign,
    b64,
    ec_jwk,
    ec_key,
    ed_jwk,
    ed_key,
    forge,
    jwks,
    rsa_jwk,
    rsa_key,
    sign_es,
    sign_ps,
    sign_rs,
)

ACCESS = Profile("access", "JWT")
CLAIMS: dict[str, Any] = {"iss": "https://idp.example", "sub": "x", "exp": 2_000}
EC, RSA = ec_key(), rsa_key()
KEYS = parse_key_set(
    jwks(
        ec_jwk(EC, "ec"),
        rsa_jwk(RSA, "rsa"),
        ed_jwk(ed_key(), "ed"),
        ec_jwk(ec_key("P-384"), "ec384"),
        ec_jwk(ec_key("P-521"), "ec521"),
    )
)


def head(alg: str = "ES256", kid: str | None = "ec", **extra: object) -> dict[str, Any]:
    header = {"alg": alg, "typ": "JWT", **extra}
    return header if kid is None else {**header, "kid": kid}


def ed_sign(message: bytes) -> bytes:
    return ed_key().sign(message)


@pytest.mark.parametrize(
    ("alg", "kid", "sign"),
    [
        ("ES256", "ec", sign_es(EC)),
        ("ES384", "ec384", sign_es(ec_key("P-384"), hashes.SHA384())),
        ("ES512", "ec521", sign_es(ec_key("P-521"), hashes.SHA512())),
        ("RS256", "rsa", sign_rs(RSA)),
        ("RS384", "rsa", sign_rs(RSA, hashes.SHA384())),
        ("RS512", "rsa", sign_rs(RSA, hashes.SHA512())),
        ("PS256", "rsa", sign_ps(RSA)),
        ("PS384", "rsa", sign_ps(RSA, hashes.SHA384())),
        ("PS512", "rsa", sign_ps(RSA, hashes.SHA512())),
        ("EdDSA", "ed", ed_sign),
    ],
)
def test_every_algorithm_verifies_and_a_changed_byte_does_not(alg: str, kid: str, sign: Sign) -> None:
    token = forge(head(alg, kid), CLAIMS, sign)
    assert verify_compact(token, KEYS, ACCESS).claims == CLAIMS
    other = forge(head(alg, kid), {**CLAIMS, "sub": "y"}, sign)
    swapped = ".".join([*other.split(".")[:2], token.split(".")[2]])
    with pytest.raises(InvalidToken) as caught:
        verify_compact(swapped, KEYS, ACCESS)
    assert caught.value.cause == "signature wrong"


def mac(secret: bytes) -> Sign:
    return lambda message: hmac.new(secret, message, hashlib.sha256).digest()


def pem() -> bytes:
    return RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def der() -> bytes:
    return RSA.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def point() -> bytes:
    return EC.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


GOOD = sign_es(EC)
ATTACKER = ec_key("P-256", "attacker")
FORGED: dict[str, tuple[str, str]] = {  # id -> token, cause
    "D1 none": (forge(head("none"), CLAIMS, lambda _: b""), "algorithm not allowed"),
    "D1 NoNe": (forge(head("NoNe"), CLAIMS, lambda _: b""), "algorithm not allowed"),
    "D1 none with a real signature": (forge(head("none"), CLAIMS, GOOD), "algorithm not allowed"),
    "D1 alg missing": (forge({"typ": "JWT", "kid": "ec"}, CLAIMS, GOOD), "algorithm not allowed"),
    "D1 alg null": (forge({"alg": None, "typ": "JWT", "kid": "ec"}, CLAIMS, GOOD), "algorithm not allowed"),
    "D1 alg a list": (forge({"alg": ["ES256"], "typ": "JWT", "kid": "ec"}, CLAIMS, GOOD), "algorithm not allowed"),
    "D1 alg lower case": (forge(head("es256"), CLAIMS, GOOD), "algorithm not allowed"),
    "D1 signature stripped": (forge(head(), CLAIMS, lambda _: b""), "signature wrong"),
    "D1 HS256 with the RSA key as PEM": (forge(head("HS256", "rsa"), CLAIMS, mac(pem())), "algorithm not allowed"),
    "D1 HS256 with the RSA key as DER": (forge(head("HS256", "rsa"), CLAIMS, mac(der())), "algorithm not allowed"),
    "D1 HS256 with the JWK as text": (
        forge(head("HS256", "rsa"), CLAIMS, mac(json.dumps(rsa_jwk(RSA)).encode())),
        "algorithm not allowed",
    ),
    "D1 HS256 with the raw EC point": (forge(head("HS256"), CLAIMS, mac(point())), "algorithm not allowed"),
    "D2 HS256 with an empty key": (forge(head("HS256"), CLAIMS, mac(b"")), "algorithm not allowed"),
    "D2 HS512": (forge(head("HS512"), CLAIMS, mac(b"secret")), "algorithm not allowed"),
    "D3 jwk": (forge(head(jwk=ec_jwk(ATTACKER)), CLAIMS, sign_es(ATTACKER)), "header has jwk"),
    "D3 jku": (forge(head(jku="http://127.0.0.1/keys"), CLAIMS, GOOD), "header has jku"),
    "D3 x5u": (forge(head(x5u="https://evil.example/c.pem"), CLAIMS, GOOD), "header has x5u"),
    "D3 x5c": (forge(head(x5c=["MIIB"]), CLAIMS, GOOD), "header has x5c"),
    "D3 kid traversal": (forge(head(kid="../../dev/null"), CLAIMS, GOOD), "key unknown"),
    "D3 kid injection": (forge(head(kid="x' OR '1'='1"), CLAIMS, GOOD), "key unknown"),
    "D3 kid not text": (
        forge({"alg": "ES256", "typ": "JWT", "kid": {"a": 1}}, CLAIMS, GOOD),
        "kid is not a short string",
    ),
    "D3 kid empty": (forge(head(kid=""), CLAIMS, GOOD), "kid is not a short string"),
    "D3 kid huge": (forge(head(kid="k" * 300), CLAIMS, GOOD), "kid is not a short string"),
    "D3 kid of another key": (forge(head(kid="rsa"), CLAIMS, GOOD), "key unknown"),
    "D3 attacker's key under a known kid": (forge(head(), CLAIMS, sign_es(ATTACKER)), "signature wrong"),
    "D4 crit unknown": (forge(head(crit=["myparam"], myparam=1), CLAIMS, GOOD), "header has crit"),
    "D4 crit b64": (forge(head(crit=["b64"], b64=False), CLAIMS, GOOD), "header has crit"),
    "D4 crit empty": (forge(head(crit=[]), CLAIMS, GOOD), "header has crit"),
    "D4 b64 alone": (forge(head(b64=False), CLAIMS, GOOD), "header has b64"),
    "D5 PBES2 count": (
        forge(head("PBES2-HS256+A128KW", p2c=2_147_483_647, enc="A128GCM"), CLAIMS, GOOD),
        "header has enc",
    ),
    "D5 zip": (forge(head(zip="DEF"), CLAIMS, GOOD), "header has zip"),
    "D5 JWE of five parts": ("e30.e30.e30.e30.e30", "not three parts"),
    "D5 many dots": ("." * (TOKEN_BYTES - 1), "not three parts"),
    "D5 two parts": ("e30.e30", "not three parts"),
    "D5 oversize": (forge(head(), {**CLAIMS, "pad": "x" * TOKEN_BYTES}, GOOD), "empty, oversize or not ASCII"),
    "D5 header oversize": (forge(head(pad="x" * 5_000), CLAIMS, GOOD), "header too large"),
    "empty": ("", "empty, oversize or not ASCII"),
    "not ASCII": ("é.é.é", "empty, oversize or not ASCII"),
    "typ missing": (forge({"alg": "ES256", "kid": "ec"}, CLAIMS, GOOD), "typ missing"),
    "D6 typ of a device statement": (
        forge({**head(), "typ": "leadglass-posture+jwt"}, CLAIMS, GOOD),
        "typ is of another kind of token",
    ),
    "D6 typ of an RFC 9068 token": (
        forge({**head(), "typ": "at+jwt"}, CLAIMS, GOOD),
        "typ is of another kind of token",
    ),
    "D7 duplicate header name": (
        forge(b'{"alg":"none","alg":"ES256","typ":"JWT","kid":"ec"}', CLAIMS, GOOD),
        "malformed: duplicate name",
    ),
    "D7 duplicate claim": (forge(head(), b'{"sub":"a","sub":"b"}', GOOD), "malformed: duplicate name"),
    "D7 duplicate name deep inside": (
        forge(head(), b'{"realm_access":{"roles":["a"],"roles":["b"]}}', GOOD),
        "malformed: duplicate name",
    ),
    "D7 duplicate name, escaped": (forge(head(), b'{"sub":"a","\\u0073ub":"b"}', GOOD), "malformed: duplicate name"),
    "claims a list": (forge(head(), b"[]", GOOD), "malformed: not a JSON object"),
    "RS256 signature under an EC key": (forge(head("ES256", "ec"), CLAIMS, sign_rs(RSA)), "signature wrong"),
    "PS256 token signed as RS256": (forge(head("PS256", "rsa"), CLAIMS, sign_rs(RSA)), "signature wrong"),
    "PSS with an empty salt": (forge(head("PS256", "rsa"), CLAIMS, sign_ps(RSA, salt=0)), "signature wrong"),
    "ES256 over P-384": (forge(head("ES256", "ec384"), CLAIMS, sign_es(ec_key("P-384"))), "key unknown"),
    "ECDSA r = s = 0": (forge(head(), CLAIMS, lambda _: bytes(64)), "signature wrong"),
    "ECDSA r = 0": (forge(head(), CLAIMS, lambda m: bytes(32) + GOOD(m)[32:]), "signature wrong"),
    "ECDSA padded": (forge(head(), CLAIMS, lambda m: b"\0" + GOOD(m)), "signature wrong"),
    "ECDSA truncated": (forge(head(), CLAIMS, lambda m: GOOD(m)[:-1]), "signature wrong"),
    "ECDSA in DER": (forge(head(), CLAIMS, lambda m: b"0D\x02 " + GOOD(m)), "signature wrong"),
    "RSA truncated": (forge(head("RS256", "rsa"), CLAIMS, lambda m: sign_rs(RSA)(m)[:-1]), "signature wrong"),
    "RSA with a leading zero": (
        forge(head("RS256", "rsa"), CLAIMS, lambda m: b"\0" + sign_rs(RSA)(m)),
        "signature wrong",
    ),
    "Ed25519 truncated": (forge(head("EdDSA", "ed"), CLAIMS, lambda m: ed_sign(m)[:-1]), "signature wrong"),
}


@pytest.mark.parametrize(("token", "cause"), FORGED.values(), ids=FORGED)
def test_forged_tokens_are_refused(token: str, cause: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        verify_compact(token, KEYS, ACCESS)
    assert caught.value.cause.startswith(cause)
    assert str(caught.value) == "invalid token"


def spellings() -> dict[str, str]:
    """Other spellings of a good token that lax base64 decoders take for the same bytes (Wycheproof tc360-375)."""
    token = next(
        t for n in range(50) if len((t := forge(head(), {**CLAIMS, "n": "x" * n}, GOOD)).split(".")[1]) % 4 == 3
    )
    first, body, tail = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    loose = body[:-1] + alphabet[alphabet.index(body[-1]) ^ 1]  # a bit that is cut off when decoding
    return {
        "padding": f"{first}.{body}=.{tail}",
        "padding on the signature": f"{first}.{body}.{tail}==",
        "line break inside": f"{first}.{body[:8]}\n{body[8:]}.{tail}",
        "trailing line break": f"{token}\n",
        "leading space": f" {token}",
        "trailing bits": f"{first}.{loose}.{tail}",
        "trailing bits of the signature": f"{first}.{body}.{tail[:-1]}{alphabet[alphabet.index(tail[-1]) ^ 1]}",
        "standard alphabet": f"{first}.{body}.{tail[:-2]}+/",
        "foreign character": f"{first}.{body[:4]}!{body[4:]}.{tail}",
        "one character left over": f"{first}.{body}.{tail}AAA",
        "nul": f"{first}.{body}\0.{tail}",
    }


@pytest.mark.parametrize("token", spellings().values(), ids=spellings())
def test_only_canonical_base64url_is_read(token: str) -> None:
    with pytest.raises(InvalidToken):
        verify_compact(token, KEYS, ACCESS)


@pytest.mark.parametrize(
    "body",
    [
        b'{"exp":NaN}',
        b'{"exp":Infinity}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"{",
        b"",
        b"null",
        b'{"a":1}x',
        b'{"a":' * 4_000,
        b'{"a":' + b"[" * 3_000 + b"]" * 3_000 + b"}",
    ],
    ids=["NaN", "Infinity", "surrogate", "utf-8", "open", "empty", "null", "trailing", "deep open", "deep"],
)
def test_claims_that_parsers_read_differently_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidToken):
        verify_compact(forge(head(), body, GOOD), KEYS, ACCESS)


@pytest.mark.parametrize(
    ("profile", "typ", "fits"),
    [
        ("JWT", "JWT", True),
        ("JWT", "jwt", True),
        ("JWT", "application/jwt", True),
        ("at+jwt", "application/AT+JWT", True),
        ("application/at+jwt", "at+jwt", True),
        ("JWT", "text/jwt", False),
        ("JWT", "application/application/jwt", False),
        ("JWT", "JWT ", False),
        ("JWT", "", False),
    ],
)
def test_typ_is_compared_as_a_media_type(profile: str, typ: str, *, fits: bool) -> None:
    token = forge({**head(), "typ": typ}, CLAIMS, GOOD)
    if fits:
        assert verify_compact(token, KEYS, Profile("p", profile)).claims == CLAIMS
    else:
        with pytest.raises(InvalidToken, match="invalid token"):
            verify_compact(token, KEYS, Profile("p", profile))


def test_a_profile_narrows_the_algorithms_and_names_no_symmetric_one() -> None:
    token = forge(head("RS256", "rsa"), CLAIMS, sign_rs(RSA))
    with pytest.raises(InvalidToken):
        verify_compact(token, KEYS, Profile("p", "JWT", frozenset({"ES256"})))
    for bad in ({"HS256"}, {"none"}, set()):
        with pytest.raises(ValueError, match="asymmetric"):
            Profile("p", "JWT", frozenset(bad))


def test_keys_are_never_tried_in_turn() -> None:
    pair = parse_key_set(jwks(ec_jwk(EC, "a"), ec_jwk(ec_key("P-256", "b"), "b"), rsa_jwk(RSA, "rsa")))
    with pytest.raises(InvalidToken) as caught:
        verify_compact(forge(head(kid=None), CLAIMS, GOOD), pair, ACCESS)
    assert caught.value.cause == "key ambiguous"
    assert verify_compact(forge(head("RS256", None), CLAIMS, sign_rs(RSA)), pair, ACCESS).key.kid == "rsa"
    collision = parse_key_set(jwks(ec_jwk(EC, "a"), ec_jwk(ec_key("P-256", "b"), "a")))
    with pytest.raises(InvalidToken) as caught:
        verify_compact(forge(head(kid="a"), CLAIMS, GOOD), collision, ACCESS)
    assert caught.value.cause == "key ambiguous"


def test_a_single_expected_key_needs_no_kid() -> None:
    key = parse_public_key(ec_jwk(EC, None))
    assert verify_compact(forge(head(kid="whatever"), CLAIMS, GOOD), key, ACCESS).key is key
    with pytest.raises(InvalidToken) as caught:
        verify_compact(forge(head("RS256"), CLAIMS, sign_rs(RSA)), key, ACCESS)
    assert caught.value.cause == "algorithm does not fit the key"


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({}, "exp missing"),
        ({"exp": None}, "exp is not a time"),
        ({"exp": "2000"}, "exp is not a time"),
        ({"exp": True}, "exp is not a time"),
        ({"exp": -1}, "exp is not a time"),
        ({"exp": [2000]}, "exp is not a time"),
        ({"exp": float("inf")}, "exp is not a time"),
        ({"exp": 970}, "expired"),
        ({"exp": 2000, "nbf": 1031}, "not yet valid"),
        ({"exp": 2000, "iat": 1031}, "not yet valid"),
        ({"exp": 2000, "iat": "now"}, "iat is not a time"),
    ],
    ids=str,
)
def test_times_that_do_not_hold(claims: dict[str, Any], cause: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        check_validity(claims, now=1_000.0, leeway=30)
    assert caught.value.cause == cause


def test_the_span_is_exactly_when_the_answer_stays_yes() -> None:
    claims = {"exp": 1_100, "nbf": 1_000, "iat": 990.5}
    starts, ends = check_validity(claims, now=1_050.0, leeway=30)
    assert (starts, ends) == (970.0, 1_130.0)
    for now in (starts, ends - 0.001):
        check_validity(claims, now=now, leeway=30)
    for now in (starts - 0.001, ends):
        with pytest.raises(InvalidToken):
            check_validity(claims, now=now, leeway=30)


def test_what_we_sign_verifies() -> None:
    signer = SigningKey(ec_key())
    token = signer.sign(CLAIMS, typ="at+jwt")
    verified = verify_compact(token, parse_key_set(jwks(signer.public_jwk())), Profile("p", "at+jwt"))
    assert verified.claims == CLAIMS
    assert verified.key.thumbprint == signer.kid
    with pytest.raises(ValueError, match="P-256"):
        SigningKey(ec_key("P-384"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_mutation_of_a_token_verifies(data: st.DataObject) -> None:
    token = forge(head(), CLAIMS, GOOD)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from("AZaz09-_.=+/ \n\0"))
    mutated = token[:place] + character + token[place + data.draw(st.integers(0, 2)) :]
    if mutated != token:
        with pytest.raises(InvalidToken):
            verify_compact(mutated, KEYS, ACCESS)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.binary(max_size=60).map(lambda raw: f"{b64(raw)}.{b64(raw)}.{b64(raw)}")))
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    with pytest.raises(InvalidToken):
        read_unverified(text)
