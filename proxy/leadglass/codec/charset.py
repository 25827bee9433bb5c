"""Text of a data set by its Specific Character Set (PS3.3 section C.12.1.1.2, PS3.5 section 6.1)."""

import re
import warnings
from functools import lru_cache

from pydicom.charset import decode_bytes, encode_string, python_encoding

from leadglass.limits import CHARACTER_SETS

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_DELIMITERS = {0x5C, 0x0D, 0x0A, 0x09, 0x0C}  # where ISO 2022 returns to the first set (PS3.5 section 6.1.2.5.3)


def decode(value: bytes, character_set: bytes) -> str | None:
    """Return one value as text without its padding, None when it is empty.

    Raises ValueError when the bytes are not text in that character set, hold more than one value or a control.
    """
    value = value.strip(b" \0")
    if not value:
        return None
    if value.isascii() and b"\x1b" not in value:
        text = value.decode("ascii")
    else:
        text = _decode(value, character_set).strip(" \0")
    if "\\" in text or _CONTROL.search(text):
        raise ValueError("more than one value or a control character")
    return text or None


def read_text(value: bytes, character_set: bytes) -> str:
    """Return bytes as text, with all values, controls and padding in it.

    Raises ValueError when they are no text in that character set.
    """
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    return _decode(value, character_set)


def write_text(text: str, character_set: bytes) -> bytes:
    """Return text in a character set. Raises ValueError when it cannot be written in it."""
    if text.isascii() and "\x1b" not in text:
        return text.encode("ascii")
    known = _encodings(character_set)
    if len(known) == 1:
        return text.encode(known[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            encoded: bytes = encode_string(text, known)
        except (LookupError, UserWarning) as error:
            raise ValueError("text that is not of the character set") from error
    if read_text(encoded, character_set) != text:  # sets that are switched where DICOM switches back
        raise ValueError("text that is not of the character set")
    return encoded


def is_known(character_set: bytes) -> bool:
    """Return whether every defined term of a Specific Character Set is known; an absent one is."""
    try:
        return bool(_encodings(character_set))
    except ValueError:
        return False


@lru_cache(maxsize=CHARACTER_SETS)
def _encodings(character_set: bytes) -> tuple[str, ...]:
    names = [part.strip(b" \0").decode("latin-1") for part in character_set.split(b"\\")]
    encodings = [python_encoding.get(name) for name in names]
    if None in encodings:
        raise ValueError("unknown character set")
    return tuple(encoding for encoding in encodings if encoding is not None)


def _decode(value: bytes, character_set: bytes) -> str:
    if not character_set.strip(b" \0"):
        # The default repertoire is ASCII (PS3.5 section 6.1.2.1); what an archive makes of more than that is its own guess.
        raise ValueError("bytes that need a character set, and none is named")
    known = _encodings(character_set)
    try:
        if len(known) == 1 and b"\x1b" not in value:
            return value.decode(known[0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pydicom warns, and replaces what it cannot decode
            text: str = decode_bytes(value, known, _DELIMITERS)
    except (LookupError, UnicodeError, UserWarning) as error:
        raise ValueError("bytes that are not of the character set") from error
    if "\ufffd" in text or "\x1b" in text:
        raise ValueError("bytes that are not of the character set")
    return text
