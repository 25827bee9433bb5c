"""What is open while a data set is walked (PS3.5 section 7.5): sequences and items, their lengths, and what is stepped over."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from leadglass.codec.dataset import DELIMITERS, ITEM, ITEM_END, LONG_VRS, SEQUENCE_END, SHORT_VRS, UNDEFINED
from leadglass.deid.forms import Form
from leadglass.deid.handling import Look, Looks, Replacer
from leadglass.deid.pixeldata import Taker
from leadglass.deid.refused import unreadable
from leadglass.limits import DEID_VALUE_BYTES, NESTING_DEPTH

HEAD: Final = 8
_META_LAST: Final = 0x0002FFFF
_LONG_HEAD: Final = 12
_OPEN: Final = frozenset({b"SQ", b"UN", b"OB", b"OW"})  # of undefined length: pixel data of an icon is fragments
WITHOUT_VR: Final = Form(explicit=False, order="<")  # how items of UN are written (PS3.5 section 6.2.2)
Head: TypeAlias = tuple[int, bytes, int, int]
"""Tag, VR (UN where none is written), length, and size of the head itself."""


class Holds(IntEnum):
    """What may stand in an open frame, and whether it stays."""

    ELEMENTS = 0
    ITEMS = 1
    GONE_ELEMENTS = 2
    GONE_ITEMS = 3


@dataclass(slots=True)
class Frame:
    """An open data set, sequence or item.

    `end` is where it ends (None when a delimiter does), `bound` where it and all around it end, at the latest.
    """

    holds: Holds
    end: int | None
    bound: int | None
    form: Form
    look: Look
    replacer: Replacer
    character_set: bytes = b""
    before: int = -1
    creators: dict[int, str] | None = None
    key: tuple[Replacer, tuple[bytes, bytes]] | None = None  # by which what becomes of a small sequence is remembered
    begun: int = 0  # where that stands in what may leave


class Rest:
    """A value that is stepped over, or goes on as it is."""

    def __init__(self, left: int, write: Callable[[bytes], None] | None) -> None:
        self._left, self._write = left, write
        self.done = not left

    def take(self, data: bytes, at: int) -> int:
        """Take bytes."""
        count = min(self._left, len(data) - at)
        if self._write is not None and count:
            self._write(data[at : at + count])
        self._left -= count
        self.done = not self._left
        return count


class Nesting:
    """The open frames of one walk, the outermost of which is the data set. What may leave is appended to `out`."""

    def __init__(self, levels: Looks, replacers: tuple[Replacer, Replacer], form: Form, out: list[bytes]) -> None:
        self._levels, self._out = levels, out
        self._plain, self._cleaned = replacers
        self._frames = [Frame(Holds.ELEMENTS, None, None, form, levels.top, self._plain, before=_META_LAST)]
        self._base = 0  # of the bytes at hand, from where the data set begins
        self._need = 0  # bytes from where the walk stands, before it can go on
        self._taker: Taker | None = None

    def _close(self, at: int) -> None:
        """Close what has ended by its length."""
        while (end := self._frames[-1].end) is not None and self._base + at >= end:
            frame = self._frames.pop()
            if frame.holds is Holds.ELEMENTS:
                self._out.append(frame.form.item_end)
            elif frame.holds is Holds.ITEMS:
                self._out.append(frame.form.sequence_end)
                if frame.key is not None:
                    frame.key[0].remember_sequence(frame.key[1], b"".join(self._out[frame.begun :]))

    def _head(self, data: bytes, at: int, frame: Frame) -> Head | None:
        """Read a head: tag, VR (UN where none is written), length, and the size of the head."""
        if not self._has(data, at, HEAD, frame):
            return None
        form = frame.form
        group, number, length = form.unpack_bracket(data, at)
        tag = group << 16 | number
        if group == DELIMITERS or not form.explicit:
            return tag, b"UN", length, HEAD
        vr = data[at + 4 : at + 6]
        if vr in SHORT_VRS:
            return tag, vr, form.unpack(data, at)[3], HEAD
        if vr not in LONG_VRS:
            raise unreadable("unknown value representation")
        if not self._has(data, at, _LONG_HEAD, frame):
            return None
        return tag, vr, form.unpack_bracket(data, at + 4)[2], _LONG_HEAD

    def _over(self, data: bytes, at: int, length: int, frame: Frame, vr: bytes) -> int:
        """Step over a value, or into what has no length; return where the walk goes on."""
        if length == UNDEFINED:
            self._push(Holds.GONE_ITEMS, at, length, frame, frame.look, WITHOUT_VR if vr == b"UN" else frame.form)
            return at
        if at + length <= len(data):
            return at + length
        self._taker = Rest(length, None)
        return at

    def _item(self, data: bytes, at: int, frame: Frame) -> int:
        if not self._has(data, at, HEAD, frame):
            return at
        group, number, length = frame.form.unpack_bracket(data, at)
        return self._delimit(at, group << 16 | number, length, frame)

    def _delimit(self, at: int, tag: int, length: int, frame: Frame) -> int:
        inside = at + HEAD
        items = frame.holds in {Holds.ITEMS, Holds.GONE_ITEMS}
        if tag == ITEM and items:
            if frame.holds is Holds.ITEMS:
                self._out.append(frame.form.item)
                self._push(Holds.ELEMENTS, inside, length, frame, frame.look, frame.form)
            elif length == UNDEFINED:
                self._push(Holds.GONE_ELEMENTS, inside, length, frame, frame.look, frame.form)
            else:
                self._within(inside, length, frame)
                self._taker = Rest(length, None)
        elif (
            frame.end is None and not length and len(self._frames) > 1 and tag == (SEQUENCE_END if items else ITEM_END)
        ):
            if frame.holds in {Holds.ITEMS, Holds.ELEMENTS}:
                self._out.append(frame.form.sequence_end if items else frame.form.item_end)
            self._frames.pop()
        else:
            raise unreadable("stray item, delimiter or element in a sequence")
        return inside

    def _gone(self, data: bytes, at: int, frame: Frame) -> int:
        """Step over one element, item or delimiter of what is removed and says no length."""
        if frame.holds is Holds.GONE_ITEMS:
            return self._item(data, at, frame)
        head = self._head(data, at, frame)
        if head is None:
            return at
        tag, vr, length, size = head
        if tag >> 16 == DELIMITERS:
            return self._delimit(at, tag, length, frame)
        if length != UNDEFINED:
            self._within(at + size, length, frame)
        elif vr not in _OPEN or (vr == b"UN" and frame.form.order == ">"):
            raise unreadable("undefined length where there is no sequence")
        return self._over(data, at + size, length, frame, vr)

    def _push(self, holds: Holds, at: int, length: int, frame: Frame, look: Look, form: Form) -> None:
        if len(self._frames) > 2 * NESTING_DEPTH:  # a sequence and its item are two
            raise unreadable(f"sequences nested deeper than {NESTING_DEPTH}")
        end, bound = None, frame.bound
        if length != UNDEFINED:
            self._within(at, length, frame)
            end = bound = self._base + at + length
        replacer = self._cleaned if look is self._levels.cleaned else self._plain
        self._frames.append(Frame(holds, end, bound, form, look, replacer, frame.character_set))

    def _within(self, at: int, length: int, frame: Frame) -> None:
        if length & 1:
            raise unreadable("odd length")
        if frame.bound is not None and self._base + at + length > frame.bound:
            raise unreadable("an element longer than the sequence or item that it stands in")

    def _has(self, data: bytes, at: int, count: int, frame: Frame) -> bool:
        """Return whether `count` bytes are there from `at`; else as many are waited for."""
        if frame.bound is not None and self._base + at + count > frame.bound:
            raise unreadable("an element longer than the sequence or item that it stands in")
        if len(data) - at < count:
            self._need = count
            return False
        return True

    def _whole(self, data: bytes, at: int, frame: Frame, head: Head) -> bool:
        if head[2] > DEID_VALUE_BYTES:
            raise unreadable(f"a value of more than {DEID_VALUE_BYTES} bytes that would have to be read")
        return self._has(data, at, head[3] + head[2], frame)
