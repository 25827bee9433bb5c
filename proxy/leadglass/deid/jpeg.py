"""The markers of a JPEG stream (ITU-T T.81 annex B), and its Huffman codes (annex C), for frames that are painted.

Raises ValueError for whatever is not as the standard has it; what is not needed to show the picture is left out.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

SOI, EOI, SOS, DHT, DQT, DRI = b"\xff\xd8", b"\xff\xd9", 0xDA, 0xC4, 0xDB, 0xDD
SOF_BASELINE, SOF_EXTENDED, SOF_LOSSLESS = 0xC0, 0xC1, 0xC3
APP_JFIF, APP_ADOBE = 0xE0, 0xEE
_RESTARTS: Final = range(0xD0, 0xD8)
_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])", re.DOTALL)
_SAMPLING: Final = 4  # B.2.2
_PEEK: Final = 16  # bits of the longest code
_JFIF, _ADOBE = 14, 12  # bytes without a thumbnail


class Component(NamedTuple):
    """One component: its id, sampling across and down, and its quantisation table."""

    id: int
    across: int
    down: int
    table: int


class Frame(NamedTuple):
    """What a frame header says (B.2.2)."""

    kind: int
    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan header (B.2.3), its payload, and the entropy coded data behind it, one piece for each restart interval."""

    payload: bytes
    pieces: tuple[bytes, ...]

    @property
    def components(self) -> list[tuple[int, int, int]]:
        """The id of each component, and its tables for DC and AC."""
        count = self.payload[0]
        if len(self.payload) != 4 + 2 * count:
            raise ValueError("a scan header of another length")
        pairs = ((self.payload[1 + 2 * one], self.payload[2 + 2 * one]) for one in range(count))
        return [(id_, tables >> 4, tables & 15) for id_, tables in pairs]

    @property
    def parameters(self) -> bytes:
        """The three bytes at its end."""
        return self.payload[-3:]


def segments(data: bytes) -> Iterator[tuple[int, bytes] | Scan]:
    """Yield the marker segments of a stream as (marker, payload), its scans as `Scan`, up to its end."""
    if not data.startswith(SOI):
        raise ValueError("no JPEG")
    at = len(SOI)
    while True:
        found = _MARKER.match(data, at)
        if found is None:
            raise ValueError("no marker where one has to be")
        marker, at = found[1][0], found.end()
        if marker == EOI[1]:
            return
        (length,) = struct.unpack_from(">H", data, at)
        payload = data[at + 2 : at + length]
        if len(payload) != length - 2:
            raise ValueError("a segment cut short")
        at += length
        if marker != SOS:
            yield marker, payload
            continue
        pieces = []
        while True:
            ends = _MARKER.search(data, at)
            if ends is None:
                raise ValueError("a scan without end")
            pieces.append(data[at : ends.start()].replace(b"\xff\x00", b"\xff"))
            if ends[1][0] not in _RESTARTS:
                at = ends.start()
                break
            at = ends.end()
        yield Scan(payload, tuple(pieces))


def segment(marker: int, payload: bytes) -> bytes:
    """Return a marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def frame_of(marker: int, payload: bytes) -> Frame:
    """Read a frame header."""
    precision, rows, columns, count = struct.unpack_from(">BHHB", payload)
    if len(payload) != 6 + 3 * count or not count:
        raise ValueError("a frame header of another length")
    found = []
    for one in range(count):
        id_, sampling, table = payload[6 + 3 * one : 9 + 3 * one]
        found.append(Component(id_, sampling >> 4, sampling & 15, table))
    if len({one.id for one in found}) != count or any(
        not (1 <= one.across <= _SAMPLING and 1 <= one.down <= _SAMPLING) for one in found
    ):
        raise ValueError("components that are none")
    return Frame(marker, precision, rows, columns, tuple(found))


def kept_application(marker: int, payload: bytes) -> bytes:
    """Return what stays of an application segment: what says how colours are to be read, and no more."""
    if marker == APP_JFIF and payload.startswith(b"JFIF\0") and len(payload) >= _JFIF:
        return segment(marker, payload[: _JFIF - 2] + b"\0\0")
    if marker == APP_ADOBE and payload.startswith(b"Adobe") and len(payload) >= _ADOBE:
        return segment(marker, payload[:_ADOBE])
    return b""


def huffman_tables(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tables of one DHT segment: class and destination, and the bytes that define it (B.2.4.2)."""
    at = 0
    while at < len(payload):
        counts = payload[at + 1 : at + 17]
        size = 17 + sum(counts)
        if len(counts) != 16 or at + size > len(payload):  # noqa: PLR2004 - lengths 1 to 16
            raise ValueError("a Huffman table cut short")
        yield payload[at], payload[at + 1 : at + size]
        at += size


@lru_cache(maxsize=64)
def lengths_and_codes(table: bytes) -> dict[int, tuple[int, int]]:
    """Return the code of each symbol as (value, bits) (annex C)."""
    found: dict[int, tuple[int, int]] = {}
    code, at = 0, 16
    for bits in range(1, 17):
        for _ in range(table[bits - 1]):
            if code >= 1 << bits:
                raise ValueError("more codes than there is room for")
            found.setdefault(table[at], (code, bits))
            code, at = code + 1, at + 1
        code <<= 1
    return found


@lru_cache(maxsize=64)
def lookup(table: bytes) -> list[tuple[int, int]]:
    """Return for each 16 bits that may come the symbol that they begin with, and its bits; 0 bits where there is none."""
    found = [(0, 0)] * (1 << _PEEK)
    for symbol, (code, bits) in lengths_and_codes(table).items():
        start = code << (_PEEK - bits)
        end = (code + 1) << (_PEEK - bits)
        found[start:end] = [(symbol, bits)] * (end - start)
    return found
