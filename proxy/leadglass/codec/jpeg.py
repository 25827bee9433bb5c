"""JPEG and JPEG-LS (ITU-T T.81, T.87) with comments and application data overwritten by zeros.

Every byte keeps its place, so that tables of offsets and lengths told elsewhere stay true: a segment stays, and what it held does not.
Of application data only that remains which changes how colours are decoded, made anew: JFIF, Adobe's and HP's.
"""

import re
from typing import Final

from leadglass.codec.picture import PictureError

_SOI, _EOI, _SOS, _COM, _TEM = 0xD8, 0xD9, 0xDA, 0xFE, 0x01
_APPLICATION: Final = range(0xE0, 0xF0)
_EXTENSIONS: Final = frozenset({*range(0x02, 0xC0), *range(0xF0, 0xF7), *range(0xF9, 0xFE), 0xC8})  # reserved, JPGn
_RESTARTS: Final = range(0xD0, 0xD8)
_MARK: Final = 0xFF
_FIRST_IN_SCAN: Final = 0x80
# In a scan a byte behind FF is data when it is below 80 (JPEG stuffs 00, JPEG-LS a bit), and so are restarts.
_IN_SCAN: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
_SEGMENT: Final = 2  # the length of a segment counts itself
# By marker and length: bytes that are always the same, or the set of those that may stay.
_NUMBERS: Final = frozenset({0, 1, 2, 3})
_KEPT: Final[dict[tuple[int, int], tuple[int | frozenset[int], ...]]] = {
    (0xE0, 14): (*b"JFIF\0\1\1\0\0\1\0\1\0\0",),
    (0xEE, 12): (*b"Adobe\0d\0\0\0\0", _NUMBERS),
    (0xE8, 5): (*b"mrfx", _NUMBERS),
}
_START, _BETWEEN, _CODE, _LENGTH, _LENGTH_LOW, _BODY, _SCAN, _SCAN_MARK, _AFTER, _AFTER_MARK = range(10)


class JpegCleaner:
    """Cleans pictures one behind the other; as many bytes leave as come. What stands between two of them becomes zero."""

    def __init__(self) -> None:
        self._state, self._marker, self._left, self._at = _START, 0, 0, 0
        self._kept: tuple[int | frozenset[int], ...] | None = ()  # of the body: None when all of it stays
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return as many. Raises PictureError."""
        out = bytearray(data)
        at, end = 0, len(data)
        while at < end:
            if self._state == _BODY:
                at = self._body(out, at, end)
            elif self._state == _SCAN:
                at = self._scan(data, at, end)
            else:
                self._byte(out, at)
                at += 1
        return bytes(out)

    def fragment(self, first: bytes) -> None:
        """Say with which bytes a fragment begins. Raises PictureError when another picture begins within a segment."""
        if self._state in {_CODE, _LENGTH, _LENGTH_LOW, _BODY} and first.startswith(b"\xff\xd8\xff"):
            raise PictureError("a JPEG that ends within a segment")

    def finish(self) -> bytes:
        """Say that the last picture has ended. Raises PictureError when it ended within a segment."""
        if self._state in {_CODE, _LENGTH, _LENGTH_LOW, _BODY}:
            raise PictureError("a JPEG that ends within a segment")
        return b""

    def _byte(self, out: bytearray, at: int) -> None:
        """Take one byte outside of segments and scans."""
        byte, state = out[at], self._state
        if state == _CODE:
            if byte != _MARK:  # else a fill byte
                self._begin(byte)
        elif state == _LENGTH:
            self._left, self._state = byte << 8, _LENGTH_LOW
        elif state == _LENGTH_LOW:
            self._measure(self._left | byte)
        elif state == _SCAN_MARK:
            if byte not in _RESTARTS and byte >= _FIRST_IN_SCAN and byte != _MARK:
                self._begin(byte)
            elif byte != _MARK:
                self._state = _SCAN
        elif state in {_AFTER, _AFTER_MARK}:
            self._begun = found = state == _AFTER_MARK and byte == _SOI
            self._state = _BETWEEN if found else _AFTER_MARK if byte == _MARK else _AFTER
            if not found and byte != _MARK:
                out[at] = 0
        elif byte != _MARK:
            raise PictureError("no JPEG marker where one belongs")
        else:
            self._state = _CODE

    def _begin(self, marker: int) -> None:
        """Begin what a marker says."""
        if not self._begun and marker != _SOI:
            raise PictureError("no JPEG: it does not begin with SOI")
        self._begun = marker != _EOI
        if marker == _EOI:
            self._state = _AFTER
        elif marker in {_SOI, _TEM} or marker in _RESTARTS:
            self._state = _BETWEEN
        elif not marker:
            raise PictureError("no JPEG marker where one belongs")
        else:
            self._marker, self._state = marker, _LENGTH

    def _measure(self, length: int) -> None:
        """Begin the body of a segment."""
        if length < _SEGMENT:
            raise PictureError("a JPEG segment shorter than its length")
        self._left, self._at = length - _SEGMENT, 0
        told = self._marker == _COM or self._marker in _APPLICATION or self._marker in _EXTENSIONS
        self._kept = _KEPT.get((self._marker, self._left), ()) if told else None
        self._state = _BODY
        if not self._left:
            self._end()

    def _body(self, out: bytearray, at: int, end: int) -> int:
        """Take bytes of a segment."""
        stop = min(end, at + self._left)
        if self._kept is not None:
            while at < stop and self._at < len(self._kept):
                kept = self._kept[self._at]
                fits = out[at] == kept if isinstance(kept, int) else out[at] in kept
                if isinstance(kept, int) and self._at >= 5:  # noqa: PLR2004 - behind the name, made anew
                    out[at], fits = kept, True
                if not fits:
                    self._kept = ()
                    break
                at, self._at, self._left = at + 1, self._at + 1, self._left - 1
            out[at:stop] = bytes(stop - at)
        self._left -= stop - at
        if not self._left:
            self._end()
        return stop

    def _end(self) -> None:
        self._state = _SCAN if self._marker == _SOS else _BETWEEN

    def _scan(self, data: bytes, at: int, end: int) -> int:
        """Pass over coded pixels to the next marker."""
        found = _IN_SCAN.search(data, at)
        if found is not None:
            self._begin(data[found.end() - 1])
            return found.end()
        if data[end - 1] == _MARK:
            self._state = _SCAN_MARK
        return end
