"""One head, read."""

import pytest

from leadglass.gateways.http.framing import Fields, HeadReader
from leadglass.limits import FIELDS_KEPT_BYTES
from leadglass.model.errors import Refusal
from leadglass.model.request import RawHead

HOST = b"Host: pacs.example.org\r\n"


def read_head(raw: bytes) -> tuple[RawHead, Fields]:
    return HeadReader().read(raw)


def test_a_head_is_what_the_parser_saw() -> None:
    head, parsed = read_head(b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"ACCEPT: \t x \t\r\n\r\n")
    assert head[:3] == ("GET", b"/a?b=c", ((b"host", b"pacs.example.org"), (b"accept", b"x")))
    assert (parsed.length, parsed.close, parsed.expect) == (0, False, False)


@pytest.mark.parametrize(
    ("fields", "length", "close", "expect"),
    [
        (b"Content-Length: 5\r\n", 5, False, False),
        (b"Content-Length: 999999999999999\r\n", 999_999_999_999_999, False, False),
        (b"Transfer-Encoding: CHUNKED\r\n", None, False, False),
        (b"Connection: close\r\n", 0, True, False),
        (b"Connection: x\r\nConnection: y , CLOSE\r\n", 0, True, False),
        (b"Connection: closed\r\n", 0, False, False),
        (b"Content-Length: 5\r\nExpect: 100-Continue\r\n", 5, False, True),
        (b"Content-Length: 0\r\nExpect: 100-continue\r\n", 0, False, False),
        (b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", None, False, True),
    ],
)
def test_framing(fields: bytes, length: int | None, close: bool, expect: bool) -> None:  # noqa: FBT001 - a row of the table
    _, parsed = read_head(b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n")
    assert (parsed.length, parsed.close, parsed.expect) == (length, close, expect)


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 05\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content_Length: 5\r\n",
        b"Upgrade: x\r\n",
        b"Connection: upgrade\r\n",
        b"Expect: x\r\n",
        b"Expect: 100-continue\r\nExpect: 100-continue\r\n",
    ],
)
def test_framing_in_doubt_is_refused(fields: bytes) -> None:
    with pytest.raises(Refusal, match="http-malformed"):
        read_head(b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\n")


def test_field_lines_that_come_again_are_remembered_and_the_request_line_is_not() -> None:
    reader = HeadReader()
    lines = HOST + b"Connection: close\r\nAuthorization: Bearer a\r\n\r\n"
    one, said = reader.read(b"GET /a HTTP/1.1\r\n" + lines)
    two, again = reader.read(b"DELETE /b?c=d HTTP/1.1\r\n" + lines)
    assert again is said
    assert two.kept is one.kept
    assert (two.method, two.target, two.fields) == ("DELETE", b"/b?c=d", one.fields)
    other, changed = reader.read(b"GET /a HTTP/1.1\r\n" + lines.replace(b"Bearer a", b"Bearer b"))
    assert changed is not said
    assert other.kept is not one.kept
    assert dict(other.fields)[b"authorization"] == b"Bearer b"
    for line in (b"GET  /a HTTP/1.1\r\n", b"GET /a#b HTTP/1.1\r\n", b"TRACE /a HTTP/1.1\r\n", b"GET /a HTTP/1.0\r\n"):
        with pytest.raises(Refusal, match="http-malformed"):
            reader.read(line + lines)


def test_what_is_refused_is_not_remembered() -> None:
    reader = HeadReader()
    for _ in range(2):
        with pytest.raises(Refusal, match="http-malformed"):
            reader.read(b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: x\r\n\r\n")


def test_what_a_connection_remembers_is_bounded() -> None:
    reader = HeadReader()

    def read(number: int, size: int) -> Fields:
        return reader.read(b"GET / HTTP/1.1\r\n" + HOST + b"X-%d: " % number + b"a" * size + b"\r\n\r\n")[1]

    quarter = FIELDS_KEPT_BYTES // 4
    first = read(1, quarter)
    assert read(1, quarter) is first
    for number in range(2, 5):  # one more than there is room for, with the names
        read(number, quarter)
    assert read(1, quarter) is not first
    large = read(5, FIELDS_KEPT_BYTES)
    assert large.kept is None
    assert read(5, FIELDS_KEPT_BYTES) is not large
