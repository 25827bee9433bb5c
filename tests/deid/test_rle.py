"""RLE of DICOM, undone and done again."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydicom.pixels.decoders.rle import _rle_decode_frame

from leadglass.deid import rle

HEAD = struct.pack("<16L", 1, 64, *(0,) * 14)


@given(some.lists(some.binary(min_size=60, max_size=60), min_size=1, max_size=15))
def test_what_is_packed_comes_back(segments: list[bytes]) -> None:
    assert rle.unpack(rle.pack(segments, 20), len(segments), 60) == segments


@given(some.lists(some.tuples(some.integers(1, 300), some.binary(min_size=1, max_size=1)), min_size=1, max_size=20))
def test_long_runs_and_rests_come_back(runs: list[tuple[int, bytes]]) -> None:
    row = b"".join(count * byte for count, byte in runs)
    frame = rle.pack([row], len(row))
    assert rle.unpack(frame, 1, len(row)) == [row]
    assert len(frame) % 2 == 0
    assert _rle_decode_frame(frame, 1, len(row), 1, 8) == row  # the second opinion


def test_no_run_goes_on_from_one_row_to_the_next() -> None:
    assert rle.pack([bytes(20)], 10)[64:] == bytes([257 - 10, 0, 257 - 10, 0])


@pytest.mark.parametrize(
    "frame",
    [b"", HEAD, HEAD[:10], struct.pack("<16L", 2, 64, 66, *(0,) * 13) + bytes(8), struct.pack("<16L", 1, 65, *(0,) * 14) + bytes(80),
     HEAD + b"\x80" * 100, HEAD + b"\x7f" + bytes(10), HEAD + b"\x81", HEAD + b"\x81\x00" * 3],
)  # fmt: skip
def test_what_is_not_of_the_size_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"segment|header"):
        rle.unpack(frame, 1, 300)


def test_a_little_that_becomes_much_stops_at_the_size() -> None:
    with pytest.raises(ValueError, match="size"):
        rle.unpack(HEAD + b"\x81\x00" * 1_000_000, 1, 100)
    assert rle.unpack(HEAD + b"\x81\x00" * 1_000_000, 1, 128) == [bytes(128)]


@given(some.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert [len(one) for one in rle.unpack(HEAD + data, 1, 50)] == [50]
