"""Markers and Huffman codes of JPEG streams."""

import struct

import pytest

from leadglass.deid import jpeg

TABLE = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, *(0,) * 7, *range(12)))  # ITU-T T.81 table K.3


def test_codes_are_those_of_annex_k() -> None:
    codes = jpeg.lengths_and_codes(TABLE)
    assert [f"{codes[one][0]:0{codes[one][1]}b}" for one in range(12)] == [
        "00", "010", "011", "100", "101", "110", "1110", "11110", "111110", "1111110", "11111110", "111111110",
    ]  # fmt: skip
    looked = jpeg.lookup(TABLE)
    assert looked[0b0101111111111111] == (1, 3)
    assert looked[0xFFFF] == (0, 0)


def test_more_codes_than_room_are_refused() -> None:
    with pytest.raises(ValueError, match="room"):
        jpeg.lengths_and_codes(bytes((3, *(0,) * 15, 1, 2, 3)))


@pytest.mark.parametrize("payload", [b"\0" * 5, b"\0" + bytes((9, *(0,) * 15)) + b"\1"])
def test_a_table_cut_short_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match="cut short"):
        list(jpeg.huffman_tables(payload))


def test_a_scan_is_cut_at_its_restarts() -> None:
    body = jpeg.SOI + jpeg.segment(0xDA, b"\1\1\0\0\x3f\0") + b"ab\xff\x00\xff\xd0cd\xff\xff\xd1ef" + jpeg.EOI
    (scan,) = jpeg.segments(body)
    assert isinstance(scan, jpeg.Scan)
    assert scan.pieces == (b"ab\xff", b"cd", b"ef")
    assert scan.components == [(1, 0, 0)]


@pytest.mark.parametrize("body", [b"", b"\xff\xd8x", b"\xff\xd8\xff\xe0\x00\xffab", b"\xff\xd8\xff\xda\x00\x02ab"])
def test_streams_that_do_not_hold_together_are_refused(body: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        list(jpeg.segments(body))


@pytest.mark.parametrize("payload", [struct.pack(">BHHB", 8, 4, 4, 0), struct.pack(">BHHB", 8, 4, 4, 1), struct.pack(">BHHB3B", 8, 4, 4, 1, 1, 0x51, 0), struct.pack(">BHHB6B", 8, 4, 4, 2, 1, 0x11, 0, 1, 0x11, 0)])  # fmt: skip
def test_frame_headers_that_are_none_are_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame header|components"):
        jpeg.frame_of(0xC0, payload)


def test_of_applications_only_what_says_how_colours_are_read_stays() -> None:
    assert jpeg.kept_application(0xE0, b"JFIF\0\1\1\0\0\1\0\1\2\2abcd") == jpeg.segment(
        0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"
    )
    assert jpeg.kept_application(0xEE, b"Adobe\0d\0\0\0\0\1DOE") == jpeg.segment(0xEE, b"Adobe\0d\0\0\0\0\1")
    assert jpeg.kept_application(0xE1, b"Exif\0\0") == b""
    assert jpeg.kept_application(0xFE, b"Adobe") == b""
