"""Regions painted black in native pixel data while it streams (PS3.5 section 8.1): nothing of it is held back.

Black is zero, and the middle for chrominance. What lies beyond the last frame is zeroed too: no viewer shows it, and so
nobody has looked at it.
"""

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from leadglass.codec.part10 import EXPLICIT_BIG
from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.risk import Region
from leadglass.limits import PIXEL_FRAMES, PIXEL_SIDE
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

BURNED_IN: Final = 0x00280301
_BITS: Final = frozenset({1, 8, 16, 32, 64})
_SAMPLES: Final = frozenset({1, 3, 4})
COLOUR: Final = 3
BYTE: Final = 8


def unchangeable(why: str) -> Refusal:
    """Return the refusal of pixels that have to be changed and cannot."""
    return refuse(Code.PIXELS_AT_RISK, why=why)


def spans(regions: Sequence[Region], rows: int, columns: int) -> Iterator[tuple[int, int, int]]:
    """Yield (row, left, right) of all that the regions cover within a picture, in order and without overlap."""
    edges = sorted({0, rows, *(min(at, rows) for one in regions for at in (one.top, one.top + one.height))})
    for top, bottom in itertools.pairwise(edges):
        merged: list[tuple[int, int]] = []
        for left, right in sorted(
            (one.left, min(one.left + one.width, columns)) for one in regions if one.top <= top < one.top + one.height
        ):
            if merged and left <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(right, merged[-1][1]))
            elif left < right:
                merged.append((left, right))
        for row in range(top, bottom):
            yield from ((row, left, right) for left, right in merged)


