"""Tokens for tests, good ones and forged ones, with keys of every kind that the gateway reads."""

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Sign = Callable[[bytes], bytes]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def forge(header: Mapping[str, Any] | bytes, claims: object, sign: Sign) -> str:
    """Build a compact JWS from any header (also raw bytes) and any claims."""
    head = b64(header if isinstance(header, bytes) else json.dumps(header).encode())
    body = b64(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    return f"{head}.{body}.{b64(sign(f'{head}.{body}'.encode()))}"


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def ec_key(curve: str = "P-256", name: str = "a") -> ec.EllipticCurvePrivateKey:
    """One key per curve and name."""
    return _ec_key(curve, name)


@cache
def _ec_key(curve: str, _name: str) -> ec.EllipticCurvePrivateKey:
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}
    return ec.generate_private_key(curves[curve])


@cache
def ed_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def rsa_jwk(key: rsa.RSAPrivateKey, kid: str | None = "rsa", **extra: object) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **extra}
    return jwk if kid is None else {**jwk, "kid": kid}


def ec_jwk(
    key: ec.EllipticCurvePrivateKey, kid: str | None = "ec", crv: str | None = None, **extra: object
) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
    point = {"x": number(numbers.x, size), "y": number(numbers.y, size)}
    jwk = {"kty": "EC", "crv": crv or names[key.curve.name], **point, **extra}
    return jwk if kid is None else {**jwk, "kid": kid}


def ed_jwk(key: Ed25519PrivateKey, kid: str = "ed") -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw()), "kid": kid}


def sign_rs(key: rsa.RSAPrivateKey, digest: hashes.HashAlgorithm | None = None) -> Sign:
    return lambda message: key.sign(message, padding.PKCS1v15(), digest or hashes.SHA256())


def sign_ps(key: rsa.RSAPrivateKey, digest: hashes.HashAlgorithm | None = None, salt: int | None = None) -> Sign:
    chosen = digest or hashes.SHA256()
    scheme = padding.PSS(padding.MGF1(chosen), chosen.digest_size if salt is None else salt)
    return lambda message: key.sign(message, scheme, chosen)


def sign_es(key: ec.EllipticCurvePrivateKey, digest: hashes.HashAlgorithm | None = None) -> Sign:
    size = (key.key_size + 7) // 8

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest or hashes.SHA256())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def jwks(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()
