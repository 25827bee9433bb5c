"""Requests that two parties could read differently: every one is to be refused, whole or byte by byte.

Each row is (id, bytes). `HEADS` never become a request; `CHUNKED` have a sound head and a body whose coding is not.
"""

from typing import Final

HOST: Final = b"Host: pacs.example.org\r\n"
SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


def _fields(*lines: bytes, method: bytes = b"POST", body: bytes = b"") -> bytes:
    return method + b" /studies HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _line(line: bytes) -> bytes:
    return line + b"\r\n" + HOST + b"\r\n"


_LENGTHS: Final = {
    "leading-zero": b"05",
    "digits-26": b"1" * 26,
    "digits-16": b"1" + b"0" * 15,
    "vertical-tab": b"5\x0b",
    "form-feed": b"\x0c5",
    "nul": b"5\0",
    "two-to-the-64": b"18446744073709551615",
    "plus": b"+5",
    "minus-zero": b"-0",
    "minus": b"-5",
    "hex": b"0x5",
    "hex-ten": b"0x10",
    "underscore": b"1_0",
    "list": b"5,5",
    "list-spaced": b"5, 5",
    "fraction": b"5.0",
    "exponent": b"5e0",
    "empty": b"",
    "inner-space": b"5 5",
    "nbsp": b"5\xa0",
    "next-line": b"\x855",
    "quoted": b'"5"',
}
_CODINGS: Final = {
    "leading-comma": b",chunked",
    "trailing-comma": b"chunked,",
    "gzip-chunked": b"gzip, chunked",
    "identity-chunked": b"identity, chunked",
    "chunked-identity": b"chunked, identity",
    "chunked-twice": b"chunked, chunked",
    "empty": b"",
    "vertical-tab": b"chunked\x0b",
    "nul": b"chunked\0",
    "xchunked": b"xchunked",
    "identity": b"identity",
    "gzip": b"gzip",
    "parameter": b"chunked;q=1",
    "nbsp": b"\xa0chunked",
    "quoted": b'"chunked"',
}
_LINES: Final = {
    "two-spaces-before": b"GET  /studies HTTP/1.1",
    "two-spaces-after": b"GET /studies  HTTP/1.1",
    "no-version": b"GET /studies",
    "http-0.9": b"GET /studies HTTP/0.9",
    "http-1.0": b"GET /studies HTTP/1.0",
    "http-1.2": b"GET /studies HTTP/1.2",
    "http-1.10": b"GET /studies HTTP/1.10",
    "http-01.1": b"GET /studies HTTP/01.1",
    "http-2.0": b"GET /studies HTTP/2.0",
    "http-lower": b"GET /studies http/1.1",
    "rtsp": b"GET /studies RTSP/1.0",
    "ice": b"SOURCE /studies ICE/1.0",
    "asterisk": b"GET * HTTP/1.1",
    "asterisk-options": b"OPTIONS * HTTP/1.1",
    "double-slash": b"GET //studies HTTP/1.1",
    "absolute": b"GET http://evil.example/studies HTTP/1.1",
    "absolute-own": b"GET http://pacs.example.org/studies HTTP/1.1",
    "absolute-empty": b"GET http:///studies HTTP/1.1",
    "other-scheme": b"GET file:///etc/passwd HTTP/1.1",
    "userinfo": b"GET http://u:p@pacs.example.org/ HTTP/1.1",
    "authority": b"GET pacs.example.org:443 HTTP/1.1",
    "relative": b"GET studies HTTP/1.1",
    "fragment": b"GET /studies#x HTTP/1.1",
    "backslash": b"GET /stud\\ies HTTP/1.1",
    "quote": b'GET /"studies HTTP/1.1',
    "angle": b"GET /<studies> HTTP/1.1",
    "caret": b"GET /^studies HTTP/1.1",
    "brace": b"GET /{studies} HTTP/1.1",
    "bad-percent": b"GET /%zz HTTP/1.1",
    "trace": b"TRACE /studies HTTP/1.1",
    "connect": b"CONNECT pacs.example.org:443 HTTP/1.1",
    "connect-path": b"CONNECT /studies HTTP/1.1",
    "purge": b"PURGE /studies HTTP/1.1",
    "query-verb": b"QUERY /studies HTTP/1.1",
    "m-search": b"M-SEARCH /studies HTTP/1.1",
    "lower-case-verb": b"get /studies HTTP/1.1",
    "unknown-verb": b"BILBAO /studies HTTP/1.1",
    "trailing-space": b"GET /studies HTTP/1.1 ",
    "trailing-tab": b"GET /studies HTTP/1.1\t",
    "tab": b"GET\t/studies HTTP/1.1",
    "leading-space": b" GET /studies HTTP/1.1",
    "leading-crlf": b"\r\nGET /studies HTTP/1.1",
    "leading-crlfs": b"\r\n" * 1_000 + b"GET /studies HTTP/1.1",
    "leading-lf": b"\nGET /studies HTTP/1.1",
    "leading-cr": b"\rGET /studies HTTP/1.1",
    "control": b"GET /stud\x01ies HTTP/1.1",
    "nul": b"GET /stud\0ies HTTP/1.1",
    "eight-bit": b"GET /stud\xefes HTTP/1.1",
    "bare-cr": b"GET /studies\r HTTP/1.1",
}
_HOSTS: Final = {
    "none": b"",
    "two": HOST + HOST,
    "two-different": HOST + b"Host: evil.example\r\n",
    "list": b"Host: pacs.example.org,evil.example\r\n",
    "empty": b"Host:\r\n",
    "path": b"Host: pacs.example.org/x\r\n",
    "userinfo": b"Host: u@pacs.example.org\r\n",
    "space": b"Host: pacs example.org\r\n",
    "foreign": b"Host: evil.example\r\n",
    "trailing-dot": b"Host: pacs.example.org.\r\n",
    "twin": HOST + b"Host_: x\r\n",
}
_FIELDS: Final = {
    "high-bytes": b"X-A: \x85\xa0",
    "high-name": b"X-\xe9: 1",
    "utf8-value": b"X-A: \xc3\xa9",
    "fold-space": b"X-A: 1\r\n 2",
    "fold-tab": b"X-A: 1\r\n\t2",
    "fold-first": b" X-A: 1",
    "bare-cr": b"X-Abc: \rxTransfer-Encoding: chunked",
    "bare-lf": b"X-A: 1\nX-B: 2",
    "cr-cr-lf": b"X-A: 1\r",
    "nul": b"X-A: a\0b",
    "control": b"X-A: a\x01b",
    "delete": b"X-A: a\x7fb",
    "space-before-colon": b"X-A : 1",
    "tab-before-colon": b"X-A\t: 1",
    "length-space-colon": b"Content-Length : 34",
    "no-colon": b"X-A",
    "empty-name": b": 1",
    "bad-name": b"X(A): 1",
    "underscore-length": b"Content_Length: 5",
    "underscore-coding": b"Transfer_Encoding: chunked",
    "underscore-forwarded": b"X_Forwarded_Proto: https",
    "two-user-agents": b"User-Agent: a\r\nUser-Agent: b",
    "expect-other": b"Expect: 200-ok",
    "upgrade": b"Connection: Upgrade\r\nUpgrade: x",
    "upgrade-alone": b"Upgrade: websocket",
    "upgrade-option": b"Connection: keep-alive, Upgrade",
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "gzip-body": b"Content-Encoding: gzip",
}
_WHOLE: Final = {
    "length-and-coding": _fields(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "coding-and-length": _fields(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
    "length-twice-same": _fields(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "length-twice": _fields(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
    "coding-two-lines": _fields(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "coding-twice": _fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "coding-http-1.0": b"POST /studies HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding-on-get": _fields(b"Transfer-Encoding: chunked", method=b"GET", body=b"0\r\n\r\n"),
    "length-on-get": _fields(b"Content-Length: 5", method=b"GET", body=b"hello"),
    "coding-underscore": _fields(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
    "upgrade-with-length": _fields(
        b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: 5", method=b"GET", body=b"hello"
    ),
    "upgrade-with-coding": _fields(
        b"Connection: Upgrade", b"Upgrade: x", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "connect-early-data": b"CONNECT pacs.example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "h2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lf-only": b"GET /studies HTTP/1.1\nHost: pacs.example.org\n\n",
    "lf-before-end": b"GET /studies HTTP/1.1\nHost: pacs.example.org\r\n\r\n",
    "field-first": b"\tContent-Length: 1\r\n\r\n",
    "nothing-but-end": b"\r\n\r\n",
    "fields-101": _fields(*[b"X-%d: 1" % n for n in range(101)], method=b"GET"),
    "tls-to-plain": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}

HEADS: Final = [
    *((f"length-{name}", _fields(b"Content-Length: " + value, body=b"hello")) for name, value in _LENGTHS.items()),
    *(
        (f"coding-{name}", _fields(b"Transfer-Encoding: " + value, body=b"5\r\nhello\r\n0\r\n\r\n"))
        for name, value in _CODINGS.items()
    ),
    *((f"line-{name}", _line(line)) for name, line in _LINES.items()),
    *((f"host-{name}", b"GET /studies HTTP/1.1\r\n" + lines + b"\r\n") for name, lines in _HOSTS.items()),
    *((f"field-{name}", _fields(line, method=b"GET")) for name, line in _FIELDS.items()),
    *_WHOLE.items(),
]

_BODIES: Final = {
    "leading-zero": b"05\r\nhello\r\n0\r\n\r\n",
    "thousand-zeros": b"0" * 1_000 + b"\r\n\r\n",
    "double-zero": b"5\r\nhello\r\n00\r\n\r\n",
    "hex-prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-1\r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_2e\r\n" + b"a" * 46 + b"\r\n0\r\n\r\n",
    "two-to-the-64": b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "overflow": b"1" + b"0" * 16 + b"\r\nhello\r\n0\r\n\r\n",
    "leading-space": b" 5\r\nhello\r\n0\r\n\r\n",
    "trailing-space": b"5 \r\nhello\r\n0\r\n\r\n",
    "tab": b"5\t\r\nhello\r\n0\r\n\r\n",
    "lf": b"5\nhello\r\n0\r\n\r\n",
    "lf-after-data": b"5\r\nhello\n0\r\n\r\n",
    "cr-after-data": b"5\r\nhello\r0\r\n\r\n",
    "any-two-after-data": b"5\r\nhelloXX0\r\n\r\n",
    "no-crlf-after-data": b"5\r\nhello0\r\n\r\n",
    "empty-size": b"\r\nhello\r\n0\r\n\r\n",
    "not-hex": b"g\r\nhello\r\n0\r\n\r\n",
    "extension-long": b"5;" + b"a" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n",
    "extension-quoted-long": b'5;a="' + b"b" * 300 + b'"\r\nhello\r\n0\r\n\r\n',
    "extension-many": b"1;abcdefgh\r\nx\r\n" * 40 + b"0\r\n\r\n",
    "extension-lf": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension-nul": b"5;a\0b\r\nhello\r\n0\r\n\r\n",
    "extension-cr": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "trailers-ten-thousand": b"0\r\n" + b"X-A: 1\r\n" * 10_000 + b"\r\n",
    "trailer-long": b"0\r\nX-A: " + b"a" * 10_000 + b"\r\n\r\n",
    "trailer-no-colon": b"0\r\nAuthorization\r\n\r\n",
    "trailer-fold": b"0\r\nX-A: 1\r\n 2\r\n\r\n",
    "trailer-space-colon": b"0\r\nX-A : 1\r\n\r\n",
    "trailer-nul": b"0\r\nX-A: a\0\r\n\r\n",
    "trailer-lf": b"0\r\nX-A: 1\nX-B: 2\r\n\r\n",
}
CHUNKED: Final = [(name, _fields(b"Transfer-Encoding: chunked", body=body)) for name, body in _BODIES.items()]
