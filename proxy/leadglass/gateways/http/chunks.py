"""The chunked coding of request bodies (RFC 9112 section 7.1), undone strictly and without I/O.

Beside llhttp rather than through it: the parser tells neither the size line as it was written (`05`, a thousand
zeros) nor where, inside one read, the body ended and the next request began. Extensions and trailers are bounded,
checked and dropped. Sizes are canonical: `"0" / %x31-39,A-F,a-f *14HEXDIG`.
"""

import re
from typing import Final

from leadglass.limits import CHUNK_EXTENSION_BYTES, TRAILER_BYTES
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_SIZE: Final = re.compile(rb"(0|[1-9A-Fa-f][0-9A-Fa-f]{0,14})((?:[ \t]*;[\t\x20-\x7e]*)?)")
_PLAIN: Final = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,14})\r\n")  # the size line that nearly every chunk has
_SIZE_LINE_BYTES: Final = 15 + CHUNK_EXTENSION_BYTES + 2
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^`|~0-9A-Za-z-]+:[\t\x20-\x7e]*")
_SIZE_LINE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkDecoder:
    """Undoes one chunked body, fed in pieces of any size."""

    __slots__ = ("_extension", "_held", "_left", "_state", "_trailers")

    def __init__(self) -> None:
        self._state = _SIZE_LINE
        self._held = b""  # an unfinished size line, chunk end or trailer line
        self._left = 0
        self._extension = 0
        self._trailers = 0

    @property
    def done(self) -> bool:
        """Whether the last chunk and the trailers have been read."""
        return self._state == _DONE

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """Take the next piece; return the body's bytes in it, and what lies beyond the body.

        Raises Refusal `http-malformed`.
        """
        out: list[bytes] = []
        if self._held:
            data, self._held = self._held + data, b""
        at, end = 0, len(data)
        while at < end and self._state != _DONE:
            if self._state == _SIZE_LINE and (plain := _PLAIN.match(data, at)) is not None:
                # Chunks that are here whole are taken at once, or a body of one-byte chunks would cost dearly.
                start = plain.end()
                stop = start + int(plain[1], 16)
                if data[stop : stop + 2] == b"\r\n":
                    out.append(data[start:stop])
                    at = stop + 2
                    continue
            if self._state == _DATA:
                piece = data[at : at + self._left]
                out.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
            elif self._state == _DATA_END:
                if not b"\r\n".startswith(data[at : at + 2]):
                    raise refuse(Code.HTTP_MALFORMED, "chunk end")
                if end - at == 1:
                    self._held = b"\r"
                    return out, b""
                at += 2
                self._state = _SIZE_LINE
            else:
                line_end = self._line_end(data, at)
                if line_end < 0:
                    self._held = data[at:]
                    return out, b""
                self._line(data[at:line_end])
                at = line_end + 2
        return out, data[at:]

    def _line_end(self, data: bytes, at: int) -> int:
        """Return where the line that starts at `at` ends, -1 when its end has not come yet."""
        bound = _SIZE_LINE_BYTES if self._state == _SIZE_LINE else TRAILER_BYTES - self._trailers
        line_end = data.find(b"\r\n", at, at + bound)
        if line_end < 0 and len(data) - at >= bound:
            raise refuse(Code.HTTP_MALFORMED, "chunk extension or trailer too long")
        return line_end

    def _line(self, line: bytes) -> None:
        if self._state == _TRAILERS:
            self._trailers += len(line) + 2
            if not line:
                self._state = _DONE
            elif _TRAILER.fullmatch(line) is None:
                raise refuse(Code.HTTP_MALFORMED, "trailer")
            return
        match = _SIZE.fullmatch(line)
        if match is None:
            raise refuse(Code.HTTP_MALFORMED, "chunk size")
        self._extension += len(match[2])
        if self._extension > CHUNK_EXTENSION_BYTES:
            raise refuse(Code.HTTP_MALFORMED, "chunk extensions too long")
        self._left = int(match[1], 16)
        self._state = _DATA if self._left else _TRAILERS
