"""Elements of a data set (PS3.5 section 7), read as bytes come in.

Everything here is a generator that yields whenever it needs more bytes: the code reads like that of a file, and the
caller feeds it chunks of any size.
"""

import struct
from collections.abc import Callable, Container, Generator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydicom.datadict import DicomDictionary

from leadglass.limits import NESTING_DEPTH, STORE_HEADER_BYTES
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

UNDEFINED: Final = 0xFFFFFFFF
SHORT_VRS: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DELIMITERS: Final = 0xFFFE
# What is a sequence though its VR is not told (implicit, or UN): archives know it from the same dictionary (PS3.6).
SEQUENCES: Final = frozenset(int(tag) for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
_FIRST_GROUP: Final = 0x0008
_KNOWN: Final = frozenset(DicomDictionary)
BRACKETS: Final = frozenset({b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"})
"""The tags of items and delimiters, as they stand in little endian."""
_HALVES: Final = frozenset({0xE000, 0xE00D, 0xE0DD})

Step: TypeAlias = Generator[None, None, None]


def unreadable(detail: str) -> Refusal:
    """Make the refusal of a file whose beginning cannot be read."""
    return refuse(Code.STORE_UNREADABLE, detail)


def may_open(tag: int, length: int) -> bool:
    """Return whether an element without VR is a sequence to some, so that one of BRACKETS in its value has to agree.

    Archives have dictionaries of private tags, too, and read a value by them: one that begins with a delimiter ends at
    once, and the rest of it would be elements of the data set, another patient's or study's (Orthanc, tried). Raises
    Refusal for a group that makes a delimiter of the two bytes before it.
    """
    if tag >> 16 in _HALVES:
        raise unreadable("a group that reads as half of a delimiter")
    return tag not in _KNOWN and 2 < length != UNDEFINED  # noqa: PLR2004 - shorter ones hold no bracket


class Cursor:
    """A position in bytes that grow. `more` fetches what can be had without waiting and says whether there was any."""

    def __init__(self, data: bytearray, more: Callable[[], bool] = lambda: False) -> None:
        self.data, self.at = data, 0
        self._more = more

    def need(self, count: int) -> Step:
        """Wait until `count` bytes follow the position. Raises Refusal beyond STORE_HEADER_BYTES."""
        if self.at + count > STORE_HEADER_BYTES:
            raise unreadable(f"no (0020,000E) within {STORE_HEADER_BYTES} bytes")
        while len(self.data) < self.at + count:
            if not self._more():
                yield

    def tag(self, order: str) -> Generator[None, None, int]:
        """Read the next tag without stepping over it."""
        yield from self.need(8)
        group, element = struct.unpack_from(order + "HH", self.data, self.at)
        return int(group) << 16 | int(element)

    def header(self, order: str, *, explicit: bool) -> Generator[None, None, tuple[bytes, int]]:
        """Step over tag, VR and length; return (VR, length), with VR `UN` where it is implicit."""
        yield from self.need(8)
        length: int
        if not explicit:
            (length,) = struct.unpack_from(order + "I", self.data, self.at + 4)
            self.at += 8
            return b"UN", length
        vr = bytes(self.data[self.at + 4 : self.at + 6])
        if vr in SHORT_VRS:
            (length,) = struct.unpack_from(order + "H", self.data, self.at + 6)
            self.at += 8
        elif vr in LONG_VRS:
            yield from self.need(12)
            (length,) = struct.unpack_from(order + "I", self.data, self.at + 8)
            self.at += 12
        else:
            raise unreadable("unknown value representation")
        return vr, length

    def begins(self, brackets: Container[bytes]) -> bool:
        """Return whether one of `brackets`, of four bytes each, is what comes next."""
        return bytes(self.data[self.at : self.at + 4]) in brackets

    def value(self, length: int) -> Generator[None, None, bytes]:
        """Read a value of `length` bytes and step over it."""
        if length == UNDEFINED or length % 2:
            raise unreadable("odd or undefined length")
        yield from self.need(length)
        start, self.at = self.at, self.at + length
        return bytes(self.data[start : self.at])


@dataclass(slots=True)
class _Frame:
    """An open sequence or item: where it ends (None when a delimiter ends it), and how what is in it is written."""

    item: bool
    end: int | None
    explicit: bool


class DataSet:
    """The elements of one data set in ascending order."""

    def __init__(self, cursor: Cursor, *, explicit: bool, order: str) -> None:
        self._cursor, self._explicit, self._order = cursor, explicit, order
        self._open: list[_Frame] = []

    def read(self, wanted: Mapping[int, bytes], last: int) -> Generator[None, None, dict[int, bytes]]:
        """Return the values of `wanted` (tag -> VR) by tag, having read up to and with the tag `last`.

        Raises Refusal when an element comes twice or out of order, `last` never comes, lengths do not agree, or a wanted
        element says that it is of another VR: an archive makes numbers of text that is called US (tried).
        """
        found: dict[int, bytes] = {}
        cursor, before = self._cursor, (_FIRST_GROUP << 16) - 1
        while before < last:
            tag = yield from cursor.tag(self._order)
            if tag <= before:
                raise unreadable("element twice, out of order or of a group that no data set has")
            if tag > last:
                raise unreadable(f"no ({last >> 16:04X},{last & 0xFFFF:04X})")
            before = tag
            vr, length = yield from cursor.header(self._order, explicit=self._explicit)
            if tag in wanted and vr not in {wanted[tag], b"UN"}:  # UN is how implicit ones stand here, too
                raise unreadable(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) of another value representation")
            if (yield from self._is_sequence(tag, vr, length, explicit=self._explicit)):
                if tag in wanted:
                    raise unreadable("sequence where a value belongs")
                yield from self._skip_sequence(vr, length)
                continue
            value = yield from cursor.value(length)
            if tag in wanted:
                found[tag] = value
        return found

    def _skip_sequence(self, vr: bytes, length: int) -> Step:
        """Step over a sequence and everything in it, checking that its lengths and delimiters agree."""
        self._enter_sequence(vr, length, explicit=self._explicit)
        while self._open:
            top = self._open[-1]
            if top.end is not None and self._cursor.at >= top.end:
                if self._cursor.at > top.end:
                    raise unreadable("sequence or item longer than it says")
                self._open.pop()
                continue
            tag = yield from self._cursor.tag(self._order)
            if top.item and tag >> 16 != DELIMITERS:
                yield from self._skip_element(tag, top)
            else:
                _, length = yield from self._cursor.header(self._order, explicit=False)
                self._delimit(tag, length, top)

    def _is_sequence(self, tag: int, vr: bytes, length: int, *, explicit: bool) -> Generator[None, None, bool]:
        if not explicit and may_open(tag, length):
            yield from self._cursor.need(4)
            return self._cursor.begins(BRACKETS)
        named = vr == b"SQ" or (vr == b"UN" and tag in SEQUENCES and self._order == "<")
        return length == UNDEFINED or (named and length > 0)

    def _skip_element(self, tag: int, top: _Frame) -> Step:
        vr, length = yield from self._cursor.header(self._order, explicit=top.explicit)
        if (yield from self._is_sequence(tag, vr, length, explicit=top.explicit)):
            self._enter_sequence(vr, length, explicit=top.explicit)
        else:
            yield from self._cursor.value(length)

    def _delimit(self, tag: int, length: int, top: _Frame) -> None:
        if tag == ITEM and not top.item:
            self._enter(item=True, length=length, explicit=top.explicit)
        elif tag == (ITEM_END if top.item else SEQUENCE_END) and top.end is None and length == 0:
            self._open.pop()
        else:
            raise unreadable("stray item, delimiter or element in a sequence")

    def _enter_sequence(self, vr: bytes, length: int, *, explicit: bool) -> None:
        if explicit and vr == b"UN":  # its items are Implicit VR Little Endian (PS3.5 section 6.2.2)
            if self._order == ">":
                raise unreadable("UN of undefined length in Big Endian")
            explicit = False
        elif explicit and vr != b"SQ":
            raise unreadable("undefined length where there is no sequence")
        self._enter(item=False, length=length, explicit=explicit)

    def _enter(self, *, item: bool, length: int, explicit: bool) -> None:
        if len(self._open) >= 2 * NESTING_DEPTH:  # a sequence and its item are two
            raise unreadable(f"sequences nested deeper than {NESTING_DEPTH}")
        self._open.append(_Frame(item, None if length == UNDEFINED else self._cursor.at + length, explicit))
