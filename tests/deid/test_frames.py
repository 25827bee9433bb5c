"""Regions painted black in compressed frames: the rest stays as it was, bit for bit, in the same transfer syntax."""

import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from leadglass.deid import frames as module
from leadglass.deid.codecs import CODECS, Samples
from leadglass.deid.frames import FramePixels
from leadglass.deid.instance import Header
from leadglass.deid.native import Layout
from leadglass.deid.risk import Region
from leadglass.model.errors import Refusal

REGIONS = (Region(0, 0, 9, 4), Region(3, 5, 4, 20))
FILES = [
    "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm", "examples_jpeg2k.dcm",
    "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_gdcm_KY.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm",
    "SC_rgb_rle.dcm", "SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit.dcm", "rtdose_rle.dcm",
]  # fmt: skip


def opened(name: str) -> tuple[Header, list[bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of these files are odd on purpose
        found = pydicom.dcmread(str(get_testdata_file(name)))
    header = Header(
        str(found.file_meta.TransferSyntaxUID), rows=found.Rows, columns=found.Columns, samples=found.SamplesPerPixel,
        bits_allocated=found.BitsAllocated, bits_stored=found.BitsStored, photometric=found.PhotometricInterpretation,
        planar=found.get("PlanarConfiguration"), frames=int(found.get("NumberOfFrames") or 1),
    )  # fmt: skip
    return header, list(generate_frames(found.PixelData, number_of_frames=header.frames))


def unpacked(header: Header, frame: bytes) -> Samples:
    return np.array(CODECS[header.transfer_syntax].unpack(frame, Layout(header)))


@pytest.mark.parametrize("name", FILES)
def test_only_the_regions_change(name: str) -> None:
    header, given = opened(name)
    pixels = FramePixels(header, REGIONS)
    for frame in given:
        masked = pixels.frame(frame)
        expected = unpacked(header, frame)
        for one in REGIONS:
            expected[one.top : one.top + one.height, one.left : one.left + one.width] = 0
        assert np.array_equal(unpacked(header, masked), expected)
        assert len(masked) % 2 == 0
    assert pixels.transfer_syntax is None
    assert pixels.changes[0x00280301] == ["NO"]


def test_a_frame_of_deflated_samples() -> None:
    header = Header("1.2.840.10008.1.2.8.1", rows=30, columns=20, samples=3, bits_allocated=8, bits_stored=8, photometric="YBR_FULL", planar=1)  # fmt: skip
    samples = np.random.default_rng(3).integers(0, 256, (3, 30, 20), np.uint8)
    deflator = zlib.compressobj(wbits=-15)
    masked = FramePixels(header, REGIONS).frame(deflator.compress(samples.tobytes()) + deflator.flush())
    found = np.frombuffer(zlib.decompressobj(-15).decompress(masked), np.uint8).reshape(3, 30, 20)
    assert (found[:, :4, :9] == np.array([0, 128, 128]).reshape(3, 1, 1)).all()
    assert np.array_equal(found[:, :4, 9:], samples[:, :4, 9:])


def test_irreversible_colour_becomes_reversible_and_says_so() -> None:
    header, given = opened("examples_jpeg2k.dcm")
    pixels = FramePixels(replace(header, photometric="YBR_ICT", transfer_syntax="1.2.840.10008.1.2.4.91"), REGIONS)
    assert pixels.changes[0x00280004] == ["YBR_RCT"]
    assert pixels.frame(given[0])


def test_what_was_appended_to_a_frame_does_not_leave() -> None:
    header, given = opened("MR_small_RLE.dcm")
    secret = b"DOE^JANE"
    assert secret not in FramePixels(header, REGIONS).frame(given[0] + secret)
    header, given = opened("MR_small_jpeg_ls_lossless.dcm")
    with_comment = given[0][:2] + struct.pack(">HH", 0xFFFE, 10) + secret + given[0][2:]
    assert secret not in FramePixels(header, REGIONS).frame(with_comment)


@pytest.mark.parametrize("syntax", ["4.55", "4.92", "4.201", "4.110", "4.102", "9.9"])
def test_what_has_no_lossless_form_here_is_refused(syntax: str) -> None:
    header, _ = opened("MR_small_RLE.dcm")
    with pytest.raises(Refusal) as caught:
        FramePixels(replace(header, transfer_syntax=f"1.2.840.10008.1.2.{syntax}"), REGIONS)
    assert "without loss" in caught.value.causes[0].params["why"]


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
@pytest.mark.parametrize("change", [{"rows": 65}, {"columns": 65}, {"samples": 3}, {"rows": 65_000, "columns": 2_000}])
def test_dimensions_that_lie_are_refused_before_a_decoder_makes_room(name: str, change: dict[str, int]) -> None:
    header, given = opened(name)
    with pytest.raises(Refusal):
        FramePixels(replace(header, **change), REGIONS).frame(given[0])  # type: ignore[arg-type]  # numbers all


def siz(frame: bytes, at: int, value: int, form: str = ">I") -> bytes:
    changed = bytearray(frame)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


@pytest.mark.parametrize(
    "bomb",
    [
        lambda frame: siz(frame, 8, 2**31),  # width
        lambda frame: siz(frame, 12, 2**32 - 1),  # height
        lambda frame: siz(siz(frame, 24, 1), 28, 0),  # tiles
        lambda frame: siz(frame, 40, 16_384, ">H"),  # components
        lambda frame: siz(frame, 43, 2, ">B"),  # subsampled
        lambda frame: frame[:100],
        lambda frame: frame[:4],
        lambda _: b"",
        lambda _: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(80),
    ],
)
def test_a_broken_or_boasting_frame_is_refused(bomb: Callable[[bytes], bytes]) -> None:
    header, given = opened("MR_small_jp2klossless.dcm")
    with pytest.raises(Refusal):
        FramePixels(header, REGIONS).frame(bomb(given[0]))


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm"])
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 10, 30, 64, 100])
def test_a_frame_cut_short_is_refused(name: str, cut: int) -> None:
    header, given = opened(name)
    with pytest.raises(Refusal):
        FramePixels(header, REGIONS).frame(given[0][:cut])


