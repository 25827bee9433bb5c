from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.multipart import End, Event, Parser, PartBegin, PartData, PartEnd, Writer, parse_content_type
from leadglass.limits import PART_HEADER_BYTES
from leadglass.model.errors import Refusal, UpstreamBroken
from leadglass.model.reasons import Code

Parts = list[tuple[dict[str, str], bytes]]


def parts_of(events: Iterable[Event]) -> tuple[Parts, bool]:
    parts: Parts = []
    whole = True
    ended = False
    for event in events:
        assert not ended
        match event:
            case PartBegin(headers):
                assert whole
                whole = False
                parts.append((dict(headers), b""))
            case PartData(data):
                assert data
                assert not whole
                parts[-1] = (parts[-1][0], parts[-1][1] + data)
            case PartEnd():
                whole = True
            case End():
                ended = True
    return parts, ended


def read(body: bytes, step: int | None = None, *, boundary: str = "ab", max_parts: int = 10) -> Parts:
    parser = Parser(boundary, max_parts=max_parts)
    events: list[Event] = []
    for at in range(0, len(body), step or max(1, len(body))):
        events += parser.feed(body[at : at + (step or len(body))])
    parser.finish()
    parts, ended = parts_of(events)
    assert ended
    return parts


CT = "Content-Type: application/dicom\r\n"
GOOD: dict[str, tuple[str, Parts]] = {
    "one part": (f"--ab\r\n{CT}\r\nxyz\r\n--ab--", [({"content-type": "application/dicom"}, b"xyz")]),
    "CRLF before and after": ("\r\n--ab\r\n\r\nxyz\r\n--ab--\r\n", [({}, b"xyz")]),
    "two parts": (
        "--ab\r\nA: 1\r\n\r\nx\r\n--ab\r\nB:  2 \r\n\r\ny\r\n--ab--",
        [({"a": "1"}, b"x"), ({"b": "2"}, b"y")],
    ),
    "blanks around and in a value": (
        "--ab\r\nA:\t 1 \t 2 \t\r\nB:  \r\n\r\nx\r\n--ab--",
        [({"a": "1 \t 2", "b": ""}, b"x")],
    ),
    "no headers": ("--ab\r\n\r\nx\r\n--ab--", [({}, b"x")]),
    "empty content": ("--ab\r\nA: 1\r\n\r\n\r\n--ab--", [({"a": "1"}, b"")]),
    "empty content by one CRLF": ("--ab\r\nA: 1\r\n\r\n--ab--", [({"a": "1"}, b"")]),
    "no headers, no content": ("--ab\r\n\r\n--ab--", [({}, b"")]),
    "content of near delimiters": (
        "--ab\r\n\r\n\r\n--a\r\r\n-\r\n--\r\n\r\n\r\n--aab--ab\n--ab\r--ab\r\n--ab--",
        [({}, b"\r\n--a\r\r\n-\r\n--\r\n\r\n\r\n--aab--ab\n--ab\r--ab")],
    ),
    "true length": ("--ab\r\nContent-Length: 3\r\n\r\nxyz\r\n--ab--", [({"content-length": "3"}, b"xyz")]),
}


@pytest.mark.parametrize("step", [None, 1, 2, 3, 7])
@pytest.mark.parametrize(("body", "parts"), GOOD.values(), ids=GOOD.keys())
def test_parts_are_read_alike_in_pieces_of_any_size(body: str, parts: Parts, step: int | None) -> None:
    assert read(body.encode("latin-1"), step) == parts


BAD: dict[str, str] = {
    "unterminated": "--ab\r\n\r\nxyz",
    "unterminated after a delimiter": "--ab\r\n\r\nxyz\r\n--ab",
    "half a closing delimiter": "--ab\r\n\r\nxyz\r\n--ab-",
    "delimiter without an end": "--ab\r\n\r\nxyz\r\n--ab\r\n",
    "nothing": "",
    "no part": "--ab--",
    "preamble": "hello\r\n--ab\r\n\r\nxyz\r\n--ab--",
    "two CRLF before": "\r\n\r\n--ab\r\n\r\nxyz\r\n--ab--",
    "epilogue": "--ab\r\n\r\nxyz\r\n--ab--\r\nmore",
    "another multipart behind": "--ab\r\n\r\nxyz\r\n--ab--\r\n--ab\r\n\r\nx\r\n--ab--",
    "bytes behind a delimiter": "--ab\r\n\r\nxyz\r\n--abc\r\n\r\nxyz\r\n--ab--",
    "padding behind a delimiter": "--ab \r\n\r\nxyz\r\n--ab--",
    "LF ends": "--ab\n\nxyz\n--ab--",
    "bare CR behind a delimiter": "--ab\r\r\n\r\nxyz\r\n--ab--",
    "folded header": "--ab\r\nA: 1\r\n 2\r\n\r\nx\r\n--ab--",
    "header without a colon": "--ab\r\nA\r\n\r\nx\r\n--ab--",
    "space before the colon": "--ab\r\nA : 1\r\n\r\nx\r\n--ab--",
    "header twice": "--ab\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n\r\nx\r\n--ab--",
    "header with an underscore": "--ab\r\nContent_Type: a/b\r\n\r\nx\r\n--ab--",
    "8-bit header": "--ab\r\nA: \xe9\r\n\r\nx\r\n--ab--",
    "NUL in a header": "--ab\r\nA: \0\r\n\r\nx\r\n--ab--",
    # Told apart blank by blank, in every division there is, this one alone would keep the gateway for minutes.
    "header of blanks without end": "--ab\r\nA:" + " " * (PART_HEADER_BYTES - 100) + "\0\r\n\r\nx\r\n--ab--",
    "nested multipart": '--ab\r\nContent-Type: Multipart/Mixed; boundary="x"\r\n\r\nx\r\n--ab--',
    "message": "--ab\r\nContent-Type: message/rfc822\r\n\r\nx\r\n--ab--",
    "base64": "--ab\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--ab--",
    "gzip part": "--ab\r\nContent-Encoding: gzip\r\n\r\nx\r\n--ab--",
    "length too small": "--ab\r\nContent-Length: 2\r\n\r\nxyz\r\n--ab--",
    "length too large": "--ab\r\nContent-Length: 4\r\n\r\nxyz\r\n--ab--",
    "length not a number": "--ab\r\nContent-Length: 0x3\r\n\r\nxyz\r\n--ab--",
    "headers without end": "--ab\r\nA: " + "x" * PART_HEADER_BYTES,
    "headers past their bound": "--ab\r\nA: " + "x" * PART_HEADER_BYTES + "\r\n\r\nx\r\n--ab--",
    "more parts than allowed": "--ab" + "\r\n\r\nx\r\n--ab" * 11 + "--",
}


