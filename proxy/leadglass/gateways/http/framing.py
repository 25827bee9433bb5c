"""Reading one request head: strict before the parser, strict after it (RFC 9112 sections 2 to 6).

The whole head is checked byte for byte by `codec.head`, then fed, alone, to a fresh llhttp in its strict mode; what
the parser saw is what everyone sees. The door needs to know where the message ends before anything else looks at the
request, so framing is judged here. "A sender MUST NOT send a Content-Length header field in any message that contains
a Transfer-Encoding header field" (6.2): such a message, and every form of either field that two parties could read
differently, is refused.

A client sends the same field lines with each request of a connection. What such bytes say is remembered as long as the
connection lives, so that only the request line is read anew; nothing that is decided about a request is.
"""

import re
from dataclasses import dataclass
from typing import Final

import httptools

from leadglass.codec.head import check_fields, check_line
from leadglass.limits import CONTENT_LENGTH_DIGITS, FIELDS_KEPT_BYTES
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.model.request import Kept, RawHead

_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,%d}" % (CONTENT_LENGTH_DIGITS - 1))

# Fields that decide where a message ends or what becomes of its connection.
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"})
_BODY: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})
# Twins that a CGI-like upstream folds into them.
_TWINS: Final = frozenset({b"content_length", b"transfer_encoding"})


@dataclass(slots=True)
class Fields:
    """Field lines and what they say of framing: `length` of the body in bytes, None when it is chunked."""

    lines: tuple[tuple[bytes, bytes], ...]
    length: int | None = 0
    close: bool = False
    expect: bool = False
    kept: Kept | None = None


class _Collector:
    """What llhttp calls back."""

    __slots__ = ("fields", "framing", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.framing: list[tuple[bytes, bytes]] = []

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        field = (name.lower(), value.strip(b" \t"))
        self.fields.append(field)
        if field[0] in _FRAMING or field[0] in _TWINS:
            self.framing.append(field)


class HeadReader:
    """Reads the heads of one connection."""

    __slots__ = ("_known", "_room")

    def __init__(self) -> None:
        self._known: dict[bytes, Fields] = {}
        self._room = FIELDS_KEPT_BYTES

    def read(self, head: bytes) -> tuple[RawHead, Fields]:
        """Read a head that ends in CRLFCRLF, and nothing after it. Raises Refusal (400, 415, 431 and kin)."""
        line = check_line(head)
        block = head[line.end() :]
        fields = self._known.get(block)
        if fields is None:
            check_fields(block)
            fields = _parse(head, line)
            self._remember(block, fields)
        return RawHead(line[1].decode("ascii"), line[2], fields.lines, fields.kept), fields

    def _remember(self, block: bytes, fields: Fields) -> None:
        if len(block) > FIELDS_KEPT_BYTES:
            return
        self._room -= len(block)
        if self._room < 0:
            self._known.clear()
            self._room = FIELDS_KEPT_BYTES - len(block)
        fields.kept = Kept()
        self._known[block] = fields


def _parse(head: bytes, line: re.Match[bytes]) -> Fields:
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade as upgrade:
        # llhttp stops where another protocol would begin, and the head ends nowhere else.
        if upgrade.args[0] != len(head):
            raise refuse(Code.HTTP_MALFORMED, "upgrade") from None
    except httptools.HttpParserError as error:
        raise refuse(Code.HTTP_MALFORMED, f"parser: {type(error).__name__}") from None
    if (parser.get_method(), collector.target) != line.groups():
        raise refuse(Code.HTTP_MALFORMED, "two readings of the request line")
    fields = Fields(tuple(collector.fields))
    if collector.framing:
        _frame(fields, collector.framing)
    return fields


def _single(fields: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    seen: dict[bytes, bytes] = {}
    for name, value in fields:
        if name == b"connection" and name in seen:  # a list: two lines are one list (RFC 9110 section 5.3)
            seen[name] += b"," + value
        elif name in seen or name in _TWINS:
            raise refuse(Code.HTTP_MALFORMED, f"{name.decode('ascii', 'replace')}: refused, twice, or a twin")
        else:
            seen[name] = value
    return seen


def _frame(said: Fields, lines: list[tuple[bytes, bytes]]) -> None:
    seen = _single(lines)
    length, coding = seen.get(b"content-length"), seen.get(b"transfer-encoding")
    if length is not None:
        if coding is not None or _LENGTH.fullmatch(length) is None:
            raise refuse(Code.HTTP_MALFORMED, "content-length")
        said.length = int(length)
    elif coding is not None:
        if coding.lower() != b"chunked":
            raise refuse(Code.HTTP_MALFORMED, "transfer-encoding")
        said.length = None
    options = {option.strip(b" \t") for option in seen.get(b"connection", b"").lower().split(b",")}
    said.close = b"close" in options
    if b"upgrade" in options or b"upgrade" in seen:
        # A WebSocket's handshake in its one form (RFC 6455 section 4.1); who may have it is asked later. Whatever the answer,
        # no further request is read from this connection: the client may take what follows for frames.
        if b"upgrade" not in options or seen.get(b"upgrade", b"").lower() != b"websocket" or seen.keys() & _BODY:
            raise refuse(Code.HTTP_MALFORMED, "upgrade")
        said.close = True
    if (expect := seen.get(b"expect")) is not None:
        if expect.lower() != b"100-continue":
            raise refuse(Code.HTTP_MALFORMED, "expect")
        said.expect = said.length is None or said.length > 0
