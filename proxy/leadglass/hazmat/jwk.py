"""JSON Web Keys: public keys of others, read strictly (RFC 7517, RFC 7518 section 6, RFC 8037).

A key is bound to the algorithms of its own type and curve when it is read, so that no header can choose another
(RFC 8725 section 3.1). A set with a symmetric or a private key in it is refused whole: whoever published it has
published a secret. Keys that this gateway has no use for (encryption, unknown curves) or cannot trust (RSA below 2048
bits, small exponents, the ROCA fingerprint) are left out and named in `KeySet.skipped`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeAlias

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from leadglass.hazmat.mac import b64u, from_b64u, sha256
from leadglass.limits import JWKS_BYTES, JWKS_KEYS, KEY_ID_CHARS
from leadglass.model.errors import LeadglassError

RSA_BITS: Final = (2048, 8192)  # NIST SP 800-131A; above 8192 a verification costs milliseconds
RSA_EXPONENT_BITS: Final = 64  # OPENSSL_RSA_MAX_PUBEXP_BITS
RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_CURVES: Final[Mapping[str, tuple[EllipticCurve, int, str]]] = {  # name -> curve, bytes of a coordinate, algorithm
    "P-256": (SECP256R1(), 32, "ES256"),
    "P-384": (SECP384R1(), 48, "ES384"),
    "P-521": (SECP521R1(), 66, "ES512"),
}


class InvalidToken(LeadglassError):
    """A token, signature or key that is not accepted. `cause` goes to the record, never to whoever sent it."""

    def __init__(self, cause: str) -> None:
        super().__init__("invalid token")
        self.cause = cause


class InvalidKeySet(LeadglassError):
    """A key set that cannot be used at all, and why."""


class _Unusable(Exception):
    """One key that is left out of its set, and why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key, the algorithms it may verify, and its `kid` (None when it has none)."""

    kid: str | None
    algorithms: frozenset[str]
    public: PublicKey = field(compare=False, repr=False)
    thumbprint: str  # RFC 7638, SHA-256, base64url


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one publisher. Two sets are equal when they hold the same keys under the same names."""

    keys: frozenset[Key]
    skipped: tuple[str, ...] = field(compare=False, default=())

    def select(self, kid: str | None, algorithm: str) -> Key:
        """Return the one key for this `kid` and algorithm. Raises InvalidToken `key unknown` or `key ambiguous`.

        Without a `kid` the set must hold exactly one key that fits: keys are never tried in turn.
        """
        fitting = [key for key in self.keys if algorithm in key.algorithms and (kid is None or key.kid == kid)]
        if not fitting:
            raise InvalidToken("key unknown")
        if len(fitting) > 1:
            raise InvalidToken("key ambiguous")
        return fitting[0]

    def knows(self, kid: str) -> bool:
        """Return whether any key goes by this name."""
        return any(key.kid == kid for key in self.keys)


def strict_object(data: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError for duplicate names, NaN, bad UTF-8, lone surrogates or another value.

    RFC 8725 section 2.4 and RFC 7515 section 4: names must be unique, since parsers disagree on which one counts.
    """
    value = orjson.loads(data)  # refuses NaN, bad UTF-8, lone surrogates and deep nesting, but takes duplicates
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for bad input
    try:
        json.loads(data, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("duplicate name")


def parse_key_set(data: bytes) -> KeySet:
    """Read a JWKS document. Raises InvalidKeySet when it is not one, holds a secret, or holds no usable key."""
    if len(data) > JWKS_BYTES:
        raise InvalidKeySet(f"larger than {JWKS_BYTES} bytes")
    try:
        document = strict_object(data)
    except ValueError as error:
        raise InvalidKeySet(f"not JSON: {error}") from None
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > JWKS_KEYS:
        raise InvalidKeySet(f"has no list of at most {JWKS_KEYS} keys")
    keys: set[Key] = set()
    skipped: list[str] = []
    for place, jwk in enumerate(listed):
        if not isinstance(jwk, dict):
            raise InvalidKeySet(f"key {place} is not an object")
        if jwk.get("kty") == "oct" or "k" in jwk:
            raise InvalidKeySet(f"key {place} is symmetric")
        if "d" in jwk:
            raise InvalidKeySet(f"key {place} is a private key")
        try:
            keys.add(_read_key(jwk))
        except _Unusable as error:
            skipped.append(f"key {place}: {error}")
    if not keys:
        raise InvalidKeySet("; ".join(["holds no usable key", *skipped]))
    return KeySet(frozenset(keys), tuple(skipped))


def parse_public_key(jwk: Mapping[str, Any]) -> Key:
    """Read one JWK that stands by itself, such as a device's. Raises InvalidToken with the cause."""
    if jwk.get("kty") == "oct" or "k" in jwk or "d" in jwk:
        raise InvalidToken("key is not public")
    try:
        return _read_key(jwk)
    except _Unusable as error:
        raise InvalidToken(f"key {error}") from None


def _read_key(jwk: Mapping[str, Any]) -> Key:
    """Read one public JWK that is no secret. Raises _Unusable."""
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= KEY_ID_CHARS):
        raise _Unusable("kid is not a short string")
    if jwk.get("use", "sig") != "sig":
        raise _Unusable("is not for signatures")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Unusable("is not for verification")
    kind = jwk.get("kty")
    try:
        public, algorithms, members = _READERS[kind](jwk) if isinstance(kind, str) else (None, frozenset(), ())
    except KeyError:
        public, algorithms, members = None, frozenset(), ()
    except (ValueError, UnsupportedAlgorithm):
        raise _Unusable("has impossible numbers") from None
    if public is None:
        raise _Unusable("is of an unknown type or curve")
    if "alg" in jwk:
        algorithms = algorithms & {jwk["alg"]} if isinstance(jwk["alg"], str) else frozenset()
    if not algorithms:
        raise _Unusable("names an algorithm that does not fit it")
    canonical = json.dumps({name: jwk[name] for name in members}, sort_keys=True, separators=(",", ":"))
    return Key(kid, algorithms, public, b64u(sha256(canonical.encode())))


