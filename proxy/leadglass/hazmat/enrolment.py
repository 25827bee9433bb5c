"""Enrolment codes: what an administrator hands to a person, and the keys both sides derive from it.

The code carries 128 random bits and the SHA-256 of the device CA certificate, so that the first contact is
authenticated both ways whatever the network does (docs/device-protocol.md). HKDF is RFC 5869.
"""

import base64
import secrets
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadglass.hazmat.mac import sha256

_PREFIX: Final = "LG1"
_SECRET_BYTES: Final = 16
_SUM_BYTES: Final = 2
_GROUP: Final = 5
_KEYS_BYTES: Final = 80
_INFO: Final = b"leadglass-enrolment-v1"
_SUM_INFO: Final = b"leadglass-code-v1"


@dataclass(frozen=True, slots=True)
class CodeKeys:
    """What the gateway keeps of a code: its public name (32 hex digits), and a key for each direction."""

    code_id: str
    request_key: bytes
    reply_key: bytes


@dataclass(frozen=True, slots=True)
class Code:
    """A one-time code. `text` is shown once; `ca` is SHA-256 of the device CA certificate."""

    text: str
    ca: bytes
    keys: CodeKeys


def _derive(secret: bytes, ca: bytes) -> CodeKeys:
    okm = HKDF(algorithm=SHA256(), length=_KEYS_BYTES, salt=ca, info=_INFO).derive(secret)
    return CodeKeys(okm[:16].hex(), okm[16:48], okm[48:])


def _sum(body: bytes) -> bytes:
    return sha256(_SUM_INFO + body)[:_SUM_BYTES]


def new_code(ca: bytes) -> Code:
    """Make a code for the gateway whose device CA certificate has the SHA-256 `ca`."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    body = secret + ca
    letters = base64.b32encode(body + _sum(body)).decode("ascii")
    groups = [letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP)]
    return Code("-".join([_PREFIX, *groups]), ca, _derive(secret, ca))
