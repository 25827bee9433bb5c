"""Where a reply of the archive begins and ends (RFC 9112 sections 4, 6 and 7). Sans-io; must not read a socket.

llhttp parses, and this module refuses what llhttp lets through: a status outside 100 - 599, other versions, control
characters in the reason, transfer codings but one `chunked`, Content-Length in odd forms or beside 204. A parser sees
one reply and never a byte beyond it, so that HEAD, 1xx, 204 and 304 cannot make it swallow the next.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple, Protocol

import httptools

from leadglass.limits import CHUNK_EXTENSION_BYTES, CONTENT_LENGTH_DIGITS, HEADER_FIELDS, TRAILER_BYTES
from leadglass.model.errors import UpstreamBroken


class Framing(IntEnum):
    """How the end of a body is told."""

    NONE = 0
    LENGTH = 1
    CHUNKED = 2
    CLOSE = 3


class _Parser(Protocol):
    def feed_data(self, data: bytes, /) -> None: ...


# status-line = HTTP-version SP status-code SP [ reason-phrase ]; a missing last space is common and harmless
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_LENGTH = re.compile(rf"0|[1-9][0-9]{{0,{CONTENT_LENGTH_DIGITS - 1}}}")
_BOUNDARY = re.compile(r';[ \t]*boundary=(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)

_SWITCHING = 101
_OK = 200
_REDIRECTION = 300
_BODILESS = frozenset({204, 304})
_FRAMING_FIELDS = frozenset({"content-length", "transfer-encoding"})
# The fields of a reply that anything here or after this reads; no other is taken over from an archive.
_READ = {
    name.encode(): name
    for name in (
        *("connection", "content-encoding", "content-length", "content-type", "transfer-encoding"),
        *("content-location", "link", "location", "warning"),
    )
}


class _Collector:
    """What llhttp calls back; lives as long as one reply."""

    __slots__ = ("chunks", "complete", "delivered", "excess", "fields", "headed", "pieces")

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.delivered = 0
        self.chunks = 0
        self.headed = False
        self.complete = False
        self.excess = False

    def on_message_begin(self) -> None:
        self.excess = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.headed:  # trailers are dropped
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_chunk_header(self) -> None:
        self.chunks += 1

    def on_body(self, data: bytes) -> None:
        self.pieces.append(data)
        self.delivered += len(data)

    def on_message_complete(self) -> None:
        self.complete = True


class ChunkedBody:
    """Undoes the chunked coding and knows where it ends. Extensions and trailers are bounded and dropped."""

    def __init__(self, parser: _Parser, collector: _Collector) -> None:
        self._parser, self._collector = parser, collector
        self._fed = 0
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they came and return the body they hold. Raises UpstreamBroken."""
        collector = self._collector
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise UpstreamBroken(f"chunked coding: {type(error).__name__}") from None
        self._fed += len(data)
        if self._fed - collector.delivered > TRAILER_BYTES + CHUNK_EXTENSION_BYTES * collector.chunks:
            raise UpstreamBroken("chunk extensions or trailers beyond the bound")
        pieces, collector.pieces = collector.pieces, []
        self._tail = (self._tail + data[-6:])[-6:]
        if collector.complete and (
            collector.excess or not self._tail.endswith(b"\r\n\r\n") or self._tail.endswith(b"\n\r\n\r\n")
        ):
            # llhttp skips line ends before a next message without a word; so the last bytes are looked at
            raise UpstreamBroken("bytes after the last chunk")
        return pieces

    @property
    def complete(self) -> bool:
        """Whether the last chunk and the trailers have been seen."""
        return self._collector.complete


class ReplyHead(NamedTuple):
    """A reply's head, and how its body is framed.

    `headers` are those that are read (`_READ`). `length` is None but for Framing.LENGTH and NONE. `keep` says whether
    the connection may serve another request. `closer` is the closing delimiter of a multipart body, which stands for its
    end when the framing is CLOSE.
    """

    status: int
    headers: Mapping[str, str]
    framing: Framing
    length: int | None
    keep: bool
    closer: bytes = b""
    chunked: ChunkedBody | None = None


def parse_head(raw: bytes) -> ReplyHead:
    """Parse a reply head that ends with its empty line. Raises UpstreamBroken on anything doubtful."""
    line = _STATUS_LINE.match(raw)
    if line is None:
        raise UpstreamBroken("status line")
    collector = _Collector()
    parser: _Parser = httptools.HttpResponseParser(collector)
    try:
        parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
        raise UpstreamBroken(f"head: {type(error).__name__}") from None
    if not collector.headed or collector.excess:
        raise UpstreamBroken("head does not end where it should")
    if len(collector.fields) > HEADER_FIELDS:
        raise UpstreamBroken("too many header fields")
    headers: dict[str, str] = {}
    for raw_name, raw_value in collector.fields:
        name = _READ.get(raw_name.lower())
        if name is None:
            continue
        value = raw_value.decode("latin-1").strip(" \t")
        if name not in headers:
            headers[name] = value
        elif name in _FRAMING_FIELDS:
            raise UpstreamBroken("more than one framing field")
        else:
            headers[name] = f"{headers[name]}, {value}"
    if headers.keys() >= _FRAMING_FIELDS:
        raise UpstreamBroken("more than one framing field")
    return _framed(int(line[2]), headers, parser, collector, persistent=line[1] == b"1")


def _framed(
    status: int, headers: dict[str, str], parser: _Parser, collector: _Collector, *, persistent: bool
) -> ReplyHead:
    """Decide where the body ends (RFC 9112 section 6.3)."""
    coding, declared = headers.get("transfer-encoding"), headers.get("content-length")
    if declared is not None and not _LENGTH.fullmatch(declared):
        raise UpstreamBroken("Content-Length")
    if coding is not None and (coding.lower() != "chunked" or not persistent):
        raise UpstreamBroken("Transfer-Encoding")
    keep = persistent and "close" not in headers.get("connection", "").lower()
    if status < _OK or status in _BODILESS:
        if status == _SWITCHING:
            raise UpstreamBroken("switching protocols")
        if coding is not None or (declared not in {None, "0"} and status != 304):  # noqa: PLR2004 - its length is of another body
            raise UpstreamBroken("framing fields where there is no body")
        return ReplyHead(status, headers, Framing.NONE, 0, keep and declared in {None, "0"})
    if coding is not None:
        return ReplyHead(status, headers, Framing.CHUNKED, None, keep, chunked=ChunkedBody(parser, collector))
    if declared is not None:
        length = int(declared)
        return ReplyHead(status, headers, Framing.LENGTH if length else Framing.NONE, length, keep)
    kind = headers.get("content-type", "")
    boundary = _BOUNDARY.search(kind) if kind.lower().startswith("multipart/") else None
    if boundary is None and status < _REDIRECTION:
        # The end of the connection alone would pass a truncated reply for a whole one.
        raise UpstreamBroken("a body without length")
    closer = b"" if boundary is None else f"--{boundary[1] or boundary[2]}--".encode("latin-1")
    return ReplyHead(status, headers, Framing.CLOSE, None, keep=False, closer=closer)
