"""Sealing files under a passphrase: scrypt (RFC 7914) and AES-256-GCM (NIST SP 800-38D)."""

import base64
import os
from collections.abc import Mapping
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_COST: Final = {"n": 2**17, "r": 8, "p": 1}  # OWASP password storage cheat sheet: N=2^17, r=8, p=1
_FORMAT: Final = "leadglass-keys-v1"
_MIN_CHARS: Final = 12


def derived(passphrase: str, salt: bytes) -> bytes:
    """Return the AES-256 key of a passphrase. Raises ValueError for one under 12 characters."""
    if len(passphrase) < _MIN_CHARS:
        raise ValueError(f"a passphrase has at least {_MIN_CHARS} characters")
    return Scrypt(salt=salt, length=32, **_COST).derive(passphrase.encode())


def seal(files: Mapping[str, bytes], passphrase: str) -> dict[str, str]:
    """Return the files (path -> bytes) sealed. Raises ValueError for no files or a passphrase under 12 characters."""
    if not files:
        raise ValueError("there are no keys yet")
    salt, nonce = os.urandom(16), os.urandom(12)
    plain = orjson.dumps({path: base64.b64encode(data).decode() for path, data in files.items()})
    box = AESGCM(derived(passphrase, salt)).encrypt(nonce, plain, _FORMAT.encode())
    encoded = {
        name: base64.b64encode(value).decode() for name, value in (("salt", salt), ("nonce", nonce), ("box", box))
    }
    return {"format": _FORMAT, **encoded}


def unseal(sealed: Mapping[str, str], passphrase: str) -> dict[str, bytes]:
    """Return what `seal` took. Raises ValueError for a wrong passphrase or a file that was changed."""
    try:
        salt, nonce, box = (base64.b64decode(sealed[name], validate=True) for name in ("salt", "nonce", "box"))
        plain = AESGCM(derived(passphrase, salt)).decrypt(nonce, box, sealed["format"].encode())
    except (KeyError, InvalidTag) as error:
        raise ValueError("wrong passphrase, or the file was changed") from error
    return {path: base64.b64decode(data) for path, data in orjson.loads(plain).items()}
