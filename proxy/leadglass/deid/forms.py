"""Elements as bytes (PS3.5 section 7.1) and their values as text, in each encoding: explicit or implicit VR, little or big endian."""

import struct
from typing import Final

from leadglass.codec.charset import read_text, write_text
from leadglass.codec.dataset import ITEM, ITEM_END, LONG_VRS, SEQUENCE_END, SHORT_VRS, UNDEFINED
from leadglass.deid.element import Element

SPELLED: Final = frozenset(b"LO LT PN SH ST UC UT".split())
"""VRs whose text is written in the Specific Character Set (PS3.5 section 6.1.2.3)."""
WHOLE: Final = frozenset(b"LT ST UR UT".split())
"""VRs whose value is one, whatever backslashes are in it."""
TEXTS: Final = SPELLED | frozenset(b"AE AS CS DA DS DT IS TM UI UR".split())
NUMBERS: Final = SHORT_VRS - TEXTS
_INTEGERS: Final = {b"US": "H", b"SS": "h", b"UL": "I", b"SL": "i", b"UV": "Q", b"SV": "q", b"AT": "I"}
_FLOATS: Final = {b"FL": "f", b"FD": "d"}
_LONGEST_SHORT: Final = 0xFFFE
_ESCAPE: Final = b"\x1b"


def values_of(raw: bytes, vr: bytes, character_set: bytes) -> list[str] | None:
    """Return the values of a text element without their padding, None when the bytes are no text in that character set."""
    if b"\x0e" in raw or b"\x0f" in raw:
        return None  # shifts to another set, which DICOM does not use and some read
    if raw.isascii() and _ESCAPE not in raw:
        whole = raw.decode("ascii")
    elif vr not in SPELLED:
        return None
    else:
        try:
            whole = read_text(raw, character_set)
        except ValueError:
            return None
    if vr in WHOLE:
        return [whole.rstrip(" \0")]
    return [one.strip(" \0") for one in whole.split("\\")]


class Form:
    """One encoding. `order` is "<" or ">"."""

    def __init__(self, *, explicit: bool, order: str) -> None:
        self.explicit, self.order = explicit, order
        self.unpack = struct.Struct(order + "HH2sH").unpack_from
        """Reads group, number, VR and length of a short element."""
        self.unpack_bracket = struct.Struct(order + "HHI").unpack_from
        """Reads group, number and length of an item, a delimiter, or an element without VR."""
        self.item = self.bracket(ITEM, UNDEFINED)
        self.item_end, self.sequence_end = self.bracket(ITEM_END), self.bracket(SEQUENCE_END)

    def head(self, tag: int, vr: bytes, length: int) -> bytes:
        """Return tag, VR and length of an element."""
        group, number = tag >> 16, tag & 0xFFFF
        if not self.explicit:
            return struct.pack("<HHI", group, number, length)
        if vr in LONG_VRS:
            return struct.pack(self.order + "HH2sHI", group, number, vr, 0, length)
        return struct.pack(self.order + "HH2sH", group, number, vr, length)

    def bracket(self, tag: int, length: int = 0) -> bytes:
        """Return an item or a delimiter."""
        return struct.pack(self.order + "HHI", tag >> 16, tag & 0xFFFF, length)

    def element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """Return an element with a value of even length."""
        if vr not in LONG_VRS and self.explicit and len(value) > _LONGEST_SHORT:
            value = b""
        return self.head(tag, vr, len(value)) + value

    def written(self, tag: int, vr: bytes, values: list[str] | None, character_set: bytes) -> bytes:
        """Return an element whose values are text, or numbers as text; without a value when they cannot be written."""
        return self.element(tag, vr, self._value(vr, values or [], character_set))

    def opened(self, tag: int, vr: bytes) -> bytes:
        """Return the head of a sequence of undefined length."""
        return self.head(tag, vr, UNDEFINED)

    def added(self, element: Element) -> bytes:
        """Return an attribute that was not there, its sequences with delimiters in place of lengths."""
        vr = element.vr.encode()
        if not element.items:
            return self.written(element.tag, vr, list(element.values), b"")
        items = [self.item + b"".join(map(self.added, item)) + self.item_end for item in element.items]
        return self.opened(element.tag, vr) + b"".join(items) + self.sequence_end

    def _value(self, vr: bytes, values: list[str], character_set: bytes) -> bytes:
        if not any(values):
            return b""
        whole = "\\".join(values)
        try:
            if vr in _INTEGERS:
                return b"".join(struct.pack(self.order + _INTEGERS[vr], int(one)) for one in values)
            if vr in _FLOATS:
                return b"".join(struct.pack(self.order + _FLOATS[vr], float(one)) for one in values)
            if vr in SPELLED:
                value = write_text(whole, character_set)
            else:
                value = whole.encode("ascii" if vr in TEXTS else "latin-1")
        except (ValueError, struct.error):
            return b""
        return value + (b" " if vr in TEXTS and vr != b"UI" else b"\0") * (len(value) % 2)
