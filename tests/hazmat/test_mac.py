"""MACs and base64url: one spelling for one value, no key too short."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.mac import b64u, from_b64u, mac, new_key, sha256, verified


def test_a_mac_is_that_of_rfc_4231_case_6() -> None:
    tag = mac(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First")
    assert tag.hex() == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"


def test_only_the_same_key_and_message_verify() -> None:
    key = new_key()
    tag = mac(key, b"message")
    assert verified(key, b"message", tag)
    assert not verified(key, b"massage", tag)
    assert not verified(new_key(), b"message", tag)
    assert not verified(key, b"message", tag[:-1])
    assert not verified(key, b"message", b"")


@pytest.mark.parametrize("key", [b"", b"short"], ids=["empty", "short"])
def test_an_empty_or_short_key_authenticates_nobody(key: bytes) -> None:
    with pytest.raises(ValueError, match="key too short"):
        mac(key, b"message")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=100))
def test_base64url_comes_back(data: bytes) -> None:
    assert from_b64u(b64u(data)) == data


@pytest.mark.parametrize("text", ["=", "AA==", "A", "AB", "A+", "A/", "A A", "A\n", "ÄÄ", "AAB"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        from_b64u(text)


def test_sha256_is_sha256() -> None:
    assert sha256(b"abc").hex().startswith("ba7816bf8f01cfea")
