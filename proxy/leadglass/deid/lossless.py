"""Lossless JPEG (ITU-T T.81 annex H) opened and packed again: Huffman codes and the first predictor, of 2 to 16 bits.

Ours, because no library that the gateway could ship reads it beyond 8 bits. Raises ValueError for whatever is not so coded.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leadglass.deid import jpeg
from leadglass.deid.native import Layout

_Ints: TypeAlias = NDArray[np.int64]
_FIRST: Final = 1  # the predictor is the sample to the left
_LENGTHS: Final = (0, 1, 5, *(1,) * 11, 0, 0)  # of 17 codes, the most frequent difference getting the shortest
_SYMBOLS: Final = 17
_HALF: Final = 1 << 15
_AT_ONCE: Final = 1 << 18  # samples; each becomes some bits of 8 bytes
_SIZES: Final[_Ints] = np.array([number.bit_length() for number in range(_HALF + 1)])


def unpack(data: bytes, layout: Layout) -> NDArray[Any]:
    """Return the samples of a frame by row, column and sample."""
    frame: jpeg.Frame | None = None
    tables: dict[int, bytes] = {}
    interval = 0
    samples = np.zeros((layout.rows, layout.columns, layout.samples), np.uint16)
    seen: set[int] = set()
    for found in jpeg.segments(data):
        if isinstance(found, jpeg.Scan):
            if frame is None:
                raise ValueError("a scan before its frame")
            seen.update(_scan(found, frame, tables, interval, samples))
        elif found[0] == jpeg.SOF_LOSSLESS and frame is None:
            frame = _checked(jpeg.frame_of(*found), layout)
        elif found[0] == jpeg.DHT:
            tables.update(jpeg.huffman_tables(found[1]))
        elif found[0] == jpeg.DRI:
            interval = int.from_bytes(found[1], "big")
        elif 0xC0 <= found[0] <= 0xCF or found[0] == 0xDC:  # noqa: PLR2004 - other frames, arithmetic coding, DNL
            raise ValueError("not a lossless frame of known height")
    if frame is None or len(seen) != layout.samples:
        raise ValueError("a component without a scan")
    return samples.astype(np.uint8) if layout.bits == 8 else samples  # noqa: PLR2004 - a byte


def _checked(frame: jpeg.Frame, layout: Layout) -> jpeg.Frame:
    if (frame.rows, frame.columns, len(frame.components)) != (layout.rows, layout.columns, layout.samples):
        raise ValueError("another size than the header says")
    if not 2 <= frame.precision <= min(layout.bits, 16):  # noqa: PLR2004 - T.81 table B.2
        raise ValueError("another precision than the header says")
    if any((one.across, one.down) != (1, 1) for one in frame.components):
        raise ValueError("components of different sizes")
    return frame


def _scan(
    scan: jpeg.Scan, frame: jpeg.Frame, tables: Mapping[int, bytes], interval: int, samples: NDArray[np.uint16]
) -> Iterator[int]:
    """Read a scan into `samples`, and yield which components it has."""
    if scan.parameters != bytes((_FIRST, 0, 0)):
        raise ValueError("another predictor than the first, or fewer bits")
    ids = [one.id for one in frame.components]
    if any(id_ not in ids or dc not in tables for id_, dc, _ in scan.components):
        raise ValueError("a scan of what was not announced")
    which = [ids.index(id_) for id_, _, _ in scan.components]
    looks = [jpeg.lookup(tables[dc]) for _, dc, _ in scan.components]
    lines = interval // frame.columns if interval else frame.rows
    if not lines or interval % frame.columns or len(scan.pieces) != -(-frame.rows // lines):
        raise ValueError("restart intervals that are not of whole lines")
    for number, piece in enumerate(scan.pieces):
        rows = slice(number * lines, min(frame.rows, (number + 1) * lines))
        shape = (rows.stop - rows.start, frame.columns, len(which))
        found = np.array(_differences(piece, looks, shape[0] * shape[1]), np.int64).reshape(shape)
        found[0, 0] += 1 << (frame.precision - 1)
        found[:, 0] = np.cumsum(found[:, 0], axis=0)
        found = np.cumsum(found, axis=1) & 0xFFFF
        if found.max() >> frame.precision:
            raise ValueError("a sample of more bits than there are")
        samples[rows, :, which] = found
    yield from which


def _differences(piece: bytes, looks: Sequence[list[tuple[int, int]]], units: int) -> list[int]:
    """Return the differences of one restart interval in their order (H.1.2.2)."""
    data, at = piece + b"\xff" * 8, 0
    found: list[int] = []
    for _ in range(units):
        for look in looks:
            byte = at >> 3
            ahead, left = int.from_bytes(data[byte : byte + 5], "big"), 40 - (at & 7)
            size, bits = look[ahead >> (left - 16) & 0xFFFF]
            if not bits or size >= _SYMBOLS:
                raise ValueError("a code that is none")
            at += bits
            if size == _SYMBOLS - 1:
                found.append(_HALF)
                continue
            value = ahead >> (left - bits - size) & ((1 << size) - 1)
            found.append(value if not size or value >> (size - 1) else value - (1 << size) + 1)
            at += size
        if at > len(piece) * 8:
            raise ValueError("a scan that ends too early")
    return found


def pack(samples: NDArray[Any], data: bytes, layout: Layout) -> bytes:
    """Return the frame of these samples, as precise as `data` was."""
    head = next(found for found in jpeg.segments(data) if isinstance(found, tuple) and found[0] == jpeg.SOF_LOSSLESS)
    precision = jpeg.frame_of(*head).precision
    given = samples.astype(np.int64)
    found = given.copy()
    found[:, 1:] -= given[:, :-1]
    found[1:, 0] -= given[:-1, 0]
    found[0, 0] -= 1 << (precision - 1)
    differences = ((found.ravel() + _HALF - 1) & 0xFFFF) - _HALF + 1  # what is 32768 stays it
    sizes = _SIZES[np.abs(differences)]
    often = np.bincount(sizes, minlength=_SYMBOLS)
    table = bytes(_LENGTHS) + bytes(int(one) for one in np.argsort(-often, kind="stable"))
    components = range(1, layout.samples + 1)
    frame = bytes((precision, *layout.rows.to_bytes(2, "big"), *layout.columns.to_bytes(2, "big"), layout.samples))
    return b"".join((
        jpeg.SOI,
        jpeg.segment(jpeg.SOF_LOSSLESS, frame + b"".join(bytes((one, 0x11, 0)) for one in components)),
        jpeg.segment(jpeg.DHT, b"\0" + table),
        jpeg.segment(jpeg.SOS, bytes((layout.samples, *(part for one in components for part in (one, 0)), _FIRST, 0, 0))),
        _coded(differences, sizes, table).replace(b"\xff", b"\xff\x00"),
        jpeg.EOI,
    ))  # fmt: skip


def _coded(differences: _Ints, sizes: _Ints, table: bytes) -> bytes:
    codes = jpeg.lengths_and_codes(table)
    values = np.array([codes[one][0] for one in range(_SYMBOLS)])
    lengths = np.array([codes[one][1] for one in range(_SYMBOLS)])
    out, rest = [], np.zeros(0, np.uint8)
    for start in range(0, len(differences), _AT_ONCE):
        part, size = differences[start : start + _AT_ONCE], sizes[start : start + _AT_ONCE]
        extra = np.where(size == _SYMBOLS - 1, 0, size)
        low = np.where(part < 0, part + (1 << extra) - 1, part) & ((1 << extra) - 1)
        whole, count = values[size] << extra | low, lengths[size] + extra
        places = np.repeat(np.cumsum(count), count) - np.arange(count.sum()) - 1
        bits = np.concatenate((rest, (np.repeat(whole, count) >> places & 1).astype(np.uint8)))
        full = len(bits) - len(bits) % 8
        out.append(np.packbits(bits[:full]).tobytes())
        rest = bits[full:]
    if len(rest):
        out.append(np.packbits(np.concatenate((rest, np.ones(8 - len(rest), np.uint8)))).tobytes())
    return b"".join(out)
