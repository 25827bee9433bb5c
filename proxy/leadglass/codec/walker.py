"""The elements of a data set as they pass (PS3.5 section 7): their order, lengths and nesting, and no value of them.

A walk holds the head of one element at most, however long the file is. What does not agree with itself is refused
before its last byte has gone on, so that no archive is handed the end of a file that would be read in two ways, or
that is nested deeper than its parser's stack.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leadglass.codec.dataset import (
    BRACKETS,
    DELIMITERS,
    ITEM,
    ITEM_END,
    LONG_VRS,
    SEQUENCE_END,
    SEQUENCES,
    SHORT_VRS,
    UNDEFINED,
    may_open,
    unreadable,
)
from leadglass.limits import NESTING_DEPTH, STORE_ELEMENTS, STORE_INFLATED_BYTES, WALK_STEP_BYTES, WALK_STEP_ELEMENTS

_PIXEL_DATA: Final = 0x7FE00010
_SHORTEST_HEAD: Final = 8
_LONGEST_HEAD: Final = 12
_BEHIND: Final = 9  # the checksum and length of gzip, which some write, and a byte that makes the length even


@dataclass(slots=True)
class _Frame:
    """An open sequence, item or row of fragments: where it ends (None when a delimiter does), how what is in it is written.

    `holds` is what may stand in it: elements (in an item), items, or fragments of encapsulated pixel data (PS3.5 A.4).
    """

    holds: str
    end: int | None
    explicit: bool


class Walker:
    """Walks on from an element boundary. `before` is the tag that came last; all that follow must be greater.

    `order` is "<" or ">". `elements` counts elements, items and delimiters seen so far. Every method raises Refusal
    `store-unreadable`; after that, feed no more.
    """

    def __init__(self, *, explicit: bool, order: str, before: int) -> None:
        self._explicit, self._before = explicit, before
        self._little = order == "<"
        self._tag, self._short, self._long = (struct.Struct(order + form) for form in ("HH", "H", "I"))
        self._open: list[_Frame] = []
        self._at = 0  # of the next byte that is not stepped over, from where the walk began
        self._skip = 0  # bytes of a value that are yet to come
        self._held = b""
        self.elements = 0
        self._turn = 0  # of the elements, those after which others had theirs

    def steps(self, data: bytes) -> Iterator[None]:
        """Take the next bytes, with a stop wherever others should have their turn: what is all heads is slow to walk."""
        for start in range(0, len(data), WALK_STEP_BYTES):
            self.feed(data[start : start + WALK_STEP_BYTES])
            if self.elements - self._turn > WALK_STEP_ELEMENTS:
                self._turn = self.elements
                yield

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._held:
            data, self._held = self._held + data, b""
        at, end = 0, len(data)
        while True:
            if self._skip:
                step = min(self._skip, end - at)
                at += step
                self._at += step
                self._skip -= step
                if self._skip:
                    return
            self._close()
            used = self._head(data, at) if end - at >= _SHORTEST_HEAD else 0
            if not used:
                self._held = data[at:]
                return
            at += used

    def finish(self) -> None:
        """Say that the file has ended. Raises Refusal when it ended within an element or a sequence."""
        self._close()
        if self._held or self._skip or self._open:
            raise unreadable("the file ends within an element")

    def _close(self) -> None:
        """Close what has ended by its length."""
        while self._open:
            end = self._open[-1].end
            if end is None or self._at < end:
                return
            self._open.pop()

    def _head(self, data: bytes, at: int) -> int:
        """Read the head of what comes next, and return its length; 0 when more bytes are needed."""
        group, number = self._tag.unpack_from(data, at)
        frame = self._open[-1] if self._open else None
        if group == DELIMITERS or (frame is not None and frame.holds != "elements"):
            (length,) = self._long.unpack_from(data, at + 4)
            self._count(_SHORTEST_HEAD)
            self._delimit(group << 16 | number, length, frame)
            return _SHORTEST_HEAD
        explicit = self._explicit if frame is None else frame.explicit
        tag = group << 16 | number
        vr, length, used = self._vr(data, at) if explicit else self._implicit(tag, data, at)
        if not used:
            return 0
        self._count(used)
        if frame is None:
            if tag <= self._before:
                raise unreadable(f"({group:04X},{number:04X}) twice or out of order")
            self._before = tag
        self._value(tag, vr, length, explicit=explicit)
        return used

    def _count(self, used: int) -> None:
        self._at += used
        self.elements += 1
        if self.elements > STORE_ELEMENTS:
            raise unreadable(f"more than {STORE_ELEMENTS} elements")

    def _implicit(self, tag: int, data: bytes, at: int) -> tuple[bytes, int, int]:
        """Return what stands for a VR, length and size of an implicit head; a size of 0 when more bytes are needed."""
        (length,) = self._long.unpack_from(data, at + 4)
        if not may_open(tag, length):
            return b"UN", length, _SHORTEST_HEAD
        if len(data) - at < _LONGEST_HEAD:
            return b"UN", length, 0
        opens = data[at + _SHORTEST_HEAD : at + _LONGEST_HEAD] in BRACKETS
        return b"SQ" if opens else b"UN", length, _SHORTEST_HEAD

    def _vr(self, data: bytes, at: int) -> tuple[bytes, int, int]:
        """Return VR, length and size of an explicit head; a size of 0 when more bytes are needed."""
        vr = data[at + 4 : at + 6]
        if vr in SHORT_VRS:
            return vr, self._short.unpack_from(data, at + 6)[0], _SHORTEST_HEAD
        if vr not in LONG_VRS:
            raise unreadable("unknown value representation")
        if len(data) - at < _LONGEST_HEAD:
            return vr, 0, 0
        return vr, self._long.unpack_from(data, at + 8)[0], _LONGEST_HEAD

    def _value(self, tag: int, vr: bytes, length: int, *, explicit: bool) -> None:
        """Step over a value, or into a sequence."""
        if length == UNDEFINED and tag == _PIXEL_DATA and vr in {b"OB", b"OW"}:
            self._enter("fragments", length, explicit=explicit)
        elif length == UNDEFINED or vr == b"SQ" or (vr == b"UN" and tag in SEQUENCES and self._little):
            if explicit and vr == b"UN":  # its items are Implicit VR Little Endian (PS3.5 section 6.2.2)
                if not self._little:
                    raise unreadable("UN of undefined length in Big Endian")
                explicit = False
            elif explicit and vr != b"SQ":
                raise unreadable("undefined length where there is no sequence")
            self._enter("items", length, explicit=explicit)
        else:
            self._step_over(length)

    def _delimit(self, tag: int, length: int, frame: _Frame | None) -> None:
        if frame is None:
            raise unreadable("an item or a delimiter outside of a sequence")
        if tag == ITEM and frame.holds == "items":
            self._enter("elements", length, explicit=frame.explicit)
        elif tag == ITEM and frame.holds == "fragments" and length != UNDEFINED:
            self._step_over(length)
        elif frame.end is None and length == 0 and tag == (ITEM_END if frame.holds == "elements" else SEQUENCE_END):
            self._within(0)
            self._open.pop()
        else:
            raise unreadable("stray item, delimiter or element in a sequence")

    def _step_over(self, length: int) -> None:
        if length % 2:
            raise unreadable("odd length")
        self._within(length)
        self._skip = length

    def _enter(self, holds: str, length: int, *, explicit: bool) -> None:
        if len(self._open) >= 2 * NESTING_DEPTH:  # a sequence and its item are two
            raise unreadable(f"sequences nested deeper than {NESTING_DEPTH}")
        if length == UNDEFINED:
            self._open.append(_Frame(holds, None, explicit))
            return
        if length % 2:
            raise unreadable("odd length")
        self._within(length)
        self._open.append(_Frame(holds, self._at + length, explicit))

    def _within(self, length: int) -> None:
        """Hold `length` bytes from here to what is open. One without an end of its own ends within the one around it."""
        for frame in reversed(self._open):
            if frame.end is not None:
                if self._at + length > frame.end:
                    raise unreadable("an element longer than the sequence or item that it stands in")
                return


class DeflatedWalker:
    """A walk through what is deflated (PS3.5 section A.5), of STORE_INFLATED_BYTES at most."""

    def __init__(self, walker: Walker, inflater: "zlib._Decompress", left: bytes = b"") -> None:
        """`left` is deflated, too, and taken with the next bytes."""
        self._walker, self._inflater, self._left = walker, inflater, left
        self._room = STORE_INFLATED_BYTES
        self._behind = 0

    def steps(self, data: bytes) -> Iterator[None]:
        """Take the next bytes, deflated, with a stop after each piece: a little opens to a thousand times as much.

        Raises Refusal.
        """
        data, self._left = self._left + data, b""
        for start in range(0, len(data) or 1, WALK_STEP_BYTES):
            yield from self._inflate(data[start : start + WALK_STEP_BYTES])

    def _inflate(self, data: bytes) -> Iterator[None]:
        while not self._inflater.eof:
            try:
                piece = self._inflater.decompress(data, WALK_STEP_BYTES)
            except zlib.error:
                raise unreadable("deflated data set cannot be inflated") from None
            data = self._inflater.unused_data or self._inflater.unconsumed_tail
            self._room -= len(piece)
            if self._room < 0:
                raise unreadable(f"a deflated data set of more than {STORE_INFLATED_BYTES} bytes")
            self._walker.feed(piece)
            if not piece and not data:
                return
            yield
        self._behind += len(data)
        if self._behind > _BEHIND:
            raise unreadable("bytes behind a deflated data set")

    def finish(self) -> None:
        """Say that the file has ended. Raises Refusal when it ended within an element."""
        if self._left or not self._inflater.eof:
            raise unreadable("the file ends within a deflated data set")
        self._walker.finish()
