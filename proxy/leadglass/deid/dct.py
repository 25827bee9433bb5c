"""Regions painted black in lossy JPEG frames without decoding them: ITU-T T.81, sequential DCT with Huffman codes.

A region is painted in the blocks of 8 x 8 samples that it touches: their coefficients leave as those of black, and all
others leave as they came. So nothing is lost but what has to be, and the transfer syntax stays. Values of coefficients are never
looked at, but for the differences between blocks, which are coded anew.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from leadglass.deid import jpeg
from leadglass.deid.native import COLOUR, Layout
from leadglass.deid.risk import Region

_SIDE: Final = 8
_COEFFICIENTS: Final = 64
_DC_CODES: Final = bytes((0, 1, 5, *(1,) * 10, 0, 0, 0, *range(16)))
"""A table with a code for every difference that there can be: that of annex K.3, drawn out to 12 bits."""
_DC: Final = jpeg.lengths_and_codes(_DC_CODES)
_FLUSH_BITS: Final = 1 << 13
_ALL: Final = bytes((0, 63, 0))  # from the first coefficient to the last, at once


class _Plan(NamedTuple):
    """What is needed of one component in a scan."""

    dc: list[tuple[int, int]]
    ac: list[tuple[int, int]]
    end: tuple[int, int]  # the code of EOB
    black: int


class _Writer:
    """Puts bits together."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._bits, self._count = 0, 0

    def put(self, value: int, count: int) -> None:
        self._bits = self._bits << count | value
        self._count += count
        if self._count >= _FLUSH_BITS:
            self._flush(self._count % 8)

    def _flush(self, left: int) -> None:
        self._done += (self._bits >> left).to_bytes((self._count - left) // 8, "big")
        self._bits &= (1 << left) - 1
        self._count = left

    def finish(self) -> bytes:
        """Return what was put, filled up with ones (F.1.2.3), its bytes stuffed."""
        self.put((1 << -self._count % 8) - 1, -self._count % 8)
        self._flush(0)
        return bytes(self._done).replace(b"\xff", b"\xff\x00")


class _Bits:
    """Walks over the bits of one restart interval."""

    def __init__(self, data: bytes) -> None:
        self._data = data + b"\xff" * 8  # so that looking ahead needs no care; `at` says when it went too far
        self._end = len(data) * 8
        self.at = 0

    def difference(self, table: list[tuple[int, int]]) -> int:
        """Take the difference of a DC coefficient (F.2.2.1)."""
        size = self._symbol(table)
        if not size:
            return 0
        value = self.part(self.at, self.at + size)
        self.at += size
        return value if value >> (size - 1) else value - (1 << size) + 1

    def _symbol(self, table: list[tuple[int, int]]) -> int:
        at = self.at
        ahead = int.from_bytes(self._data[at >> 3 : (at >> 3) + 3], "big") >> (8 - (at & 7)) & 0xFFFF
        symbol, bits = table[ahead]
        if not bits or symbol > 15:  # noqa: PLR2004 - categories of differences
            raise ValueError("a code that is none")
        self.at = at + bits
        return symbol

    def skip_block(self, table: list[tuple[int, int]]) -> None:
        """Pass the AC coefficients of one block (F.2.2.2)."""
        data, at, place = self._data, self.at, 1
        while place < _COEFFICIENTS:
            byte = at >> 3
            symbol, bits = table[int.from_bytes(data[byte : byte + 3], "big") >> (8 - (at & 7)) & 0xFFFF]
            if not bits:
                raise ValueError("a code that is none")
            size = symbol & 15
            at += bits + size
            if not size and symbol != 0xF0:  # noqa: PLR2004 - 16 zeros
                break
            place += (symbol >> 4) + 1
        if place > _COEFFICIENTS or at > self._end:
            raise ValueError("a block that does not end")
        self.at = at

    def part(self, start: int, end: int) -> int:
        """Return the bits from one place to another."""
        last = (end + 7) >> 3
        return int.from_bytes(self._data[start >> 3 : last], "big") >> (last * 8 - end) & ((1 << (end - start)) - 1)


def paint(data: bytes, layout: Layout, regions: Sequence[Region]) -> bytes:
    """Return a frame with the regions black. Raises ValueError for one that is not of the layout or not so coded."""
    frame: jpeg.Frame | None = None
    tables: dict[int, bytes] = {}
    quantisers: dict[int, int] = {}
    interval, chroma = 0, layout.chroma
    out = [jpeg.SOI]
    seen: set[int] = set()
    for found in jpeg.segments(data):
        if isinstance(found, jpeg.Scan):
            if frame is None:
                raise ValueError("a scan before its frame")
            out.append(_scan(found, frame, regions, (tables, quantisers, interval), chroma=chroma))
            seen |= {one for one, _, _ in found.components}
            continue
        marker, payload = found
        if marker in {jpeg.SOF_BASELINE, jpeg.SOF_EXTENDED} and frame is None:
            frame = _checked(jpeg.frame_of(marker, payload), layout)
        elif marker == jpeg.DHT:
            tables.update(jpeg.huffman_tables(payload))
            continue  # each scan writes what it needs
        elif marker == jpeg.DQT:
            quantisers.update(_quantisers(payload))
        elif marker == jpeg.DRI:
            interval = int.from_bytes(payload, "big")
        else:
            if 0xC0 <= marker <= 0xCF or marker == 0xDC:  # noqa: PLR2004 - other frames, arithmetic coding, DNL
                raise ValueError("not a sequential frame of known height")
            said = jpeg.kept_application(marker, payload)
            if said:  # the frame's own word on its colours is what decoders go by
                chroma = layout.samples == COLOUR and (marker == jpeg.APP_JFIF or said[-1] != 0)
            out.append(said)
            continue
        out.append(jpeg.segment(marker, payload))
    if frame is None or seen != {one.id for one in frame.components}:
        raise ValueError("a component without a scan")
    return b"".join((*out, jpeg.EOI))


def _checked(frame: jpeg.Frame, layout: Layout) -> jpeg.Frame:
    if (frame.rows, frame.columns, len(frame.components)) != (layout.rows, layout.columns, layout.samples):
        raise ValueError("another size than the header says")
    if frame.precision not in {8, 12} or frame.precision > layout.bits:
        raise ValueError("another precision than the header says")
    return frame


def _quantisers(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield of each table its destination, and by what the first coefficient is divided (B.2.4.1)."""
    at = 0
    while at < len(payload):
        wide = payload[at] >> 4
        first = int.from_bytes(payload[at + 1 : at + 2 + wide], "big")
        if wide > 1 or not first:
            raise ValueError("a quantisation table that is none")
        yield payload[at] & 15, first
        at += 1 + _COEFFICIENTS * (1 + wide)


def _scan(
    scan: jpeg.Scan,
    frame: jpeg.Frame,
    regions: Sequence[Region],
    known: tuple[dict[int, bytes], dict[int, int], int],
    *,
    chroma: bool,
) -> bytes:
    """Return a scan painted, with the Huffman tables that it needs before it."""
    tables, quantisers, interval = known
    if scan.parameters != _ALL:
        raise ValueError("a scan of some coefficients alone")
    by_id = {one.id: (at, one) for at, one in enumerate(frame.components)}
    chosen, plans, header = [], [], bytearray([len(scan.components)])
    for id_, dc, ac in scan.components:
        at, component = by_id.get(id_, (0, None))
        if component is None or not {dc, 0x10 | ac} <= tables.keys() or component.table not in quantisers:
            raise ValueError("a scan of what was not announced")
        dark = at == 0 or not chroma
        level = -(_SIDE << (frame.precision - 1)) // quantisers[component.table] if dark else 0
        codes = jpeg.lengths_and_codes(tables[0x10 | ac])
        plans.append(_Plan(jpeg.lookup(tables[dc]), jpeg.lookup(tables[0x10 | ac]), codes[0], level))
        chosen.append(component)
        header += bytes((id_, ac))  # DC by the one table that has all codes
    needed = {0x10 | ac: tables[0x10 | ac] for _, _, ac in scan.components} | {0: _DC_CODES}
    huffman = b"".join(bytes((place,)) + table for place, table in sorted(needed.items()))
    out = [jpeg.segment(jpeg.DHT, huffman), jpeg.segment(jpeg.SOS, bytes(header) + _ALL)]
    grid = _Grid(chosen, frame, regions)
    each = interval or grid.units
    if len(scan.pieces) != -(-grid.units // each):
        raise ValueError("another number of restart intervals")
    for number, piece in enumerate(scan.pieces):
        if number:
            out.append(bytes((0xFF, 0xD0 + (number - 1) % 8)))
        units = range(number * each, min(grid.units, (number + 1) * each))
        out.append(_interval(piece, plans, grid, units))
    return b"".join(out)


class _Grid:
    """The blocks of a scan in their order (A.2), and which of them the regions touch."""

    def __init__(self, chosen: Sequence[jpeg.Component], frame: jpeg.Frame, regions: Sequence[Region]) -> None:
        widest, highest = max(one.across for one in frame.components), max(one.down for one in frame.components)
        alone = len(chosen) == 1
        shapes, self._touched = [], []
        for one in chosen:
            # How many samples of the picture a block of this component is wide and high, times its sampling.
            wide, high = _SIDE * widest, _SIDE * highest
            if alone:
                self.across, down = -(-frame.columns * one.across // wide), -(-frame.rows * one.down // high)
                shapes.append((1, 1))
            else:
                self.across, down = -(-frame.columns // wide), -(-frame.rows // high)
                shapes.append((one.across, one.down))
            self.units = self.across * down
            rows = [bytearray(self.across * shapes[-1][0]) for _ in range(down * shapes[-1][1])]
            for region in regions:
                left, right = region.left * one.across // wide, (region.left + region.width - 1) * one.across // wide
                top, bottom = region.top * one.down // high, (region.top + region.height - 1) * one.down // high
                for row in rows[top : bottom + 1]:
                    row[left : right + 1] = b"\1" * len(row[left : right + 1])
            self._touched.append(rows)
        self._shapes = [
            (which, across, down, column, row)
            for which, (across, down) in enumerate(shapes)
            for row in range(down)
            for column in range(across)
        ]

    def blocks(self, unit: int) -> Iterator[tuple[int, int]]:
        """Yield of a unit its blocks: the component in the scan, and whether a region touches it."""
        y, x = divmod(unit, self.across)
        for which, across, down, column, row in self._shapes:
            yield which, self._touched[which][y * down + row][x * across + column]


def _interval(piece: bytes, plans: Sequence[_Plan], grid: _Grid, units: range) -> bytes:
    bits, out = _Bits(piece), _Writer()
    before, written = [0] * len(plans), [0] * len(plans)
    for unit in units:
        for which, touched in grid.blocks(unit):
            plan = plans[which]
            before[which] += bits.difference(plan.dc)
            start = bits.at
            bits.skip_block(plan.ac)
            value = plan.black if touched else before[which]
            _put_difference(out, value - written[which])
            written[which] = value
            if touched:
                out.put(*plan.end)
            else:
                out.put(bits.part(start, bits.at), bits.at - start)
    return out.finish()


def _put_difference(out: _Writer, difference: int) -> None:
    size = abs(difference).bit_length()
    code, count = _DC[size]
    if difference < 0:
        difference += (1 << size) - 1
    out.put(code << size | difference, count + size)
