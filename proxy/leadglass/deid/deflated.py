"""A deflated data set (PS3.5 section A.5) opened piece by piece within bounds, and closed again."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from leadglass.deid.refused import unreadable
from leadglass.limits import DEID_INFLATED_BYTES

_BEHIND: Final = 9  # the checksum and length of gzip, which some write, and a byte that makes the length even
_AT_ONCE: Final = 256 * 1024


class Deflated:
    """Opens and closes one data set. Raises Refusal `deid-unreadable`."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        self._room, self._behind, self._size = DEID_INFLATED_BYTES, 0, 0

    def opened(self, data: bytes) -> Iterator[bytes]:
        """Yield what the next bytes hold."""
        while not self._inflater.eof:
            try:
                piece = self._inflater.decompress(data, _AT_ONCE)
            except zlib.error:
                raise unreadable("deflated data set cannot be inflated") from None
            data = self._inflater.unused_data or self._inflater.unconsumed_tail
            self._room -= len(piece)
            if self._room < 0:
                raise unreadable(f"a deflated data set of more than {DEID_INFLATED_BYTES} bytes")
            if piece:
                yield piece
            elif not data:
                return
        self._behind += len(data)
        if self._behind > _BEHIND:
            raise unreadable("bytes behind a deflated data set")

    def finish(self) -> None:
        """Say that the file has ended."""
        if not self._inflater.eof:
            raise unreadable("the file ends within a deflated data set")

    def closed(self, pieces: Iterable[bytes], *, last: bool = False) -> list[bytes]:
        """Return what leaves of the data set; `last` ends it."""
        closed = self._deflater.compress(b"".join(pieces)) + (self._deflater.flush() if last else b"")
        self._size += len(closed)
        if last and self._size % 2:
            closed += b"\0"
        return [closed] if closed else []
