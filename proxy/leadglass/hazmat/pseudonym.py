"""Pseudonyms: HMAC-SHA-256 (RFC 2104) of what they stand for, each kind in its own domain.

Without the key nobody can try out which patient a pseudonym is of, as a plain hash lets anybody do: PatientIDs are short.
"""

import hmac
import re
import struct
from typing import Final

from leadglass.hazmat.mac import KEY_BYTES

_DOMAIN: Final = b"leadglass-pseudonym-v1\0"
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KINDS: Final = 1_000  # beginnings remembered; a standard has some hundred identifiers
_LENGTH: Final = struct.Struct(">I")
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no letter that is read as another
_NAME: Final = 16  # letters, 80 bits: as many as an AccessionNumber may have (SH, PS3.5 section 6.2)
_VERSION: Final = 0x8 << 76  # RFC 9562 section 5.8: a UUID of one's own making
_VARIANT: Final = 0x2 << 62
_CLEARED: Final = (1 << 128) - 1 - (0xF << 76) - (0x3 << 62)
PREFIX: Final = "2.25."


class Pseudonymiser:
    """Makes pseudonyms under one key of 32 bytes. The same input gives the same pseudonym, in any process."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._key = key
        self._kinds: dict[str, bytes] = {}

    def _digest(self, kind: str, *parts: str) -> bytes:
        message = self._kinds.get(kind) or self._kind(kind)
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            message += _LENGTH.pack(len(data)) + data
        return hmac.digest(self._key, message, "sha256")

    def _kind(self, kind: str) -> bytes:
        """Return how a message of that kind begins. Each part has its length: ("a", "bc") is not ("ab", "c")."""
        if not _KIND.fullmatch(kind):
            raise ValueError("no name of a kind")
        if len(self._kinds) >= _KINDS:
            self._kinds.clear()
        data = kind.encode("ascii")
        return self._kinds.setdefault(kind, _DOMAIN + _LENGTH.pack(len(data)) + data)

    def uid(self, uid: str) -> str:
        """Return the UID that stands for `uid`: 2.25 and a UUID in decimal (PS3.5 section B.2)."""
        value = int.from_bytes(self._digest("uid", uid)[:16], "big")
        return f"{PREFIX}{value & _CLEARED | _VERSION | _VARIANT}"

    def name(self, kind: str, *parts: str) -> str:
        """Return 16 letters and digits that stand for an identifier of that kind. Raises ValueError for a bad kind."""
        value = int.from_bytes(self._digest(kind, *parts)[:10], "big")
        return "".join(_LETTERS[value >> shift & 31] for shift in range(5 * (_NAME - 1), -1, -5))

    def days(self, largest: int, *parts: str) -> int:
        """Return a number of days from -largest to largest, never 0. Raises ValueError unless `largest` is positive."""
        if largest < 1:
            raise ValueError("a shift of no days is none")
        drawn = int.from_bytes(self._digest("shift", *parts)[:16], "big") % (2 * largest)
        return drawn - largest if drawn < largest else drawn - largest + 1


def is_made(uid: str) -> bool:
    """Whether `uid` may be one that `Pseudonymiser.uid` made. Quick: most UIDs, and most under 2.25, are not."""
    if not uid.startswith(PREFIX):
        return False
    digits = uid[len(PREFIX) :]
    if not (17 < len(digits) <= 39 and digits.isascii() and digits.isdigit() and digits[0] != "0"):  # noqa: PLR2004 - of 2**128
        return False
    value = int(digits)
    return value >> 76 & 0xF == 0x8 and value >> 62 & 0x3 == 0x2 and value < 1 << 128  # noqa: PLR2004 - RFC 9562
