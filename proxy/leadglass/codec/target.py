"""The request target (RFC 9112 section 3.2.1, origin-form): path and query, accepted only in canonical form.

What two parsers might read differently is refused instead of repaired (law 1): a path with a dot segment, an empty
segment, a trailing slash, a percent-encoding (no DICOMweb path needs one), a backslash, a semicolon or anything
outside the alphabet below. `/` alone is the root and has no segments. The slash at the end of a static mount is the one
exception, because people write it: such paths are listed, and each has the segments of its mount.

    path  = "/" / 1*( "/" segment )
    query = pair *( "&" pair ) ; pair = key "=" value
"""

import re
from collections.abc import Collection
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from leadglass.limits import QUERY_KEYS, TARGET_BYTES
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

Pairs: TypeAlias = tuple[tuple[str, str], ...]

_PATH = re.compile(r"(?:/[A-Za-z0-9._~@:+=,-]++)++")
# RFC 3986 query characters less ";", which some parsers take for "&". Brackets, quotes and the like must be encoded.
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@/?-]++|%[0-9A-Fa-f]{2})++")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def _malformed(detail: str) -> Refusal:
    return refuse(Code.HTTP_MALFORMED, detail)


def parse_target(target: bytes, folders: Collection[str] = ()) -> tuple[str, tuple[str, ...], Pairs]:
    """Split a target into path, segments and decoded query pairs. `folders` are the paths that may end with a slash.

    Raises Refusal `http-malformed` for what does not survive a round trip, `head-too-large` beyond TARGET_BYTES.
    """
    if len(target) > TARGET_BYTES:
        raise refuse(Code.HEAD_TOO_LARGE, f"target of {len(target)} bytes")
    try:
        text = target.decode("ascii")
    except UnicodeDecodeError:
        raise _malformed("target is not ASCII") from None
    path, mark, query = text.partition("?")
    segments = _segments(path[:-1] if path in folders else path)
    if not mark:
        return path, segments, ()
    return path, segments, parse_query(query)


def _segments(path: str) -> tuple[str, ...]:
    if path == "/":
        return ()
    if _PATH.fullmatch(path) is None:
        raise _malformed("path is not canonical")
    # A segment may begin with a dot (/.leadglass) but neither be nor end with one: "/api../x" climbs after a strip.
    if ".." in path or "./" in path or path[-1] == ".":
        raise _malformed("dot segment in the path")
    return tuple(path[1:].split("/"))


def parse_query(query: str) -> Pairs:
    """Return the decoded pairs of a query in the order sent; `+` is a space, as in forms.

    Raises Refusal `http-malformed`: an empty query or pair, a pair without "=", a bad or non-UTF-8 percent-encoding,
    a control character, or more than QUERY_KEYS pairs.
    """
    if _QUERY.fullmatch(query) is None:
        raise _malformed("query has a character or an encoding that is not allowed")
    if query.count("&") >= QUERY_KEYS:
        raise _malformed(f"more than {QUERY_KEYS} query keys")
    encoded = "%" in query or "+" in query
    pairs = []
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise _malformed("query pair without a key or an equals sign")
        pairs.append((_decode(key), _decode(value)) if encoded else (key, value))
    return tuple(pairs)


def _decode(text: str) -> str:
    try:
        decoded = unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("query is not UTF-8") from None
    if _CONTROL.search(decoded):
        raise _malformed("control character in the query")
    return decoded
