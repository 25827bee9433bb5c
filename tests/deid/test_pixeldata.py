import itertools
import struct

import pytest

from leadglass.deid.forms import Form
from leadglass.deid.instance import Header
from leadglass.deid.pixeldata import taker
from leadglass.model.errors import Refusal
from support.part10files import EXPLICIT, SEQUENCE_END, UNDEFINED, element, item

JPEG, J2K, JXL, RLE = (
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.5",
)
FORM = Form(explicit=True, order="<")
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
COMMENT = b"\xff\xfe\0\x0cSECRET^NAM"
FRAME = SOI + COMMENT + EOI
PIXEL_DATA = 0x7FE00010


class Changed:
    """Says how long what it was given is."""

    transfer_syntax: str | None = None
    changes: dict[int, list[str] | None] = {}  # noqa: RUF012 - it changes nothing

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def native(self, data: bytes) -> bytes:
        self.seen.append(data)
        return data.swapcase()

    def frame(self, data: bytes) -> bytes:
        self.seen.append(data)
        return struct.pack("<I", len(data))


def taken(
    header: Header, value: bytes, length: int = UNDEFINED, by: Changed | None = None, step: int = 0, vr: bytes = b"OB"
) -> bytes:
    """Return all that leaves for a value, head included; what follows it must be left alone."""
    out: list[bytes] = []
    one = taker(header, by, FORM, (PIXEL_DATA, vr, length), out)
    data, at = value + b"MORE", 0
    while not one.done:
        piece = data[at : at + (step or len(data))]
        used = one.take(piece, 0)
        assert used == len(piece) or one.done
        at += used
        assert at <= len(value)
    assert at == len(value)
    return b"".join(out)


def header(syntax: str = EXPLICIT, frames: int = 1, **facts: int) -> Header:
    return Header(
        syntax, rows=2, columns=3, bits_allocated=16, samples=1, frames=frames, bits_stored=facts.get("bits_stored")
    )


@pytest.mark.parametrize("step", [0, 1, 5])
def test_native_pixels_pass_and_what_is_behind_them_becomes_zero(step: int) -> None:
    pixels = bytes(range(1, 13))
    head = element(PIXEL_DATA, "OW", b"", 18)
    assert taken(header(), pixels + b"SECRET", 18, step=step, vr=b"OW") == head + pixels + bytes(6)
    assert taken(header(frames=2), pixels + b"SECRET", 18, step=step, vr=b"OW") == head + pixels + b"SECRET"
    assert taken(Header(EXPLICIT), pixels + b"SECRET", 18, step=step, vr=b"OW") == head + pixels + b"SECRET"
    by = Changed()
    assert taken(header(frames=2), b"abcdefghijklmnop", 16, by, step, b"OW").endswith(b"ABCDEFGHIJKLMNOP")


@pytest.mark.parametrize("step", [0, 1, 5])
def test_fragments_pass_where_they_are_without_comments(step: int) -> None:
    table = item(struct.pack("<II", 0, len(FRAME) + 8))
    value = (
        table + item(FRAME) + item(FRAME[:9]) + item(FRAME[9:] + b"\0") if len(FRAME) % 2 else table + item(FRAME) * 2
    )
    out = taken(header(JPEG, 2), value + SEQUENCE_END, step=step)
    assert out == element(PIXEL_DATA, "OB", b"", UNDEFINED) + (value + SEQUENCE_END).replace(
        COMMENT, COMMENT[:4] + bytes(10)
    )


def test_a_comment_over_two_fragments_is_one() -> None:
    out = taken(header(JPEG), item(b"") + item(FRAME[:8]) + item(FRAME[8:]) + SEQUENCE_END)
    assert b"SEC" not in out
    assert b"NAM" not in out


@pytest.mark.parametrize("table", [b"SECRET^N", b"\4\0\0\0", bytes(8), b"\0\0"])
def test_a_table_that_is_none_leaves_empty(table: bytes) -> None:
    assert taken(header(RLE), item(table) + item(bytes(64)) + SEQUENCE_END).startswith(
        element(PIXEL_DATA, "OB", item(b""), UNDEFINED) + item(bytes(64))
    )


@pytest.mark.parametrize(
    ("syntax", "frames", "value", "expected"),
    [
        (JPEG, 1, item(b"") + item(SOI + b"ab") + item(SOI + b"cd"), [SOI + b"ab" + SOI + b"cd"]),
        (JPEG, 2, item(b"") + item(SOI + b"\xffb") + item(b"more") + item(SOI + b"\xffd"), [SOI + b"\xffbmore", SOI + b"\xffd"]),
        (JPEG, 2, item(struct.pack("<II", 0, 24)) + item(b"abcd") + item(b"efgh") + item(b"ijkl"), [b"abcdefgh", b"ijkl"]),
        (RLE, 3, item(b"") + item(b"ab") + item(b"cd") + item(b"ef"), [b"ab", b"cd", b"ef"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [0, 1])
def test_a_filter_is_given_whole_frames(
    syntax: str, frames: int, value: bytes, expected: list[bytes], step: int
) -> None:
    by = Changed()
    out = taken(header(syntax, frames), value + SEQUENCE_END, by=by, step=step)
    assert by.seen == expected
    written = b"".join(item(struct.pack("<I", len(frame))) for frame in expected)
    assert out == element(PIXEL_DATA, "OB", item(b"") + written, UNDEFINED) + SEQUENCE_END


@pytest.mark.parametrize(
    ("syntax", "value", "by"),
    [
        (RLE, item(b"") + item(b"ab") + SEQUENCE_END, Changed()),  # one frame of two
        (RLE, item(b"") + item(b"ab") * 3 + SEQUENCE_END, Changed()),
        (RLE, item(b"", UNDEFINED), None),
        (RLE, item(b"a"), None),
        (RLE, SEQUENCE_END, None),
        (RLE, item(b"") + element(0x00080100, "SH", b"1234"), None),
        (RLE, item(b"") + SEQUENCE_END[:4] + b"\2\0\0\0", None),
        (RLE, item(b"", 1 << 31), None),
        (JPEG, item(b"") + item(b"SECRET"), None),
        (J2K, item(b"") + item(b"\0\0\0\x0cjP  \r\n\x87\n"), None),
        (JXL, item(b"") + item(b"\0\0\0\x0cJXL "), None),
    ],
)
def test_what_is_no_row_of_fragments_is_refused(syntax: str, value: bytes, by: Changed | None) -> None:
    with pytest.raises(Refusal):
        taken(header(syntax, 2), value, by=by)


def test_what_the_transfer_syntax_does_not_say_is_refused() -> None:
    for syntax, length, vr in ((EXPLICIT, UNDEFINED, b"OB"), (JPEG, 4, b"OW"), (JPEG, UNDEFINED, b"UN")):
        with pytest.raises(Refusal):
            taker(Header(syntax), None, FORM, (PIXEL_DATA, vr, length), [])
    with pytest.raises(Refusal):
        taker(Header(EXPLICIT), Changed(), FORM, (0x7FE00008, b"OF", 4), [])


def test_a_chunk_of_pixels_leaves_as_the_object_it_came_as() -> None:
    out: list[bytes] = []
    one = taker(Header(EXPLICIT), None, FORM, (PIXEL_DATA, b"OW", 1 << 20), out)
    chunks = [bytes(1 << 18) for _ in range(4)]
    for chunk in chunks:
        one.take(chunk, 0)
    assert all(a is b for a, b in itertools.zip_longest(chunks, out[1:]))
