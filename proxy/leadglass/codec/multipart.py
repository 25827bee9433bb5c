"""multipart/related (RFC 2046 section 5.1, RFC 2387), read as it streams and written anew.

Stricter than the RFC where readers differ: nothing but one CRLF before the first delimiter and after the last, no
padding behind a delimiter, no delimiter with other bytes behind it (`--abc` inside a body whose boundary is `ab`), no
nested multipart, no transfer or content encoding of parts, a part's Content-Length must be true, and a body without
its closing delimiter is not a body. What is forwarded is framed anew under a boundary of our own, so that bytes inside
a part can never be a delimiter to the next reader.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from leadglass.limits import BOUNDARY_CHARS, CONTENT_LENGTH_DIGITS, PART_HEADER_BYTES, STORE_PARTS
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the token of RFC 9110, not a secret
_MEDIA_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})[ \t]*")
# A value without quotes may hold a slash: viewers and archives write type=application/dicom.
_PARAMETER = re.compile(rf';[ \t]*({_TOKEN})=(?:"([^"\\]*)"|([!#$%&\'*+.^_`|~0-9A-Za-z/:-]+))[ \t]*')
# bcharsnospace of RFC 2046; blanks inside a boundary are legal there and read differently everywhere.
_BOUNDARY = re.compile(rf"[0-9A-Za-z'()+_,./:=?-]{{1,{BOUNDARY_CHARS}}}")
# The blanks around a value are cut off afterwards: told apart here, they would be tried in every division.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):([\t\x20-\x7e]*+)\r\n")
_LENGTH = re.compile(rf"0|[1-9][0-9]{{0,{CONTENT_LENGTH_DIGITS - 1}}}")
_PLAIN_ENCODINGS = frozenset({"binary", "8bit", "7bit"})

Fault: TypeAlias = Callable[[str], Exception]


def _bad_type(detail: str) -> Exception:
    return refuse(Code.MEDIA_TYPE_REFUSED, detail)


def _bad_body(detail: str) -> Exception:
    return refuse(Code.STORE_UNREADABLE, detail)


@dataclass(frozen=True, slots=True)
class ContentType:
    """A parsed Content-Type: `media` and parameter names in lower case, parameter values as sent."""

    media: str
    parameters: Mapping[str, str]

    @property
    def boundary(self) -> str | None:
        """The boundary parameter, None when absent."""
        return self.parameters.get("boundary")

    @property
    def canonical(self) -> str:
        """The media type alone, with its `type` when it is multipart: what route rows are compared with."""
        inner = self.parameters.get("type", "").lower()
        return f'{self.media}; type="{inner}"' if self.media.startswith("multipart/") and inner else self.media

    @property
    def text(self) -> str:
        """The type as the gateway writes it, with its boundary when it has one."""
        return f'{self.canonical}; boundary="{self.boundary}"' if self.boundary else self.canonical


def parse_content_type(value: str, fault: Fault = _bad_type) -> ContentType:
    """Parse a Content-Type strictly (RFC 9110 section 8.3.1): no repeated parameter, a legal boundary.

    Raises what `fault` makes of a detail: Refusal `media-type-refused` unless told otherwise.
    """
    head = _MEDIA_TYPE.match(value)
    if head is None:
        raise fault("malformed Content-Type")
    parameters: dict[str, str] = {}
    at = head.end()
    while at < len(value):
        found = _PARAMETER.match(value, at)
        if found is None or found[1].lower() in parameters:
            raise fault("malformed Content-Type parameter")
        parameters[found[1].lower()] = found[2] if found[2] is not None else found[3]
        at = found.end()
    media = head[1].lower()
    boundary = parameters.get("boundary")
    if media.startswith("multipart/") != (boundary is not None):
        raise fault("boundary without multipart, or multipart without boundary")
    if boundary is not None and _BOUNDARY.fullmatch(boundary) is None:
        raise fault("illegal boundary")
    return ContentType(media, parameters)


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins. Field names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some bytes of the part that has begun; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part that has begun is whole."""


@dataclass(frozen=True, slots=True)
class End:
    """The closing delimiter has come."""


Event: TypeAlias = PartBegin | PartData | PartEnd | End
_PART_END, _END = PartEnd(), End()


class _State(Enum):
    START = auto()
    DELIMITER = auto()  # right behind a delimiter: CRLF or "--"
    HEADERS = auto()
    BLANK = auto()  # the blank line: it may also be the CRLF of the delimiter of a part without content
    DATA = auto()
    EPILOGUE = auto()


