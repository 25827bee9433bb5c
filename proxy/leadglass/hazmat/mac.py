"""Message authentication: HMAC-SHA256 (RFC 2104), compared in constant time, and base64url without padding."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import Final

KEY_BYTES: Final = 32
_B64U = re.compile(rb"[A-Za-z0-9_-]*")


def new_key() -> bytes:
    """Return a fresh random key of 32 bytes."""
    return secrets.token_bytes(KEY_BYTES)


def mac(key: bytes, message: bytes) -> bytes:
    """Return HMAC-SHA256 of `message`, 32 bytes. `key` has at least 16 bytes."""
    if len(key) < KEY_BYTES // 2:  # an empty key authenticates anybody (CVE-2026-49852 and its class)
        raise ValueError("key too short")
    return hmac.digest(key, message, "sha256")


def verified(key: bytes, message: bytes, tag: bytes) -> bool:
    """Return whether `tag` is the MAC of `message` under `key`, in constant time."""
    return hmac.compare_digest(mac(key, message), tag)


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of `data`."""
    return hashlib.sha256(data).digest()


def same(secret: bytes, digest: bytes | None) -> bool:
    """Return whether `digest` is SHA-256 of `secret`, in constant time."""
    return digest is not None and hmac.compare_digest(sha256(secret), digest)


def b64u(data: bytes) -> str:
    """Return `data` in base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64u(text: str) -> bytes:
    """Return the bytes that `text` stands for. Raises ValueError unless it is the one canonical spelling of them."""
    raw = text.encode("ascii", "replace")
    if not _B64U.fullmatch(raw):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if b64u(data) != text:  # leftover bits: two spellings of one value (Wycheproof JWS 360 - 375)
        raise ValueError("not canonical base64url")
    return data
