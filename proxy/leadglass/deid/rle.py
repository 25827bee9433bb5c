"""RLE of DICOM (PS3.5 annex G): a frame is up to 15 segments of bytes, each packed by itself.

Ours, because a decoder must not fall over what an archive holds: bounded by the size that the header gives, and refused
with a ValueError when it is not exactly that.
"""

import re
import struct
from typing import Final

_HEAD: Final = struct.Struct("<16L")
_SEGMENTS: Final = 15
_SAME: Final = 128  # control bytes above repeat the next byte, those below copy
_MOST: Final = 128  # bytes of one run
_RUN: Final = re.compile(rb"(.)\1{2,127}", re.DOTALL)


def unpack(frame: bytes, segments: int, size: int) -> list[bytes]:
    """Return the segments of a frame, each of `size` bytes. Raises ValueError."""
    if len(frame) < _HEAD.size:
        raise ValueError("no header")
    count, *starts = _HEAD.unpack_from(frame)
    starts = starts[:segments]
    if count != segments or not 0 < segments <= _SEGMENTS or starts[0] != _HEAD.size:
        raise ValueError("another number of segments")
    ends = [*starts[1:], len(frame)]
    if any(not start < end <= len(frame) for start, end in zip(starts, ends, strict=True)):
        raise ValueError("segments that do not follow one another")
    return [_unpack(frame[start:end], size) for start, end in zip(starts, ends, strict=True)]


def _unpack(segment: bytes, size: int) -> bytes:
    """Undo one segment. What follows its last run is padding, and not looked at."""
    found, at = bytearray(), 0
    while len(found) < size:
        if at + 1 >= len(segment):
            raise ValueError("a segment that ends too early")
        control = segment[at]
        if control > _SAME:
            found += segment[at + 1 : at + 2] * (257 - control)
            at += 2
        elif control < _SAME:
            found += segment[at + 1 : at + 2 + control]
            at += 2 + control
        else:
            at += 1
    if len(found) != size or at > len(segment):
        raise ValueError("a segment of another size")
    return bytes(found)


def pack(segments: list[bytes], columns: int) -> bytes:
    """Return the frame of these segments. No run goes on from one row to the next."""
    packed = []
    for segment in segments:
        rows = b"".join(_pack(segment[at : at + columns]) for at in range(0, len(segment), columns))
        packed.append(rows + b"\0" if len(rows) % 2 else rows)
    starts, at = [], _HEAD.size
    for one in packed:
        starts.append(at)
        at += len(one)
    return b"".join((_HEAD.pack(len(starts), *starts, *(0,) * (_SEGMENTS - len(starts))), *packed))


def _pack(row: bytes) -> bytes:
    found, at = bytearray(), 0
    for run in _RUN.finditer(row):
        _copy(found, row[at : run.start()])
        found += bytes((257 - (run.end() - run.start()), run[1][0]))
        at = run.end()
    _copy(found, row[at:])
    return bytes(found)


def _copy(found: bytearray, rest: bytes) -> None:
    for at in range(0, len(rest), _MOST):
        piece = rest[at : at + _MOST]
        found.append(len(piece) - 1)
        found += piece
