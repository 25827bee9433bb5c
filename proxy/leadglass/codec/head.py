"""Hygiene of the request head (RFC 9112, RFC 9110): one reading or none.

`check_line` and `check_fields` look at the bytes before any parser does; `clean` turns what the parser saw into the one request that is
judged, recorded and forwarded. Between them they refuse everything that the HTTP parser lets through and a second
party might read differently: loose Content-Length, Transfer-Encoding other than one `chunked`, repeated fields,
Upgrade, foreign or malformed Host, field names with an underscore (which CGI and WSGI fold into their twins), bytes
outside visible ASCII.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from leadglass.codec.target import parse_target
from leadglass.codec.websocket import VERSION, accept_key
from leadglass.limits import CONTENT_LENGTH_DIGITS, HEAD_BYTES, HEADER_FIELDS
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Headers, RawHead

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})

# request-line = method SP origin-form SP "HTTP/1.1" CRLF. One space each; no fragment; nothing RFC 3986 excludes.
_REQUEST_LINE = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS) (/[!$-;=?-Z_a-z~]*+) HTTP/1\.1\r\n")
# field-line = field-name ":" OWS field-value OWS CRLF. No white space before the colon, no folding, no obs-text.
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+\r\n)++\r\n")

_NAME_BYTES = b"!#$%&'*+-.^`|~0123456789abcdefghijklmnopqrstuvwxyz"  # token, lower case, less the underscore
_VALUE_BYTES = b"\t" + bytes(range(0x20, 0x7F))
# Fields whose definition is a list, so that two lines mean the same as one. Every other field comes once.
_LISTS = frozenset(
    {
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"forwarded",
        b"if-match",
        b"if-none-match",
        b"pragma",
        b"te",
        b"trailer",
        b"via",
        b"x-forwarded-for",
    }
)
_CONTENT_LENGTH = re.compile(rf"(?:0|[1-9][0-9]{{0,{CONTENT_LENGTH_DIGITS - 1}}})")
# host[:port] of RFC 3986 without userinfo, empty labels, trailing dot or percent-encoding; lower case.
_AUTHORITY = re.compile(r"(?:[a-z0-9_-]++(?:\.[a-z0-9_-]++)*+|\[[0-9a-f:.]{2,45}\])(?::(?:[1-9][0-9]{0,4}))?")


def _malformed(detail: str) -> Refusal:
    return refuse(Code.HTTP_MALFORMED, detail)


def check_line(head: bytes) -> re.Match[bytes]:
    """Check size and request line of a head as it came off the wire, from its first byte up to and with CRLFCRLF.

    The match has two groups, method and target, and ends where the field lines begin. Raises Refusal `head-too-large`
    beyond HEAD_BYTES, else `http-malformed` for anything but a listed method, one space, origin-form, one space and
    `HTTP/1.1`.
    """
    if len(head) > HEAD_BYTES:
        raise refuse(Code.HEAD_TOO_LARGE, f"head of {len(head)} bytes")
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise _malformed("request line")
    return line


def check_fields(block: bytes) -> None:
    """Check field lines as they came off the wire, with the empty line that ends them.

    Raises Refusal `head-too-large` beyond HEADER_FIELDS, else `http-malformed` for anything but plain field lines.
    """
    if block.count(b"\n") - 1 > HEADER_FIELDS:
        raise refuse(Code.HEAD_TOO_LARGE, f"more than {HEADER_FIELDS} fields")
    if _FIELDS.fullmatch(block) is None:
        raise _malformed("field lines")


def authorities(public_urls: Iterable[str]) -> dict[str, str]:
    """Return the Host values that `public_url` stands for, lower case, with and without a default port.

    Each is mapped to its origin in the one spelling of RFC 6454 section 6.2: lower case, a default port left out.
    """
    listed = {}
    for url in public_urls:
        parts = urlsplit(url)
        authority, default = parts.netloc.lower(), 443 if parts.scheme == "https" else 80
        if parts.port == default:
            authority = authority.rpartition(":")[0]
        origin = f"{parts.scheme}://{authority}"
        listed[authority] = origin
        if parts.port in {None, default}:
            listed[f"{authority}:{default}"] = origin
    return listed


def clean(
    head: RawHead, authorities: Collection[str], folders: Collection[str] = (), *, channels: bool = False
) -> CleanRequest:
    """Turn a parsed head into the request that everything after this works on.

    `authorities` holds the accepted Host values in lower case (a set, or a mapping by them), `folders` the paths that may
    end with a slash, `channels` says that WebSockets are served.
    Raises Refusal: `http-malformed`, `head-too-large`, `host-unknown`, `two-credentials`, `content-encoding-refused`.
    """
    method = head.method
    if method not in METHODS:
        raise _malformed("method is not one of those served")
    headers = _headers(head)
    fields = headers.fields
    path, segments, query = parse_target(head.target, folders)
    authority = _authority(fields.get("host"), authorities)
    if "http2-settings" in fields or ("upgrade" in fields and not channels):
        raise _malformed("Upgrade")
    websocket = _websocket(method, fields) if "upgrade" in fields else None
    if "expect" in fields and fields["expect"].lower() != "100-continue":
        raise _malformed("Expect other than 100-continue")
    if "content-encoding" in fields:
        raise refuse(Code.CONTENT_ENCODING_REFUSED)
    length, chunked = _framing(method, fields)
    return CleanRequest(method, path, segments, query, authority, headers, length, chunked, websocket)


def _websocket(method: str, fields: Mapping[str, str]) -> str:
    """Return what accepts this handshake (RFC 6455 section 4.2.1). Extensions and protocols are offers, and not taken."""
    options = {option.strip(" \t") for option in fields.get("connection", "").lower().split(",")}
    accept = accept_key(fields.get("sec-websocket-key", ""))
    if method != "GET" or fields["upgrade"].lower() != "websocket" or "upgrade" not in options or accept is None:
        raise _malformed("Upgrade that is no handshake of a WebSocket")
    if fields.keys() & {"content-length", "transfer-encoding", "expect"}:
        raise _malformed("a handshake with a body")
    if fields.get("sec-websocket-version") != VERSION:
        raise refuse(Code.HTTP_MALFORMED, "another version of WebSocket", headers={"Sec-WebSocket-Version": VERSION})
    return accept


def _headers(head: RawHead) -> Headers:
    """Return what the field lines say; made once for lines that come again."""
    kept = head.kept
    if kept is None:
        return Headers(_fields(head.fields))
    if kept.headers is None:
        kept.headers = Headers(_fields(head.fields))
    return kept.headers


def _fields(lines: tuple[tuple[bytes, bytes], ...]) -> dict[str, str]:
    if len(lines) > HEADER_FIELDS:
        raise refuse(Code.HEAD_TOO_LARGE, f"more than {HEADER_FIELDS} fields")
    names, values = [name for name, _ in lines], [value for _, value in lines]
    # Deleting every allowed byte in one pass leaves what is not allowed: much cheaper than a match for each field.
    if b"".join(names).translate(None, _NAME_BYTES):
        raise _malformed("field name with an underscore, an upper-case letter or a byte that no token has")
    if b"".join(values).translate(None, _VALUE_BYTES):
        raise _malformed("field value with a byte outside visible ASCII")
    fields: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("ascii"), value.decode("ascii").strip(" \t")
        if key not in fields:
            fields[key] = text
        elif name in _LISTS:
            fields[key] = f"{fields[key]}, {text}"
        elif key == "authorization":
            raise refuse(Code.TWO_CREDENTIALS, "two Authorization fields")
        else:
            raise _malformed(f"field {key[:40]} more than once")
    if "" in fields:
        raise _malformed("empty field name")
    return fields


def _authority(host: str | None, authorities: Collection[str]) -> str:
    if host is None:
        raise _malformed("no Host")
    host = host.lower()
    if host in authorities:
        return host
    if _AUTHORITY.fullmatch(host) is None:
        raise _malformed("Host is not one authority")
    raise refuse(Code.HOST_UNKNOWN, f"Host {host[:80]}")


def _framing(method: str, fields: Mapping[str, str]) -> tuple[int | None, bool]:
    """Return (length, chunked) of the body; RFC 9112 section 6.3 less everything that needs a second reading."""
    length, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if length is None and coding is None:
        return 0, False
    if length is not None and coding is not None:
        raise _malformed("Content-Length beside Transfer-Encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise _malformed("Transfer-Encoding other than one chunked")
        size = None
    elif length is not None and _CONTENT_LENGTH.fullmatch(length):
        size = int(length)
    else:
        raise _malformed("Content-Length is not 0 or a plain decimal")
    if size != 0 and method in BODILESS:
        raise _malformed(f"{method} with a body")
    return size, coding is not None
