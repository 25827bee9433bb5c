"""JWS of devices: ES256 in compact form (RFC 7515), strict, verified under a key that we already hold.

Nothing of the header is believed: `alg` and `typ` must be the ones expected, and a header with any other member
(`jwk`, `x5c`, `jku`, `crit`, ...) is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from leadglass.hazmat.jwk import strict_object
from leadglass.hazmat.mac import b64u, from_b64u, sha256
from leadglass.model.errors import LeadglassError

_COORDINATE_BYTES: Final = 32
_HEADER_CHARS: Final = 512
_JWK_MEMBERS: Final = frozenset({"kty", "crv", "x", "y"})


class InvalidStatement(LeadglassError):
    """What was signed cannot be believed. The text is for the record alone."""


class DeviceKey:
    """A P-256 public key. Two are equal when they are the same point."""

    def __init__(self, jwk: object) -> None:
        """Take a JWK with exactly kty, crv, x and y (RFC 7518 section 6.2.1). Raises InvalidStatement."""
        if not isinstance(jwk, Mapping) or set(jwk) != _JWK_MEMBERS or jwk["kty"] != "EC" or jwk["crv"] != "P-256":
            raise InvalidStatement("not a public P-256 JWK")
        try:
            x, y = (from_b64u(jwk[name]) if isinstance(jwk[name], str) else b"" for name in ("x", "y"))
            if len(x) != _COORDINATE_BYTES or len(y) != _COORDINATE_BYTES:
                raise InvalidStatement("a coordinate has not 32 bytes")
            numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1())
            self.public: EllipticCurvePublicKey = numbers.public_key()  # refuses points off the curve
        except ValueError:
            raise InvalidStatement("not a point of P-256") from None
        self.jwk: dict[str, str] = {"crv": "P-256", "kty": "EC", "x": b64u(x), "y": b64u(y)}

    @property
    def thumbprint(self) -> str:
        """The RFC 7638 thumbprint."""
        return b64u(sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceKey) and self.jwk == other.jwk

    def __hash__(self) -> int:
        return hash(self.jwk["x"])


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWS that has been taken apart and not been verified. `kid` and `payload` are claims of nobody yet."""

    kid: str | None
    payload: bytes
    signed: bytes
    signature: bytes

    def verify(self, key: DeviceKey) -> bytes:
        """Return the payload, now known to be signed by `key`. Raises InvalidStatement."""
        half = _COORDINATE_BYTES
        r, s = int.from_bytes(self.signature[:half]), int.from_bytes(self.signature[half:])
        try:
            key.public.verify(encode_dss_signature(r, s), self.signed, ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            raise InvalidStatement("signature") from None
        return self.payload


def _header(segment: str, typ: str, *, kid: bool) -> str | None:
    if len(segment) > _HEADER_CHARS:
        raise InvalidStatement("header too long")
    try:
        header = strict_object(from_b64u(segment))
    except ValueError:
        raise InvalidStatement("header is not JSON") from None
    wanted = {"alg", "typ", "kid"} if kid else {"alg", "typ"}
    if set(header) != wanted:
        raise InvalidStatement("header members")
    if header["alg"] != "ES256" or header["typ"] != typ:
        raise InvalidStatement("alg or typ")
    if not kid:
        return None
    if not isinstance(header["kid"], str):
        raise InvalidStatement("kid")
    return header["kid"]


def split(token: str, typ: str, *, kid: bool, limit: int) -> Unverified:
    """Take a compact JWS of at most `limit` characters apart. Raises InvalidStatement.

    Its header must be exactly `alg: ES256`, `typ`, and a `kid` if `kid` is True.
    """
    if len(token) > limit:
        raise InvalidStatement("too long")
    segments = token.split(".", 3)
    if len(segments) != 3:  # noqa: PLR2004 - header, payload, signature (RFC 7515 section 3.1)
        raise InvalidStatement("not three segments")
    name = _header(segments[0], typ, kid=kid)
    try:
        payload, signature = from_b64u(segments[1]), from_b64u(segments[2])
    except ValueError:
        raise InvalidStatement("not base64url") from None
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise InvalidStatement("signature length")
    return Unverified(name, payload, f"{segments[0]}.{segments[1]}".encode("ascii"), signature)