class Parser:
    """Incremental reader: `feed` gives the events that the bytes so far amount to, `finish` says that no more come.

    Holds at most one part's headers, or a delimiter's length of data. `fault` makes the exception for a detail:
    Refusal `store-unreadable` unless told otherwise (`UpstreamBroken` for replies). After a fault it must be dropped.
    """

    def __init__(self, boundary: str, *, max_parts: int = STORE_PARTS, fault: Fault = _bad_body) -> None:
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._max_parts, self._fault = max_parts, fault
        self._state = _State.START
        self._held = b""
        self._parts = 0
        self._declared: int | None = None
        self._seen = 0

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, in pieces of any size."""
        events: list[Event] = []
        buffer = self._held + data if self._held else data
        at = 0
        while True:
            before, state = at, self._state
            at = _STEPS[state](self, buffer, at, events)
            if at == before and self._state is state:
                break
        self._held = buffer[at:]
        return events

    def finish(self) -> None:
        """Say that the body has ended. Raises the fault unless the closing delimiter has come."""
        if self._state is not _State.EPILOGUE or self._held not in {b"", b"\r\n"}:
            raise self._fault("multipart body without its closing delimiter")

    def _start(self, buffer: bytes, at: int, _events: list[Event]) -> int:
        # The first delimiter may stand at the very beginning, without its CRLF.
        for opening in (self._delimiter, self._delimiter[2:]):
            if buffer.startswith(opening, at):
                self._state = _State.DELIMITER
                return at + len(opening)
            if opening.startswith(buffer[at:]):
                return at
        raise self._fault("bytes before the first delimiter")

    def _behind_delimiter(self, buffer: bytes, at: int, events: list[Event]) -> int:
        behind = buffer[at : at + 2]
        if behind == b"\r\n":
            self._parts += 1
            if self._parts > self._max_parts:
                raise self._fault(f"more than {self._max_parts} parts")
            self._state = _State.HEADERS
            return at + 2
        if behind == b"--":
            if not self._parts:
                raise self._fault("no part")
            self._state = _State.EPILOGUE
            events.append(_END)
            return at + 2
        if behind in {b"", b"\r", b"-"}:
            return at
        raise self._fault("delimiter with other bytes behind it")

    def _headers(self, buffer: bytes, at: int, events: list[Event]) -> int:
        if buffer.startswith(b"\r\n", at):
            end = at
        elif (end := buffer.find(b"\r\n\r\n", at, at + PART_HEADER_BYTES)) >= 0:
            end += 2
        elif len(buffer) - at >= PART_HEADER_BYTES:
            raise self._fault(f"part headers of more than {PART_HEADER_BYTES} bytes")
        else:
            return at
        headers = self._parse_headers(buffer[at:end])
        declared = headers.get("content-length")
        self._declared, self._seen = None if declared is None else int(declared), 0
        events.append(PartBegin(headers))
        self._state = _State.BLANK
        return end

    def _parse_headers(self, block: bytes) -> dict[str, str]:
        headers: dict[str, str] = {}
        at = 0
        while at < len(block):
            field = _FIELD.match(block, at)
            if field is None:
                raise self._fault("malformed part header")
            name = field[1].decode("ascii").lower()
            if name in headers or "_" in name:
                raise self._fault("part header repeated or with an underscore")
            headers[name] = field[2].strip(b" \t").decode("ascii")
            at = field.end()
        if headers.get("content-type", "").lower().startswith(("multipart/", "message/")):
            raise self._fault("nested multipart")
        if headers.get("content-transfer-encoding", "binary").lower() not in _PLAIN_ENCODINGS:
            raise self._fault("encoded part")
        if "content-encoding" in headers:
            raise self._fault("encoded part")
        if _LENGTH.fullmatch(headers.get("content-length", "0")) is None:
            raise self._fault("malformed Content-Length of a part")
        return headers

    def _blank(self, buffer: bytes, at: int, events: list[Event]) -> int:
        if buffer.startswith(self._delimiter, at):
            return self._end_part(at, events)
        if self._delimiter.startswith(buffer[at:]):
            return at
        self._state = _State.DATA
        return at + 2

    def _data(self, buffer: bytes, at: int, events: list[Event]) -> int:
        # Most chunks hold none, and `rfind` finds that out in half the time of `find`.
        found = buffer.find(self._delimiter, at) if buffer.rfind(self._delimiter, at) >= 0 else -1
        if found >= 0:
            self._emit(buffer, at, found, events)
            return self._end_part(found, events)
        # Keep back only what may still become a delimiter.
        end = len(buffer)
        start = max(at, end - len(self._delimiter) + 1)
        while (start := buffer.find(b"\r", start)) >= 0 and not self._delimiter.startswith(buffer[start:]):
            start += 1
        keep = end if start < 0 else start
        self._emit(buffer, at, keep, events)
        return keep

    def _emit(self, buffer: bytes, start: int, end: int, events: list[Event]) -> None:
        if end > start:
            self._seen += end - start
            if self._declared is not None and self._seen > self._declared:
                raise self._fault("part longer than its Content-Length")
            events.append(PartData(buffer[start:end] if end - start < len(buffer) else buffer))

    def _end_part(self, at: int, events: list[Event]) -> int:
        if self._declared is not None and self._seen != self._declared:
            raise self._fault("part shorter than its Content-Length")
        events.append(_PART_END)
        self._state = _State.DELIMITER
        return at + len(self._delimiter)

    def _epilogue(self, buffer: bytes, at: int, _events: list[Event]) -> int:
        if not b"\r\n".startswith(buffer[at:]):
            raise self._fault("bytes after the closing delimiter")
        return at


_STEPS: Final[Mapping[_State, Callable[[Parser, bytes, int, list[Event]], int]]] = {
    _State.START: Parser._start,  # noqa: SLF001 - the parser's own table of steps
    _State.DELIMITER: Parser._behind_delimiter,  # noqa: SLF001 - likewise
    _State.HEADERS: Parser._headers,  # noqa: SLF001 - likewise
    _State.BLANK: Parser._blank,  # noqa: SLF001 - likewise
    _State.DATA: Parser._data,  # noqa: SLF001 - likewise
    _State.EPILOGUE: Parser._epilogue,  # noqa: SLF001 - likewise
}


class Writer:
    """Frames parts under a random boundary, which no content can have been made to contain."""

    def __init__(self, media_type: str, boundary: str | None = None) -> None:
        self.boundary = boundary or secrets.token_hex(24)
        self.content_type = f'multipart/related; type="{media_type}"; boundary={self.boundary}'
        self._first = True

    def part(self, headers: Iterable[tuple[str, str]]) -> bytes:
        """Return the bytes that open a part; its content follows as it is."""
        opening = "--" if self._first else "\r\n--"
        self._first = False
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"{opening}{self.boundary}\r\n{fields}\r\n".encode("ascii")

    def end(self) -> bytes:
        """Return the closing delimiter."""
        return f"\r\n--{self.boundary}--\r\n".encode("ascii")
