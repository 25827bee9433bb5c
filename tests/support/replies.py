"""Replies of an upstream, sound and broken, as one table for tests of the parser, the client and the gateway.

SOUND: raw bytes, status, body, whether the connection may be kept, whether the upstream closes it.
BROKEN: raw bytes; the upstream closes after them.
"""

_MULTIPART = b'Content-Type: multipart/related; type="application/dicom"; boundary=bb\r\n'
_PART = b"--bb\r\nContent-Type: application/dicom\r\n\r\nx\r\n"

SOUND: dict[str, tuple[bytes, int, bytes, bool, bool]] = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello", True, False),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True, False),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, b"x", True, False),
    "close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False, True),
    "1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, b"x", False, True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, False),
    "204 with length 0": (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, b"", True, False),
    "304 with the length of another body": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        304,
        b"",
        False,
        True,
    ),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        b"abc0123456789",
        True,
        False,
    ),
    "trailers are dropped": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1\r\na\r\n0\r\nSet-Cookie: a=b\r\n\r\n",
        200,
        b"a",
        True,
        False,
    ),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        + b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 7
        + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        200,
        b"x",
        True,
        False,
    ),
    "multipart to the end": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + _MULTIPART + b"\r\n" + _PART + b"--bb--\r\n",
        200,
        _PART + b"--bb--\r\n",
        False,
        True,
    ),
}

_OK = b"HTTP/1.1 200 OK\r\n"
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "half a head": _OK + b"Content-",
    "short body": _OK + b"Content-Length: 9\r\n\r\nshort",
    "long body": _OK + b"Content-Length: 2\r\n\r\nlonger",
    "bytes after an empty body": _OK + b"Content-Length: 0\r\n\r\nx",
    "second reply": (_OK + b"Content-Length: 1\r\n\r\nx") * 2,
    "no length": _OK + b"Content-Type: application/dicom+json\r\n\r\n[]",
    "multipart cut": _OK + _MULTIPART + b"\r\n" + _PART,
    "multipart cut in the delimiter": _OK + _MULTIPART + b"\r\n" + _PART + b"--bb-",
    "multipart closed by another delimiter": _OK + _MULTIPART + b"\r\n" + _PART + b"--bbx--\r\n",
    "length and chunked": _OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two equal lengths": _OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "two lengths": _OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length list": _OK + b"Content-Length: 1, 1\r\n\r\nx",
    "length plus": _OK + b"Content-Length: +1\r\n\r\nx",
    "length zero-led": _OK + b"Content-Length: 01\r\n\r\nx",
    "length of 16 digits": _OK + b"Content-Length: 1000000000000000\r\n\r\nx",
    "length empty": _OK + b"Content-Length: \r\n\r\n",
    "te gzip": _OK + b"Transfer-Encoding: gzip\r\n\r\nx",
    "te gzip, chunked": _OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "te identity": _OK + b"Transfer-Encoding: identity\r\n\r\nx",
    "te xchunked": _OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "te ,chunked": _OK + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "te twice": _OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "te on 1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked cut": _OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    "chunked without the last": _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    "chunk size 0x1": _OK + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    "chunk size -1": _OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    "chunk longer than told": _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
    "chunk with LF": _OK + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
    "chunk extension too long": _OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 9000 + b"\r\nx\r\n0\r\n\r\n",
    "trailers too long": _OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
    "bytes after the last chunk": _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "a line after the last chunk": _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "204 chunked": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "304 with a body": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
    "interim with a body": b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello"
    + _OK
    + b"Content-Length: 0\r\n\r\n",
    "endless interim": b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + _OK + b"Content-Length: 0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 099": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "status 20": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status 200X": b"HTTP/1.1 200X OK\r\nContent-Length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "NUL in a field": _OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "escape in a field": _OK + b"X: \x1b[31m\r\nContent-Length: 0\r\n\r\n",
    "bare CR": _OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare LF between fields": _OK + b"X: a\nContent-Length: 0\r\n\r\n",
    "fold": _OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": _OK + b"Content-Length : 0\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICE": b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n",
    "0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "leading line": b"\r\n" + _OK + b"Content-Length: 0\r\n\r\n",
    "garbage": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "101 fields": _OK + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"Content-Length: 0\r\n\r\n",
}