class Layout:
    """How the pixels of one frame lie, as the header says. Raises Refusal `pixels-at-risk` for what it does not say."""

    def __init__(self, header: Header) -> None:
        self.order: Literal["little", "big"] = "big" if header.transfer_syntax == EXPLICIT_BIG else "little"
        self.rows, self.columns = header.rows or 0, header.columns or 0
        self.frames, self.samples = header.frames, header.samples or 1
        self.bits, self.stored = header.bits_allocated or 0, header.bits_stored or header.bits_allocated or 0
        self.planar = header.planar == 1 and self.samples > 1
        self.halved = "_422" in header.photometric  # two pixels share their chrominance: Y1 Y2 Cb Cr
        self.photometric = header.photometric
        # YBR_RCT and YBR_ICT are undone by who opens the frame: its samples are red, green and blue.
        self.chroma = self.samples == COLOUR and header.photometric.startswith(("YBR_FULL", "YBR_PARTIAL"))
        sound = (
            0 < self.rows <= PIXEL_SIDE
            and 0 < self.columns <= PIXEL_SIDE
            and 0 < self.frames <= PIXEL_FRAMES
            and self.samples in _SAMPLES
            and self.bits in _BITS
            and 0 < self.stored <= self.bits
            and header.planar in {None, 0, 1}
        )
        if not sound or (self.halved and (not self.chroma or self.columns % 2 or self.planar)):
            raise unchangeable("its header does not say how its pixels lie")
        if self.order == "big" and self.bits <= BYTE:
            raise unchangeable("its bytes may be swapped, and nothing says whether they are")
        self.frame_bits = self.rows * self.columns * (2 if self.halved else self.samples) * self.bits

    @property
    def black(self) -> tuple[int, ...]:
        """The samples of a black pixel."""
        return (0, *((1 << self.stored - 1,) * 2 if self.chroma else (0,) * (self.samples - 1)))

    def intervals(self, regions: Sequence[Region]) -> list[tuple[int, int, bytes]]:
        """Return (first bit, bit behind the last, bytes to repeat from there) of what the regions cover, in order."""
        size = max(self.bits // BYTE, 1)
        zero = bytes(size)
        middle = (1 << self.stored - 1).to_bytes(size, self.order) if self.chroma else zero
        if self.halved:
            planes, step, pattern = 1, 2, zero * 2 + middle * 2
        elif self.planar:
            planes, step, pattern = self.samples, 1, zero
        else:
            planes, step, pattern = 1, self.samples, zero + middle * 2 if self.chroma else zero
        covered = list(spans(regions, self.rows, self.columns))
        found: list[tuple[int, int, bytes]] = []
        for plane in range(planes):
            fill = middle if plane else pattern
            for row, left, right in covered:
                first, last = (left // 2 * 2, (right + 1) // 2 * 2) if self.halved else (left, right)
                start = ((plane * self.rows + row) * self.columns + first) * step * self.bits
                stop = start + (last - first) * step * self.bits
                if found and found[-1][1] >= start and found[-1][2] == fill:  # whole rows make one
                    start = found.pop()[0]
                found.append((start, stop, fill))
        return found


class NativePixels:
    """A `PixelFilter` for native pixel data. Raises Refusal `pixels-at-risk` when the header does not say how it lies."""

    transfer_syntax: str | None = None

    def __init__(self, header: Header, regions: Sequence[Region]) -> None:
        layout = Layout(header)
        self.changes: Mapping[int, list[str] | None] = {BURNED_IN: ["NO"]}
        self._frames, self._frame, self._at = layout.frames, layout.frame_bits, 0
        intervals = layout.intervals(regions)
        self._starts = [start for start, _, _ in intervals]
        self._stops = [stop for _, stop, _ in intervals]
        self._fills = [fill for _, _, fill in intervals]

    def native(self, data: bytes) -> bytes:
        """Return the next bytes, as many as were given."""
        at, changed = self._at, None
        self._at = end = at + len(data) * BYTE
        for frame in range(at // self._frame, min(self._frames, -(-end // self._frame))):
            base = frame * self._frame - at
            first = bisect.bisect_right(self._stops, -base)
            for place in range(first, bisect.bisect_left(self._starts, end - at - base)):
                changed = bytearray(data) if changed is None else changed
                _paint(changed, base + self._starts[place], base + self._stops[place], self._fills[place])
        beyond = self._frames * self._frame
        if end > beyond:
            changed = bytearray(data) if changed is None else changed
            _paint(changed, max(beyond - at, 0), end - at, b"\0")
        return data if changed is None else bytes(changed)

    def frame(self, data: bytes) -> bytes:
        """Refuse an encapsulated frame."""
        del data
        raise unchangeable("it is compressed, and its transfer syntax says that it is not")


def has_unused(header: Header) -> bool:
    """Return whether samples have bits that are none of their value and that have to be nothing.

    Of signed ones those bits repeat the sign, in one archive and not in the next: where nothing says that an overlay lies there,
    they are left alone.
    """
    allocated, stored = header.bits_allocated, header.bits_stored
    return header.signed == 0 and None not in {allocated, stored, header.high_bit} and allocated != stored


class UsedBits:
    """A `PixelFilter` that clears the bits of each sample that are none of its value, before another filter, if there is one.

    Overlays of old lie there (PS3.5 section 8.1.2, retired in 2004), and are no attribute that could be removed. Raises Refusal
    `pixels-at-risk` when the header does not say which bits those are, and for frames that are compressed, where none can be.
    """

    transfer_syntax: str | None = None

    def __init__(self, header: Header, then: PixelFilter | None = None) -> None:
        layout, high = Layout(header), header.high_bit
        low = -1 if high is None else high + 1 - layout.stored
        if high is None or low < 0 or high >= layout.bits or layout.bits < BYTE:
            raise unchangeable("its header does not say which bits of its pixels are used")
        keep = (((1 << layout.stored) - 1) << low).to_bytes(layout.bits // BYTE, layout.order)
        self._then, self._at = then, 0
        self._keep = keep
        self.changes: Mapping[int, list[str] | None] = {} if then is None else then.changes

    def native(self, data: bytes) -> bytes:
        """Return the next bytes, as many as were given."""
        import numpy as np  # takes time to import, and the command line imports this for other things

        size = len(self._keep)
        phase = self._at % size
        self._at += len(data)
        keep = np.frombuffer((self._keep * (len(data) // size + 2))[phase : phase + len(data)], np.uint8)
        cleared = (np.frombuffer(data, np.uint8) & keep).tobytes()
        return cleared if self._then is None else self._then.native(cleared)

    def frame(self, data: bytes) -> bytes:
        """Refuse a compressed frame."""
        del data
        raise unchangeable("it is compressed, and says that overlays lie among its pixels")


def _paint(buffer: bytearray, start: int, stop: int, fill: bytes) -> None:
    """Paint the bits from `start` to `stop` that lie in the buffer; the first bit of a byte is its lowest."""
    low, high = max(start, 0), min(stop, len(buffer) * BYTE)
    if low >= high:
        return
    first, last = -(-low // BYTE), high // BYTE
    before, behind = (1 << low % BYTE) - 1, 0xFF << high % BYTE & 0xFF
    if first > last:  # within one byte
        buffer[last] &= before | behind
        return
    if low % BYTE:
        buffer[first - 1] &= before
    if high % BYTE:
        buffer[last] &= behind
    size, phase = last - first, (first * BYTE - start) // BYTE % len(fill)
    whole = bytes(size) if not any(fill) else (fill * (size // len(fill) + 2))[phase : phase + size]
    buffer[first:last] = whole
