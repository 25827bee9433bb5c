"""Regions painted black in native pixel data, whatever its shape and however it comes in pieces."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from leadglass.deid.instance import Header
from leadglass.deid.native import NativePixels, UsedBits, spans
from leadglass.deid.risk import Region
from leadglass.model.errors import Refusal

EXPLICIT = "1.2.840.10008.1.2.1"
BIG = "1.2.840.10008.1.2.2"
REGIONS = (Region(0, 0, 12, 2), Region(3, 4, 5, 3), Region(5, 5, 7, 2))
ROWS, COLUMNS, FRAMES = 9, 12, 3


def covered() -> NDArray[np.bool_]:
    found = np.zeros((ROWS, COLUMNS), bool)
    for one in REGIONS:
        found[one.top : one.top + one.height, one.left : one.left + one.width] = True
    return found


def header(**change: object) -> Header:
    facts: dict[str, object] = {
        "transfer_syntax": EXPLICIT, "rows": ROWS, "columns": COLUMNS, "frames": FRAMES, "samples": 1, "bits_allocated": 16,
        "bits_stored": 16, "photometric": "MONOCHROME2",
    }  # fmt: skip
    return Header(**{**facts, **change})  # type: ignore[arg-type]  # a table of facts


def noise(count: int) -> bytes:
    return np.random.default_rng(1).integers(1, 256, count, np.uint8).tobytes()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def through(facts: Header, data: bytes, size: int) -> bytes:
    pixels = NativePixels(facts, REGIONS)
    return b"".join(pixels.native(piece) for piece in pieces(data, size))


SIZES = (1, 7, 64, 1_000_000)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_one_sample_of_any_size(bits: int, size: int) -> None:
    data = noise(ROWS * COLUMNS * FRAMES * bits // 8)
    expected = np.frombuffer(data, f"<u{bits // 8}").reshape(FRAMES, ROWS, COLUMNS).copy()
    expected[:, covered()] = 0
    assert through(header(bits_allocated=bits, bits_stored=bits), data, size) == expected.tobytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("columns", [12, 13])
def test_single_bits_that_run_on_from_frame_to_frame(columns: int, size: int) -> None:
    bits = np.random.default_rng(2).integers(0, 2, (FRAMES, ROWS, columns), np.uint8)
    data = np.packbits(bits.ravel(), bitorder="little").tobytes()
    expected = bits.copy()
    expected[:, :, :12][:, covered()] = 0
    given = through(header(bits_allocated=1, bits_stored=1, columns=columns), data, size)
    assert given == np.packbits(expected.ravel(), bitorder="little").tobytes()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(("photometric", "black"), [("RGB", (0, 0, 0)), ("YBR_FULL", (0, 128, 128))])
def test_colour_by_pixel_and_by_plane(planar: int, size: int, photometric: str, black: tuple[int, ...]) -> None:
    data = noise(ROWS * COLUMNS * FRAMES * 3)
    facts = header(samples=3, bits_allocated=8, bits_stored=8, planar=planar, photometric=photometric)
    shape = (FRAMES, 3, ROWS, COLUMNS) if planar else (FRAMES, ROWS, COLUMNS, 3)
    expected = np.frombuffer(data, np.uint8).reshape(shape).copy()
    pixels = np.moveaxis(expected, 1, -1) if planar else expected
    pixels[:, covered()] = black
    assert through(facts, data, size) == expected.tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_two_pixels_that_share_their_chrominance_are_painted_together(size: int) -> None:
    data = noise(ROWS * COLUMNS * FRAMES * 2)
    facts = header(samples=3, bits_allocated=8, bits_stored=8, photometric="YBR_FULL_422")
    expected = np.frombuffer(data, np.uint8).reshape(FRAMES, ROWS, COLUMNS // 2, 4).copy()
    expected[:, covered().reshape(ROWS, COLUMNS // 2, 2).any(axis=2)] = (0, 0, 128, 128)
    assert through(facts, data, size) == expected.tobytes()


def test_big_endian_samples_are_painted_in_their_order() -> None:
    data = noise(ROWS * COLUMNS * FRAMES * 6)
    facts = header(transfer_syntax=BIG, samples=3, photometric="YBR_FULL", bits_stored=12)
    expected = np.frombuffer(data, ">u2").reshape(FRAMES, ROWS, COLUMNS, 3).copy()
    expected[:, covered()] = (0, 0x800, 0x800)
    assert through(facts, data, 100) == expected.tobytes()


def test_what_lies_beyond_the_last_frame_is_zeroed() -> None:
    data = noise(ROWS * COLUMNS * FRAMES * 2) + b"DOE^JANE"
    assert through(header(), data, 50).endswith(bytes(8))
    assert len(through(header(), data, 50)) == len(data)


def test_a_piece_without_a_region_passes_as_the_object_it_came_as() -> None:
    pixels = NativePixels(header(), REGIONS)
    first, second = bytes(b"\1" * COLUMNS * 4), bytes(b"\1" * COLUMNS * 4)
    assert pixels.native(first) == bytes(len(first))
    assert pixels.native(second) is second


def test_it_says_that_nothing_is_burned_in_any_more() -> None:
    assert NativePixels(header(), REGIONS).changes == {0x00280301: ["NO"]}


@pytest.mark.parametrize(
    "change",
    [{"rows": None}, {"columns": 0}, {"rows": 70_000}, {"bits_allocated": 12}, {"bits_allocated": None}, {"samples": 2}, {"frames": 0}, {"frames": 10**9},
     {"bits_stored": 17}, {"photometric": "YBR_FULL_422"}, {"photometric": "YBR_FULL_422", "samples": 3, "columns": 13}, {"planar": 2},
     {"transfer_syntax": BIG, "bits_allocated": 8, "bits_stored": 8}],
)  # fmt: skip
def test_a_header_that_does_not_say_how_pixels_lie_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Refusal) as caught:
        NativePixels(header(**change), REGIONS)
    assert caught.value.causes[0].reason.code == "pixels-at-risk"


def test_an_encapsulated_frame_is_no_native_pixel() -> None:
    with pytest.raises(Refusal):
        NativePixels(header(), REGIONS).frame(b"\xff\xd8")


def test_spans_neither_overlap_nor_leave_the_picture() -> None:
    found = list(spans((Region(0, 0, 10, 10), Region(5, 5, 10, 10)), 8, 12))
    assert found == [(row, 0, 10) for row in range(5)] + [(row, 0, 12) for row in range(5, 8)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_bits_that_are_none_of_a_value_are_cleared(syntax: str, size: int) -> None:
    data = noise(ROWS * COLUMNS * FRAMES * 2)
    bits = UsedBits(header(transfer_syntax=syntax, bits_stored=12, high_bit=12))
    found = b"".join(bits.native(piece) for piece in pieces(data, size))
    kind = ">u2" if syntax == BIG else "<u2"
    assert np.array_equal(np.frombuffer(found, kind), np.frombuffer(data, kind) & 0x1FFE)
    assert not bits.changes


def test_they_are_cleared_before_regions_are_painted() -> None:
    data = noise(ROWS * COLUMNS * FRAMES * 2)
    facts = header(bits_stored=12, high_bit=11)
    bits = UsedBits(facts, NativePixels(facts, REGIONS))
    expected = np.frombuffer(through(facts, data, 50), "<u2") & 0xFFF
    assert bits.native(data) == expected.tobytes()
    assert bits.changes == {0x00280301: ["NO"]}


@pytest.mark.parametrize(
    "change",
    [{}, {"high_bit": 10, "bits_stored": 12}, {"high_bit": 16}, {"high_bit": 0, "bits_allocated": 1, "bits_stored": 1}],
)
def test_a_header_that_does_not_say_which_bits_are_used_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        UsedBits(header(**change))


def test_compressed_frames_hold_no_overlays() -> None:
    with pytest.raises(Refusal):
        UsedBits(header(high_bit=15)).frame(b"\xff\xd8")
