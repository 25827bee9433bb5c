"""Pixel data (PS3.5 section 8 and annex A.4): native, or the fragments of compressed frames, as they stream.

Native data behind the last frame becomes zero, and comments in compressed frames do. Where a filter changes pixels, native
data goes through it piece by piece, and compressed data frame by frame.
"""

import itertools
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from leadglass.codec.dataset import ITEM, SEQUENCE_END, UNDEFINED
from leadglass.codec.jpeg import JpegCleaner
from leadglass.codec.jpeg2000 import CodestreamCleaner
from leadglass.codec.picture import PictureError
from leadglass.deid.forms import Form
from leadglass.deid.handling import INTEGER_PIXELS
from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.refused import unreadable
from leadglass.limits import DEID_FRAME_BYTES, DEID_TABLE_BYTES

_ROOT: Final = "1.2.840.10008.1.2."
JPEG: Final = frozenset(f"{_ROOT}4.{number}" for number in (*range(50, 67), 70, 80, 81))
JPEG_2000: Final = frozenset(f"{_ROOT}4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))
JPEG_XL: Final = frozenset(f"{_ROOT}4.{number}" for number in (110, 111, 112))
_VIDEO: Final = frozenset(
    f"{_ROOT}4.{number}" for number in (*range(100, 109), *(f"{one}.1" for one in range(100, 107)))
)
_RLE, _DEFLATED_FRAMES = f"{_ROOT}5", f"{_ROOT}8.1"
ENCAPSULATED: Final = JPEG | JPEG_2000 | JPEG_XL | _VIDEO | {_RLE, _DEFLATED_FRAMES}
"""Transfer syntaxes whose pixel data is fragments."""
_HEAD: Final = 8
_LOOK: Final = 4  # bytes by which the beginning of a frame is known
_STARTS: Final = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a")
_HALF: Final = ("_422", "_420", "_PARTIAL")
_FORM: Final = Form(explicit=True, order="<")
_Element: TypeAlias = tuple[int, bytes, int]


class Taker(Protocol):
    """Takes bytes from a position on, and returns how many; `done` when it needs no more."""

    done: bool

    def take(self, data: bytes, at: int) -> int:
        """Take bytes."""


def taker(header: Header, pixels: PixelFilter | None, form: Form, element: _Element, out: list[bytes]) -> Taker:
    """Return who takes pixel data. Raises Refusal `deid-unreadable` when it is not what the transfer syntax says."""
    tag, vr, length = element
    if pixels is not None and tag != INTEGER_PIXELS:
        raise unreadable("pixels of floating point that would have to be changed")
    if (length == UNDEFINED) != (header.transfer_syntax in ENCAPSULATED):
        raise unreadable("pixel data that is not what the transfer syntax says")
    if length != UNDEFINED:
        out.append(form.head(tag, vr, length))
        return Native(header, pixels, length, out.append)
    if tag != INTEGER_PIXELS or vr not in {b"OB", b"OW"}:
        raise unreadable("undefined length where there is no sequence")
    out.append(form.head(tag, vr, UNDEFINED))
    if pixels is not None:
        return Encapsulated(Frames(header, pixels, out.append), out.append)
    return Encapsulated(Fragments(header, out.append), out.append)


class Native:
    """Native pixel data of `length` bytes."""

    def __init__(self, header: Header, pixels: PixelFilter | None, length: int, write: Callable[[bytes], None]) -> None:
        self._filter, self._left, self._write = pixels, length, write
        size = _size(header)
        self._picture = min(size + size % 2, length)  # bytes up to the end of the last frame, in whole words
        self.done = not length

    def take(self, data: bytes, at: int) -> int:
        """Take bytes."""
        count = min(self._left, len(data) - at)
        if not count:
            return 0
        piece = data if count == len(data) else data[at : at + count]
        if count > self._picture:
            piece = piece[: self._picture] + bytes(count - self._picture)
        self._picture -= min(count, self._picture)
        self._left -= count
        self.done = not self._left
        self._write(piece if self._filter is None else self._filter.native(piece))
        return count


def _size(header: Header) -> int:
    """Return how many bytes all frames have, as far as the header says; what it does not say is no limit."""
    if not header.rows or not header.columns or not header.bits_allocated:
        return 1 << 63
    samples = header.samples or 1
    if samples > 1 and header.planar != 1 and any(name in header.photometric for name in _HALF):
        samples = 2
    return (header.rows * header.columns * samples * header.bits_allocated * header.frames + 7) // 8


class Consumer(Protocol):
    """Takes the items of encapsulated pixel data: the table of offsets, and fragments in pieces."""

    def table(self, table: bytes) -> None:
        """Take the basic offset table."""

    def fragment(self, length: int, at: int) -> None:
        """Begin a fragment; `at` is where, as the table counts."""

    def piece(self, data: bytes) -> None:
        """Take bytes of a fragment."""

    def finish(self) -> None:
        """Say that there are no more."""


class Encapsulated:
    """Encapsulated pixel data, from behind its head up to and with its delimiter."""

    def __init__(self, consumer: Consumer, write: Callable[[bytes], None]) -> None:
        self._consumer, self._write = consumer, write
        self._held = b""
        self._left = 0
        self._at: int | None = None  # of the next fragment, None before the table
        self._table: list[bytes] | None = None
        self.done = False

    def take(self, data: bytes, at: int) -> int:
        """Take bytes."""
        start = at
        while at < len(data) and not self.done:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                self._piece(data[at : at + step])
            else:
                step = min(_HEAD - len(self._held), len(data) - at)
                self._held += data[at : at + step]
                if len(self._held) == _HEAD:
                    self._item(self._held)
                    self._held = b""
            at += step
        return at - start

    def _item(self, held: bytes) -> None:
        group, number, length = _FORM.unpack_bracket(held)
        tag = group << 16 | number
        if tag == SEQUENCE_END and not length and self._at is not None:
            self._consumer.finish()
            self._write(held)
            self.done = True
        elif tag != ITEM or length == UNDEFINED or length & 1:
            raise unreadable("stray item, delimiter or element among fragments")
        elif self._at is None:
            if length > DEID_TABLE_BYTES:
                raise unreadable(f"a table of offsets of more than {DEID_TABLE_BYTES} bytes")
            self._table, self._at, self._left = [], 0, length
            self._piece(b"")
        else:
            self._consumer.fragment(length, self._at)
            self._at += _HEAD + length
            self._left = length

    def _piece(self, piece: bytes) -> None:
        if self._table is None:
            self._consumer.piece(piece)
            return
        self._table.append(piece)
        if not self._left:
            self._consumer.table(b"".join(self._table))
            self._table = None


def _offsets(table: bytes) -> list[int] | None:
    """Return the offsets of a table, None when it is none: what does not begin with 0 and ascend."""
    found = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
    sound = len(table) % 4 == 0 and found[:1] in ([], [0]) and all(a < b for a, b in itertools.pairwise(found))
    return found if sound else None


class Fragments:
    """Fragments that stay where they are, without comments."""

    def __init__(self, header: Header, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._cleaner: JpegCleaner | CodestreamCleaner | None = None
        self._boxes = header.transfer_syntax in JPEG_XL
        if header.transfer_syntax in JPEG:
            self._cleaner = JpegCleaner()
        elif header.transfer_syntax in JPEG_2000:
            self._cleaner = CodestreamCleaner()
        self._first: bytes | None = None
        self._size = 0

    def table(self, table: bytes) -> None:
        """Write the table; one that is none leaves empty."""
        sound = table if _offsets(table) is not None else b""
        self._write(_FORM.bracket(ITEM, len(sound)) + sound)

    def fragment(self, length: int, at: int) -> None:
        """Write the head of a fragment."""
        del at
        self._write(_FORM.bracket(ITEM, length))
        self._first, self._size = b"", length

    def piece(self, data: bytes) -> None:
        """Write bytes of a fragment."""
        if self._first is not None:
            data, self._first = self._first + data, None
            if len(data) < min(_LOOK, self._size):
                self._first = data
                return
            self._look(data[:_LOOK])
        try:
            self._write(data if self._cleaner is None else self._cleaner.feed(data))
        except PictureError as error:
            raise unreadable(str(error)) from None

    def _look(self, first: bytes) -> None:
        if self._boxes and first == b"\0\0\0\x0c":
            raise unreadable("a JPEG XL picture in a file of boxes")
        try:
            if self._cleaner is not None:
                self._cleaner.fragment(first)
        except PictureError as error:
            raise unreadable(str(error)) from None

    def finish(self) -> None:
        """Say that there are no more."""
        try:
            if self._cleaner is not None:
                self._cleaner.finish()
        except PictureError as error:
            raise unreadable(str(error)) from None


class Frames:
    """Frames that a filter changes: each is held until it is whole, and leaves as one fragment."""

    def __init__(self, header: Header, pixels: PixelFilter, write: Callable[[bytes], None]) -> None:
        self._filter, self._write = pixels, write
        self._expected, self._done = header.frames, 0
        self._each = header.transfer_syntax in {_RLE, _DEFLATED_FRAMES}  # one fragment a frame
        self._begins: frozenset[int] | None = None
        self._held = bytearray()  # of the frame, as far as it is known
        self._fragment: bytearray | None = None
        self._at = 0

    def table(self, table: bytes) -> None:
        """Take where frames begin; what leaves has other lengths, and no table."""
        found = _offsets(table)
        self._begins = frozenset(found) if found else None
        self._write(_FORM.bracket(ITEM, 0))

    def fragment(self, length: int, at: int) -> None:
        """Begin a fragment."""
        self._settle()
        if len(self._held) + length > DEID_FRAME_BYTES:
            raise unreadable(f"a frame of more than {DEID_FRAME_BYTES} bytes")
        self._fragment, self._at = bytearray(), at

    def piece(self, data: bytes) -> None:
        """Take bytes of a fragment."""
        if self._fragment is not None:
            self._fragment += data

    def finish(self) -> None:
        """Give up the last frame."""
        self._settle()
        self._flush()
        if self._done != self._expected:
            raise unreadable("another number of frames than the header says")

    def _settle(self) -> None:
        """Put a whole fragment to the frame that it is of."""
        fragment, self._fragment = self._fragment, None
        if fragment is None:
            return
        if self._expected == 1 or not self._at:
            begins = False
        elif self._each:
            begins = True
        elif self._begins is not None:
            begins = self._at in self._begins
        else:
            begins = fragment.startswith(_STARTS)
        if begins:
            self._flush()
        self._held += fragment

    def _flush(self) -> None:
        frame = self._filter.frame(bytes(self._held))
        self._held.clear()
        self._done += 1
        self._write(_FORM.bracket(ITEM, len(frame)) + frame)