def test_a_little_that_inflates_to_much_is_refused() -> None:
    header = Header("1.2.840.10008.1.2.8.1", rows=30, columns=20, samples=1, bits_allocated=8, bits_stored=8)
    deflator = zlib.compressobj(wbits=-15)
    with pytest.raises(Refusal):
        FramePixels(header, REGIONS).frame(deflator.compress(bytes(10_000_000)) + deflator.flush())


def test_a_frame_beyond_the_bound_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    header, given = opened("MR_small_RLE.dcm")
    pixels = FramePixels(header, REGIONS)
    monkeypatch.setattr(module, "PIXEL_FRAME_BYTES", 1_000)
    with pytest.raises(Refusal, match="pixels-at-risk"):
        pixels.frame(given[0])
    with pytest.raises(Refusal, match="pixels-at-risk"):
        FramePixels(header, REGIONS)


@pytest.mark.parametrize(
    "name", ["examples_ybr_color.dcm", "SC_rgb_jpeg_dcmtk.dcm", "JPGExtended.dcm", "SC_rgb_small_odd_jpeg.dcm"]
)
def test_lossy_frames_are_painted_as_they_are_coded(name: str) -> None:
    header, given = opened(name)
    masked = FramePixels(header, (Region(0, 0, 3, 3),)).frame(given[0])
    assert masked.startswith(b"\xff\xd8")
    assert masked.rstrip(b"\0").endswith(b"\xff\xd9")
    assert len(masked) % 2 == 0


def test_a_lossy_frame_that_lies_is_refused() -> None:
    header, given = opened("SC_rgb_jpeg_dcmtk.dcm")
    for change in ({"rows": 99}, {"columns": 101}, {"samples": 1}):
        with pytest.raises(Refusal):
            FramePixels(replace(header, **change), REGIONS).frame(given[0])  # type: ignore[arg-type]  # numbers all


def test_native_bytes_are_no_frame() -> None:
    header, _ = opened("MR_small_RLE.dcm")
    with pytest.raises(Refusal):
        FramePixels(header, REGIONS).native(b"\0\0")


@pytest.mark.parametrize("name", ["GDCMJ2K_TextGBR.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"])
def test_what_is_no_plain_codestream_of_the_size_is_refused(name: str) -> None:
    header, given = opened(name)  # a JP2 file in place of a codestream; a codestream that says another size
    with pytest.raises(Refusal):
        FramePixels(header, REGIONS).frame(given[0])
