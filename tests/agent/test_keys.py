import hmac
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from leadglass_agent.keys import (
    SessionKey,
    SoftwareKey,
    b64u,
    certificate_ends,
    certificate_sha256,
    derive,
    jws,
    mac,
    same,
    unb64u,
)
from support.device import derive as derived
from support.fakegateway import Authority, jwk_key, read_jws

_PLAIN = serialization.NoEncryption()


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else _PLAIN
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def test_a_new_key_is_for_its_owner_alone_and_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "device.key"
    key = SoftwareKey.create(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SoftwareKey.load(file).public_jwk() == key.public_jwk()


def test_a_key_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    SoftwareKey.create(tmp_path / "device.key")
    with pytest.raises(FileExistsError):
        SoftwareKey.create(tmp_path / "device.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644], ids=oct)
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "device.key"
    SoftwareKey.create(file)
    file.chmod(mode)
    with pytest.raises(ValueError, match="chmod 600"):
        SoftwareKey.load(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "can be read", id="empty"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can be read", id="garbage"),
        pytest.param(pem(ec.generate_private_key(ec.SECP384R1())), "no P-256", id="another-curve"),
        pytest.param(pem(ed25519.Ed25519PrivateKey.generate()), "no P-256", id="another-kind"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256R1()), b"pw"), "can be read", id="encrypted"),
    ],
)
def test_what_is_no_key_of_ours_says_so(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "device.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ValueError, match=words):
        SoftwareKey.load(file)


def test_a_jws_has_exactly_its_header_and_verifies_under_its_key_alone(tmp_path: Path) -> None:
    key = SoftwareKey.create(tmp_path / "k")
    signed = jws(key, {"a": 1}, typ="x+jwt", kid="device")
    public = jwk_key(key.public_jwk())
    assert read_jws(signed, "x+jwt", public) == ({"alg": "ES256", "typ": "x+jwt", "kid": "device"}, {"a": 1})
    with pytest.raises(InvalidSignature):
        read_jws(signed, "x+jwt", jwk_key(SessionKey().public_jwk()))
    assert read_jws(jws(key, {}, typ="y"), "y", public)[0] == {"alg": "ES256", "typ": "y"}


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xfb\xff", b"abc", bytes(range(256))], ids=len)
def test_base64url_there_and_back(data: bytes) -> None:
    text = b64u(data)
    assert "=" not in text
    assert not set("+/") & set(text)
    assert unb64u(text) == data


@pytest.mark.parametrize("text", ["a", "!!", "é", "ab cd"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii.Error or ValueError, whichever Python raises
        unb64u(text)


def test_the_keys_of_a_code_are_those_of_the_other_side() -> None:
    secret, ca = bytes(range(16)), bytes(range(32))
    okm = derive(secret, ca, b"leadglass-enrolment-v1", 80)
    assert (okm[:16].hex(), okm[16:48], okm[48:]) == derived(secret, ca)


def test_a_mac_is_hmac_sha256() -> None:
    assert mac(b"k", b"m") == b64u(hmac.digest(b"k", b"m", "sha256"))
    assert same("a", "a")
    assert not same("a", "é")


def test_a_certificate_tells_its_hash_and_end() -> None:
    authority = Authority("a")
    assert certificate_sha256(authority.pem) == authority.sha256
    assert certificate_ends(authority.pem) == authority.certificate.not_valid_after_utc.timestamp()
    with pytest.raises(ValueError, match=r"."):
        certificate_ends("x")