_Read: TypeAlias = tuple[PublicKey | None, frozenset[str], tuple[str, ...]]
_UNKNOWN: Final[_Read] = (None, frozenset(), ())


def _octets(jwk: Mapping[str, Any], name: str, length: int | None = None) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise ValueError(f"no {name}")  # noqa: TRY004 - one kind of error for bad input
    data = from_b64u(value)
    if not data or (length is not None and len(data) != length):
        raise ValueError(f"{name} has a wrong length")
    return data


def _read_rsa(jwk: Mapping[str, Any]) -> _Read:
    modulus, exponent = _octets(jwk, "n"), _octets(jwk, "e")
    if modulus[0] == 0 or exponent[0] == 0:
        raise ValueError("leading zero octets")  # RFC 7518 section 6.3.1: the minimum number of octets
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if not RSA_BITS[0] <= n.bit_length() <= RSA_BITS[1]:
        raise _Unusable(f"is RSA of {n.bit_length()} bits, not {RSA_BITS[0]} to {RSA_BITS[1]}")
    if e < 3 or e % 2 == 0 or e.bit_length() > RSA_EXPONENT_BITS:  # noqa: PLR2004 - the smallest odd exponent above 1
        raise _Unusable("is RSA with an unsafe exponent")
    if _roca(n):
        raise _Unusable("is RSA with the ROCA weakness (CVE-2017-15361)")
    return RSAPublicNumbers(e, n).public_key(), RSA_ALGORITHMS, ("e", "kty", "n")


def _read_ec(jwk: Mapping[str, Any]) -> _Read:
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in _CURVES:
        return _UNKNOWN
    curve, length, algorithm = _CURVES[name]
    x, y = (int.from_bytes(_octets(jwk, axis, length), "big") for axis in ("x", "y"))
    # public_key() raises ValueError for a point that is not on the curve
    return EllipticCurvePublicNumbers(x, y, curve).public_key(), frozenset({algorithm}), ("crv", "kty", "x", "y")


def _read_okp(jwk: Mapping[str, Any]) -> _Read:
    if jwk.get("crv") != "Ed25519":
        return _UNKNOWN
    return Ed25519PublicKey.from_public_bytes(_octets(jwk, "x", 32)), frozenset({"EdDSA"}), ("crv", "kty", "x")


_READERS: Final = {"RSA": _read_rsa, "EC": _read_ec, "OKP": _read_okp}


@cache
def _roca_residues() -> tuple[tuple[int, frozenset[int]], ...]:
    """For each odd prime up to 167, the residues that a modulus built from powers of 65537 can have."""
    primes = [p for p in range(3, 168, 2) if all(p % q for q in range(3, p, 2))]
    table = []
    for prime in primes:
        residues, value = {1}, 65537 % prime
        while value not in residues:
            residues.add(value)
            value = value * 65537 % prime
        table.append((prime, frozenset(residues)))
    return tuple(table)


def _roca(modulus: int) -> bool:
    """Whether both factors look like k * M + (65537^a mod M) of the flawed Infineon generator (Nemec et al., 2017)."""
    return all(modulus % prime in residues for prime, residues in _roca_residues())
