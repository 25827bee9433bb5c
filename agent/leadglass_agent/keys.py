"""Keys and JSON Web Signatures of the device (RFC 7515, RFC 7517, RFC 7518). The agent's one door to cryptography."""

import base64
import hashlib
import hmac
import os
from pathlib import Path
from typing import Any, Protocol

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_COORDINATE = 32  # bytes of a P-256 coordinate
_KEY_BYTES = 16 * 1024


def b64u(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """Decode base64url without padding. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


class DeviceKey(Protocol):
    """A P-256 key that stays with the device. A TPM key answers the same calls."""

    protection: str

    def sign(self, message: bytes) -> bytes:
        """Return r || s (64 bytes) of an ECDSA signature over SHA-256 of `message`."""
        ...

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        ...


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Return a P-256 public key as a JWK with exactly `kty`, `crv`, `x` and `y`."""
    numbers = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64u(numbers.x.to_bytes(_COORDINATE, "big")),
        "y": b64u(numbers.y.to_bytes(_COORDINATE, "big")),
    }


class SoftwareKey:
    """A device key in a file that its owner alone may read. Copied with the disk: a TPM is better."""

    protection = "software"

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def create(cls, file: Path) -> "SoftwareKey":
        """Make a key and write it to `file` (0600), which must not exist. Raises OSError."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(descriptor)
        return cls(key)

    @classmethod
    def load(cls, file: Path) -> "SoftwareKey":
        """Read the key in `file`. Raises OSError, and ValueError when others may read it or it is no such key."""
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            if os.fstat(descriptor).st_mode & 0o077:
                raise ValueError(f"{file} may be read by others; chmod 600 it, and enrol again if it ever was")
            pem = stream.read(_KEY_BYTES)
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):  # TypeError: it wants a password
            raise ValueError(f"{file} holds no key that can be read") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(f"{file} holds no P-256 key")  # noqa: TRY004 - the file is wrong, not the caller
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        """Return r || s of an ECDSA signature over SHA-256 of `message`."""
        r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        return public_jwk(self._key.public_key())


class SessionKey:
    """The key of one client certificate. It lives in memory; `pem` is what a TLS library takes."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def public_jwk(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        return public_jwk(self._key.public_key())

    @property
    def pem(self) -> bytes:
        """The private key, PKCS #8."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def jws(key: DeviceKey, claims: dict[str, Any], *, typ: str, kid: str | None = None) -> str:
    """Sign `claims` as a compact JWS with ES256; the header has exactly alg, typ and, when given, kid."""
    header = {"alg": "ES256", "typ": typ} | ({"kid": kid} if kid is not None else {})
    signed = f"{b64u(orjson.dumps(header))}.{b64u(orjson.dumps(claims))}"
    return f"{signed}.{b64u(key.sign(signed.encode('ascii')))}"


def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Derive `length` bytes with HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def mac(key: bytes, message: bytes) -> str:
    """Return b64u(HMAC-SHA256)."""
    return b64u(hmac.digest(key, message, "sha256"))


def same(first: str, second: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(first.encode(), second.encode())


def certificate_sha256(pem: str) -> bytes:
    """Return SHA-256 of a PEM certificate's DER. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def certificate_ends(pem: str) -> float:
    """Return when a PEM certificate ends, in seconds since the epoch. Raises ValueError."""
    return x509.load_pem_x509_certificate(pem.encode("ascii")).not_valid_after_utc.timestamp()
