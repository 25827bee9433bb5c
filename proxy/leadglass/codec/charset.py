"""Text of a data set by its Specific Character Set (PS3.3 section C.12.1.1.2, PS3.5 section 6.1)."""

import re
import warnings

from pydicom.charset import decode_bytes, python_encoding

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


def _decode(value: bytes, character_set: bytes) -> str:
    if not character_set.strip(b" \0"):
        # The default repertoire is ASCII (PS3.5 section 6.1.2.1); what an archive makes of more than that is its own guess.
        raise ValueError("bytes that need a character set, and none is named")
    names = [part.strip(b" \0").decode("latin-1") for part in character_set.split(b"\\")]
    encodings = [python_encoding.get(name) for name in names]
    if None in encodings:
        raise ValueError("unknown character set")
    known = [encoding for encoding in encodings if encoding is not None]
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