@pytest.mark.parametrize("step", [None, 1, 5])
@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_body_with_two_readings_is_refused(body: str, step: int | None) -> None:
    with pytest.raises(Refusal) as caught:
        read(body.encode("latin-1"), step)
    assert caught.value.causes[0].reason.code == Code.STORE_UNREADABLE


def test_the_fault_is_the_callers() -> None:
    with pytest.raises(UpstreamBroken):
        Parser("ab", fault=UpstreamBroken).feed(b"hello")


_PIECES = st.sampled_from([b"\r", b"\n", b"-", b"--", b"ab", b"\r\n--ab", b"x", b"A: 1", b"\r\n\r\n", b"--ab\r\n"])


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=14).map(b"".join), st.integers(1, 9))
def test_pieces_never_change_the_reading(tail: bytes, step: int) -> None:
    body = b"--ab\r\n" + tail

    def attempt(how: int | None) -> Parts | None:
        try:
            return read(body, how)
        except Refusal:
            return None

    assert attempt(None) == attempt(1) == attempt(step)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.integers(1, 50))
def test_what_is_written_is_read_back(contents: list[bytes], step: int) -> None:
    writer = Writer("application/dicom")
    body = b"".join(writer.part([("Content-Type", "application/dicom")]) + content for content in contents)
    content_type = parse_content_type(writer.content_type)
    assert content_type.canonical == 'multipart/related; type="application/dicom"'
    assert content_type.boundary == writer.boundary
    found = read(body + writer.end(), step, boundary=writer.boundary)
    assert [content for _, content in found] == contents


def test_boundaries_of_our_own_are_never_the_same() -> None:
    assert Writer("a/b").boundary != Writer("a/b").boundary


def test_little_is_held_and_a_large_part_passes_in_the_pieces_it_came_in() -> None:
    parser = Parser("ab")
    parser.feed(b"--ab\r\n\r\n")
    chunk = b"\r\n--a" * 50_000
    (event,) = parser.feed(chunk)
    assert isinstance(event, PartData)
    assert len(chunk) - len(event.data) <= len(b"\r\n--ab")


def test_bytes_after_the_end_are_refused_at_once_and_not_gathered() -> None:
    parser = Parser("ab")
    parser.feed(b"--ab\r\n\r\nx\r\n--ab--\r\n")
    with pytest.raises(Refusal):
        parser.feed(b"x")


CONTENT_TYPES: list[tuple[str, str, dict[str, str]]] = [
    ("application/dicom", "application/dicom", {}),
    ("Application/DICOM ; Charset=utf-8", "application/dicom", {"charset": "utf-8"}),
    (
        'multipart/related; type="application/dicom"; boundary=ab',
        'multipart/related; type="application/dicom"',
        {"type": "application/dicom", "boundary": "ab"},
    ),
    (
        'multipart/related;type=application/dicom;boundary="a:b\'c"',
        'multipart/related; type="application/dicom"',
        {"type": "application/dicom", "boundary": "a:b'c"},
    ),
    (
        'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"; boundary=ab',
        'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"',
        {"type": "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1", "boundary": "ab"},
    ),
]


@pytest.mark.parametrize(("value", "canonical", "parameters"), CONTENT_TYPES, ids=[row[0] for row in CONTENT_TYPES])
def test_a_content_type_is_read(value: str, canonical: str, parameters: dict[str, str]) -> None:
    found = parse_content_type(value)
    assert found.canonical == canonical
    assert found.parameters == parameters


@pytest.mark.parametrize(
    "value",
    [
        "",
        "application",
        "application/",
        "/dicom",
        "application/dicom;",
        "application/dicom; a",
        "application/dicom; a=",
        'application/dicom; a="',
        'application/dicom; a="\\""',
        "application/dicom; a=1; A=2",
        "application/dicom, application/json",
        "application/dicom; boundary=ab",
        "multipart/related",
        'multipart/related; boundary=""',
        'multipart/related; boundary="a b"',
        'multipart/related; boundary="a\u00e9"',
        "multipart/related; boundary=ab; boundary=ab",
        f"multipart/related; boundary={'a' * 71}",
        'multipart/related; boundary="a"b',
        "multipart/related; boundary*=utf-8''ab",
        "multipart/related; boundary*0=a",
    ],
)
def test_a_doubtful_content_type_is_refused(value: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_content_type(value)
    assert caught.value.causes[0].reason.code == Code.MEDIA_TYPE_REFUSED


def test_a_doubtful_content_type_of_a_reply_is_its_readers_fault() -> None:
    make: Callable[[str], Exception] = UpstreamBroken
    with pytest.raises(UpstreamBroken):
        parse_content_type("multipart/related", make)
