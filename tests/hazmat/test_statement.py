"""A JWS is believed only in exactly the form expected, under exactly the key held."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.statement import DeviceKey, InvalidStatement, split
from support.device import Key, b64u

TYP = "leadglass-posture+jwt"
KEY = Key()
HELD = DeviceKey(KEY.jwk)


def believed(token: str, key: DeviceKey = HELD) -> bytes:
    return split(token, TYP, kid=True, limit=10_000).verify(key)


def test_a_good_one_is_believed() -> None:
    token = KEY.jws(TYP, b'{"x":1}', "device")
    assert split(token, TYP, kid=True, limit=10_000).kid == "device"
    assert believed(token) == b'{"x":1}'


def test_one_by_another_key_is_not() -> None:
    with pytest.raises(InvalidStatement):
        believed(Key().jws(TYP, b"{}", "device"))


HEADERS: dict[str, Any] = {
    "alg none": {"alg": "none", "typ": TYP, "kid": "d"},
    "alg HS256": {"alg": "HS256", "typ": TYP, "kid": "d"},
    "alg ES384": {"alg": "ES384", "typ": TYP, "kid": "d"},
    "alg lower case": {"alg": "es256", "typ": TYP, "kid": "d"},
    "no alg": {"typ": TYP, "kid": "d"},
    "no typ": {"alg": "ES256", "kid": "d"},
    "typ of a token": {"alg": "ES256", "typ": "JWT", "kid": "d"},
    "typ of another statement": {"alg": "ES256", "typ": "leadglass-renewal+jwt", "kid": "d"},
    "no kid": {"alg": "ES256", "typ": TYP},
    "kid no text": {"alg": "ES256", "typ": TYP, "kid": ["d"]},
    "key in the header": {"alg": "ES256", "typ": TYP, "kid": "d", "jwk": KEY.jwk},
    "crit": {"alg": "ES256", "typ": TYP, "kid": "d", "crit": ["x"], "x": 1},
    "b64 false": {"alg": "ES256", "typ": TYP, "kid": "d", "b64": False},
    "too long": {"alg": "ES256", "typ": TYP, "kid": "d" * 1000},
    "list": ["ES256", TYP, "d"],
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_another_header_is_refused(header: Any) -> None:  # noqa: ANN401 - rows of any JSON type
    with pytest.raises(InvalidStatement):
        believed(KEY.sign(header, b"{}"))


def test_a_member_twice_in_the_header_is_refused() -> None:
    token = KEY.jws(TYP, b"{}", "d")
    twice = b64u(b'{"alg":"ES256","alg":"ES256","typ":"%s","kid":"d"}' % TYP.encode())
    with pytest.raises(InvalidStatement, match="header"):
        believed(".".join([twice, *token.split(".")[1:]]))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t + ".",
        lambda t: t + ".AA",
        lambda t: "." + t,
        lambda t: t + "=",
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t.rsplit(".", 1)[0] + ".",
        lambda t: t.rsplit(".", 1)[0],
        lambda t: t.rsplit(".", 1)[0] + "." + b64u(b"\0" * 64),
        lambda t: t.rsplit(".", 1)[0] + "." + b64u(b"\xff" * 64),
        lambda t: t + "AAAA",
        lambda _: "",
        lambda _: "..",
        lambda _: "." * 1000,
    ],
    ids=range(14),
)
def test_another_form_is_refused(change: Any) -> None:  # noqa: ANN401 - a lambda
    with pytest.raises(InvalidStatement):
        believed(change(KEY.jws(TYP, b"{}", "d")))


def test_one_beyond_the_limit_is_not_looked_at() -> None:
    token = KEY.jws(TYP, b"{}", "d")
    with pytest.raises(InvalidStatement, match="too long"):
        split(token, TYP, kid=True, limit=len(token) - 1)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mutation_is_believed(data: st.DataObject) -> None:
    token = KEY.jws(TYP, b'{"seq":1}', "d")
    position = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(max_codepoint=255))
    if letter == token[position]:
        return
    with pytest.raises(InvalidStatement):
        believed(token[:position] + letter + token[position + 1 :])


KEYS: dict[str, Any] = {
    "private part": {**KEY.jwk, "d": "AA"},
    "another curve": {**KEY.jwk, "crv": "P-384"},
    "symmetric": {"kty": "oct", "k": "AAAA"},
    "not on the curve": {**KEY.jwk, "y": KEY.jwk["x"]},
    "zero": {**KEY.jwk, "x": b64u(b"\0" * 32), "y": b64u(b"\0" * 32)},
    "short coordinate": {**KEY.jwk, "x": b64u(b"\1" * 31)},
    "padded": {**KEY.jwk, "x": KEY.jwk["x"] + "="},
    "number": {**KEY.jwk, "x": 7},
    "null": None,
    "text": "key",
}


@pytest.mark.parametrize("jwk", KEYS.values(), ids=KEYS)
def test_other_keys_are_refused(jwk: Any) -> None:  # noqa: ANN401 - rows of any JSON type
    with pytest.raises(InvalidStatement):
        DeviceKey(jwk)


def test_keys_are_equal_by_value_and_have_the_thumbprint_of_rfc_7638() -> None:
    assert DeviceKey(dict(reversed(KEY.jwk.items()))) == HELD
    assert hash(DeviceKey(KEY.jwk)) == hash(HELD)
    assert DeviceKey(Key().jwk) != HELD
    assert len(HELD.thumbprint) == 43
