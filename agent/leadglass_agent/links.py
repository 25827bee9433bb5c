"""Leads the links in a JSON answer back through the loopback door, while it streams: elsewhere a viewer has no proof."""

import zlib
from collections.abc import Iterator
from typing import Final

_PIECE: Final = 256 * 1024  # what one step of gunzip may give: a small answer can open to a large one
_GZIP: Final = 31  # wbits: gzip alone (zlib.h, inflateInit2)


class BadEncoding(Exception):
    """The answer is not the gzip it says it is."""


class Links:
    """Replaces one address by another at the start of JSON strings. Feed it the body; `finish` gives what is left."""

    def __init__(self, old: str, new: str, *, gzip: bool) -> None:
        self._old, self._new = f'"{old}/'.encode(), f'"{new}/'.encode()
        self._held = b""
        self._gunzip = zlib.decompressobj(_GZIP) if gzip else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what can be told of the body so far. Raises BadEncoding."""
        for piece in self._opened(data):
            pieces = (self._held + piece).split(self._old)
            # Only what follows the last hit can be the start of another one.
            keep = _overlap(pieces[-1], self._old)
            self._held = pieces[-1][len(pieces[-1]) - keep :]
            pieces[-1] = pieces[-1][: len(pieces[-1]) - keep]
            if told := self._new.join(pieces):
                yield told

    def finish(self) -> bytes:
        """Give the rest. Raises BadEncoding when the gzip has not ended."""
        if self._gunzip is not None and not self._gunzip.eof:
            raise BadEncoding("the gzip is cut")
        return self._held

    def _opened(self, data: bytes) -> Iterator[bytes]:
        if self._gunzip is None:
            yield data
            return
        try:
            while data:
                yield self._gunzip.decompress(data, _PIECE)
                data = self._gunzip.unconsumed_tail
        except zlib.error:
            raise BadEncoding("the gzip is damaged") from None
        if self._gunzip.unused_data:
            raise BadEncoding("something follows the gzip")


def _overlap(data: bytes, wanted: bytes) -> int:
    """Return how many bytes at the end of `data` are the start of `wanted`."""
    return next((size for size in range(min(len(wanted) - 1, len(data)), 0, -1) if data.endswith(wanted[:size])), 0)
