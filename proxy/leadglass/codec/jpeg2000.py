"""JPEG 2000 codestreams (ITU-T T.800 annex A, T.814) with comments overwritten by zeros; every byte keeps its place.

A codestream in a file of boxes (JP2) is refused: DICOM has none (PS3.5 section A.4.4), and boxes hold XML and more.
"""

import re
from typing import Final

from leadglass.codec.picture import PictureError

_SOC, _SOT, _SOD, _EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
# Segments that decoding needs: CAP SIZ COD COC TLM PRF PLM PLT CPF QCD QCC RGN POC PPM PPT CRG.
_KEPT: Final = frozenset(
    {0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF55, 0xFF56, 0xFF57, 0xFF58, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60, 0xFF61, 0xFF63}
)  # fmt: skip
_BARE: Final = range(0xFF30, 0xFF40)
_FIRST: Final = 0xFF00
_MARKER, _MEASURED, _PART = 2, 4, 12  # bytes of a marker, with its length, and of a whole SOT
# In the data of a tile-part FF is followed by at most 8F, but for SOP and EPH.
_IN_DATA: Final = re.compile(rb"\xff[\x90\x93-\xff]")
_BEGINNING: Final = b"\xff\x4f\xff\x51"


class CodestreamCleaner:
    """Cleans codestreams one behind the other; as many bytes leave as come. What stands between two of them becomes zero."""

    def __init__(self) -> None:
        self._held = bytearray()  # of what is not whole; these bytes have left already
        self._want = _MARKER
        self._skip, self._zero = 0, False
        self._part: int | None = None  # bytes left of the tile-part
        self._inside = self._open = self._ended = False
        self._mark = b""  # an FF at the end of what has come

    def fragment(self, first: bytes) -> None:
        """Say with which bytes a fragment begins. Raises PictureError when another codestream begins within one."""
        if self._open or ((self._skip or self._held) and first.startswith(_BEGINNING)):
            raise PictureError("a JPEG 2000 codestream that does not end")

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return as many. Raises PictureError."""
        out = bytearray(data)
        at, end = 0, len(data)
        while at < end:
            if self._skip:
                step = min(self._skip, end - at)
                if self._zero:
                    out[at : at + step] = bytes(step)
                at, self._skip = at + step, self._skip - step
            elif self._open:
                at = self._data(data, at)
            else:
                self._held.append(out[at])
                if not self._inside:
                    self._outside(out, at)
                elif len(self._held) == self._want:
                    self._segment(self._held)
                at += 1
        return bytes(out)

    def finish(self) -> bytes:
        """Say that the last codestream has ended."""
        return b""

    def _outside(self, out: bytearray, at: int) -> None:
        """Take a byte of a beginning, or overwrite one that stands behind an end."""
        if _BEGINNING.startswith(self._held):
            if len(self._held) == _MARKER:
                self._inside = True
                self._next()
            return
        if not self._ended:
            raise PictureError("no JPEG 2000 codestream")
        again = self._held[-1] == _BEGINNING[0]
        self._held = self._held[-1:] if again else bytearray()
        if not again:
            out[at] = 0

    def _segment(self, held: bytearray) -> None:
        """Do what is whole of a marker, its length, and the head of a tile-part."""
        marker = int.from_bytes(held[:2], "big")
        if len(held) == _MARKER:
            self._begin(marker)
        elif marker == _SOT:
            size = int.from_bytes(held[6:10], "big")
            self._part = size - _PART if size else None
            self._next()
        else:
            length = int.from_bytes(held[2:4], "big")
            if length < _MARKER:
                raise PictureError("a JPEG 2000 segment shorter than its length")
            self._skip, self._zero = length - _MARKER, marker not in _KEPT
            self._next(length + _MARKER)

    def _begin(self, marker: int) -> None:
        if marker < _FIRST:
            raise PictureError("no JPEG 2000 marker where one belongs")
        if marker == _SOT:
            self._want = _PART
        elif marker == _SOD:
            self._next(_MARKER)
            self._open = self._part is None
            self._skip, self._zero, self._part = self._part or 0, False, None
        elif marker == _EOC:
            self._inside, self._ended = False, True
            self._next()
        elif marker in _BARE:
            self._next(_MARKER)
        else:
            self._want = _MEASURED

    def _next(self, used: int = 0) -> None:
        """Go on to the next marker; `used` are bytes of a tile-part that are done."""
        self._held.clear()
        self._want = _MARKER
        if self._part is not None:
            self._part -= used
            if self._part < 0:
                raise PictureError("a JPEG 2000 tile-part shorter than its header")

    def _data(self, data: bytes, at: int) -> int:
        """Pass over the data of a tile-part that goes on to the end of the codestream."""
        before, self._mark = self._mark, b""
        found = _IN_DATA.search(before + data[at : at + 1]) if before else None
        behind = at + 1
        if found is None:
            found = _IN_DATA.search(data, at)
            if found is None:
                self._mark = data[-1:] if data.endswith(b"\xff") else b""
                return len(data)
            behind = found.end()
        if found.group() != b"\xff\xd9":
            raise PictureError("a JPEG 2000 marker within data")
        self._open, self._inside, self._ended = False, False, True
        return behind
