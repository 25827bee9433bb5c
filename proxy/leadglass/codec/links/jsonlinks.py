r"""Links in DICOM JSON (PS3.18 annex F), led while the text streams and without parsing the rest of it.

Looked for is what only an attribute with a link holds: a member BulkDataURI, a value representation UR, or the tag of
Retrieve URL. In valid JSON the bytes `"UR"`, quotes included and with no backslash before them, are a whole string:
were the first quote the end of another string, a letter could not follow it. The attribute around it is the nearest
brace from which flat JSON reads on to that very byte. From a brace inside a string it cannot: between such a brace and
the byte stands an odd number of quotes that are not escaped, so the reading arrives inside a string. That attribute
alone is parsed and, where a link changed, written anew. Every other byte passes as it came, but for escaped letters and
digits (`\u0055R`), which are written plain before anything is looked for.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from leadglass.limits import LINK_ATTRIBUTE_BYTES, LINK_BLANKS
from leadglass.model.errors import UpstreamBroken
from leadglass.model.ports import Links

RETRIEVE_URL: Final = "00081190"
"""The attribute that viewers follow whatever its value representation."""
_URI, _UR, _RETRIEVE_URL = b'"BulkDataURI"', b'"UR"', f'"{RETRIEVE_URL}"'.encode()
_ANCHORS: Final = (_URI, _UR, _RETRIEVE_URL)
_LONGEST: Final = max(map(len, _ANCHORS))
_BLANK: Final = b" \t\r\n"
_BEFORE: Final = 3 * LINK_BLANKS  # where the tag of an attribute is looked for
_KEPT: Final = LINK_ATTRIBUTE_BYTES + _BEFORE

# An object from its brace on, as far as it is flat: no backslash outside strings, no brace, every string closed.
_FLAT = re.compile(rb'\{(?:[^"{}\\]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_KEY = re.compile(rb'(?<!\\)"([0-9A-Fa-f]{8})"[ \t\r\n]*:[ \t\r\n]*\Z')
# Every escape is looked at, so that the second half of an escaped backslash is never taken for the start of one.
_ESCAPE = re.compile(rb"\\(?:u00(3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])|.)", re.DOTALL)
_HALF_ESCAPE = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?")

_BACKSLASH, _COLON, _BRACE = b"\\:{"
_ESCAPE_BYTES: Final = 6  # \\u0041

DATA_TAGS: Final = frozenset(
    {"00020026", "00020027", "00020028", "0008010E", "00080120", "0008040B", "00687005", "00720071", "0074100A"}
)
"""Attributes of value representation UR that name a thing or a person to turn to, and no place that images come from."""


class _More(Exception):
    """What is here does not tell yet: more bytes are needed. `start` is the first that must be kept."""

    def __init__(self, start: int) -> None:
        self.start = start


class JsonLinks:
    """Takes JSON in pieces of any size and gives it back with its links led. Raises UpstreamBroken.

    Keeps little more than LINK_ATTRIBUTE_BYTES, which is also how far an attribute with a link may reach.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._held = b""
        self._escape = b""  # the first half of one
        self._looked = 0  # up to where in `_held` nothing is to be found
        self._open = False  # whether an attribute with a link has begun

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave."""
        buffer = self._held + self._plain(data)
        out: list[bytes] = []
        done = over = 0  # what is in `out`, and what is looked through
        self._open = False
        for anchor, found in _Anchors(buffer, self._looked):
            if found < over:
                continue
            try:
                span = self._attribute(buffer, anchor, found)
            except _More as more:
                # The tag stands before the attribute, and Retrieve URL is found by it.
                keep, look, self._open = max(over, min(more.start, found) - _BEFORE), found, True
                break
            if span is not None:
                led = self._led(buffer, *span, known=anchor is _RETRIEVE_URL)
                over = span[1]
                if led is not None:
                    out += (buffer[done : span[0]], led)
                    done = over
        else:
            keep, look = max(over, len(buffer) - _KEPT), max(over, len(buffer) - _LONGEST + 1)
        out.append(buffer[done:keep])
        self._held, self._looked = buffer[keep:], max(0, look - keep)
        return [piece for piece in out if piece]

    def finish(self) -> list[bytes]:
        """Say that no more come, and return what was kept."""
        if self._escape or self._open:
            raise UpstreamBroken("JSON that ends within a link")
        held, self._held = self._held, b""
        return [held] if held else []

    def _plain(self, data: bytes) -> bytes:
        """Write escaped letters and digits plain, which is the same JSON: nobody needs them, and a name may hide in them."""
        if self._escape:
            data, self._escape = self._escape + data, b""
        last = data.rfind(b"\\")
        if last < 0:
            return data
        if len(data) - last < _ESCAPE_BYTES and _HALF_ESCAPE.fullmatch(data, last):
            run = last + 1 - len(data[: last + 1].rstrip(b"\\"))
            if run % 2:  # else it is the second of an escaped backslash
                data, self._escape = data[:last], data[last:]
        return _ESCAPE.sub(_unescaped, data) if b"\\u00" in data else data

    def _attribute(self, buffer: bytes, anchor: bytes, found: int) -> tuple[int, int] | None:
        """Return where the attribute begins and ends that an anchor is in, None when it only looks like one."""
        if found and buffer[found - 1] == _BACKSLASH:
            return None
        if anchor is _UR:
            if buffer[_back(buffer, found)] != _COLON:
                return None
            start = _enclosing(buffer, found)
        else:
            behind = _forth(buffer, found + len(anchor), keep=max(0, found - _KEPT))
            if buffer[behind] != _COLON:
                return None
            if anchor is _URI:
                start = _enclosing(buffer, found)
            else:
                start = _forth(buffer, behind + 1, keep=found)
                if buffer[start] != _BRACE:
                    raise UpstreamBroken("a Retrieve URL that is no attribute")
        return start, _end(buffer, start)

    def _led(self, buffer: bytes, start: int, end: int, *, known: bool) -> bytes | None:
        """Return the attribute with its links led, None when it stays as it is. `known` for Retrieve URL."""
        try:
            attribute = orjson.loads(buffer[start:end])
        except orjson.JSONDecodeError:
            raise UpstreamBroken("an attribute with a link that is not JSON") from None
        before = dict(attribute)
        if "BulkDataURI" in attribute:
            _replace(attribute, "BulkDataURI", self._one)
        if "Value" in attribute and (known or attribute.get("vr") == "UR"):
            key = None if known else _KEY.search(buffer, max(0, start - _BEFORE), start)
            named = key is not None and key[1].decode().upper() in DATA_TAGS
            _replace(attribute, "Value", self._named if named else self._values)
        return None if attribute == before else orjson.dumps(attribute)

    def _one(self, value: object) -> str | None:
        return self._links.lead(value) if isinstance(value, str) else None

    def _values(self, value: object) -> object:
        if not isinstance(value, list):
            return self._one(value)
        return [led for one in value if (led := self._one(one)) is not None] or None

    def _named(self, value: object) -> object:
        links = self._links
        values = value if isinstance(value, list) else [value]
        led = [links.lead(one, data=True) if isinstance(one, str) else one for one in values]
        return led if isinstance(value, list) else led[0]


class _Anchors:
    """The anchors in a text, in the order they stand: each is looked for on its own, which `find` does fastest."""

    def __init__(self, text: bytes, look: int) -> None:
        self._text = text
        self._next = [(found, anchor) for anchor in _ANCHORS if (found := text.find(anchor, look)) >= 0]

    def __iter__(self) -> "_Anchors":
        return self

    def __next__(self) -> tuple[bytes, int]:
        if not self._next:
            raise StopIteration
        first = min(self._next)
        found, anchor = first
        at = self._next.index(first)
        if (following := self._text.find(anchor, found + len(anchor))) >= 0:
            self._next[at] = (following, anchor)
        else:
            del self._next[at]
        return anchor, found


def _back(buffer: bytes, at: int) -> int:
    """Return the last place before `at` that holds no blank, or the first of all."""
    low = at - LINK_BLANKS - 1
    at = max(0, at - 1)
    while at > 0 and buffer[at] in _BLANK:
        at -= 1
        if at < low:
            raise UpstreamBroken("too many blanks before a value")
    return at


def _forth(buffer: bytes, at: int, *, keep: int) -> int:
    """Return the first place from `at` on that holds no blank. `keep` is what must be kept until it has come."""
    end = at + LINK_BLANKS
    while at < len(buffer):
        if buffer[at] not in _BLANK:
            return at
        at += 1
        if at > end:
            raise UpstreamBroken("too many blanks behind a name")
    raise _More(keep)


def _enclosing(buffer: bytes, found: int) -> int:
    """Return where the attribute begins that holds what was found."""
    low = max(0, found - LINK_ATTRIBUTE_BYTES)
    at = buffer.rfind(b"{", low, found)
    while at >= 0:
        if _FLAT.fullmatch(buffer, at, found):
            return at
        at = buffer.rfind(b"{", low, at)
    raise UpstreamBroken("a link that is in no attribute, or in one too long")


def _end(buffer: bytes, start: int) -> int:
    """Return where the attribute ends that begins at `start`."""
    found = _FLAT.match(buffer, start)
    end = found.end() if found else start
    whole = buffer[end : end + 1] == b"}"
    if (end + 1 if whole else len(buffer)) - start > LINK_ATTRIBUTE_BYTES:
        raise UpstreamBroken(f"an attribute with a link of more than {LINK_ATTRIBUTE_BYTES} bytes")
    if whole:
        return end + 1
    if end == len(buffer) or buffer[end : end + 1] == b'"':
        raise _More(start)
    raise UpstreamBroken("an attribute with a link that holds more than that")


def _replace(attribute: dict[str, Any], name: str, led: Callable[[object], object]) -> None:
    value = led(attribute[name])
    if value is None:
        del attribute[name]  # an attribute without value (PS3.18 section F.2.5)
    else:
        attribute[name] = value


def _unescaped(found: "re.Match[bytes]") -> bytes:
    return bytes((int(found[1], 16),)) if found[1] else found[0]
