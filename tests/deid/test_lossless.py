"""Lossless JPEG opened and packed again, held to dcmtk's and Pillow's."""

import io
import struct
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from leadglass.deid import jpeg, lossless
from leadglass.deid.frames import FramePixels
from leadglass.deid.instance import Header
from leadglass.deid.native import Layout
from leadglass.deid.risk import Region

EMPTY = jpeg.SOI + jpeg.segment(jpeg.SOF_LOSSLESS, struct.pack(">BHHB", 0, 0, 0, 1) + b"\1\x11\0") + jpeg.EOI


def layout(rows: int, columns: int, samples: int = 1, bits: int = 16) -> Layout:
    return Layout(Header("1.2", rows=rows, columns=columns, samples=samples, bits_allocated=bits, photometric="RGB"))


def template(precision: int) -> bytes:
    """Return a frame that says how precise it is, and no more."""
    return jpeg.SOI + jpeg.segment(jpeg.SOF_LOSSLESS, struct.pack(">BHHB", precision, 1, 1, 1) + b"\1\x11\0") + jpeg.EOI


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("precision", [2, 8, 12, 16])
def test_what_is_packed_comes_back(precision: int, samples: int) -> None:
    given = np.random.default_rng(7).integers(0, 1 << precision, (37, 53, samples)).astype(np.uint16)
    given[5:20, 5:30] = 0
    given[21, 0], given[21, 1] = (1 << precision) - 1, 0
    facts = layout(37, 53, samples)
    assert np.array_equal(lossless.unpack(lossless.pack(given, template(precision), facts), facts), given)


def test_the_largest_difference_comes_back() -> None:
    given = np.array([[0, 32_768, 0, 65_535, 32_767]], np.uint16).reshape(1, 5, 1)
    facts = layout(1, 5)
    assert np.array_equal(lossless.unpack(lossless.pack(given, template(16), facts), facts), given)


def test_others_read_what_is_packed() -> None:
    given = np.random.default_rng(8).integers(0, 256, (40, 60, 1), np.uint8)
    packed = lossless.pack(given, template(8), layout(40, 60, bits=8))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(packed))), given[..., 0])


def test_a_file_of_another_maker() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(str(get_testdata_file("SC_rgb_jpeg_gdcm.dcm")))
    (frame,) = generate_frames(found.PixelData, number_of_frames=1)
    facts = layout(found.Rows, found.Columns, 3, 8)
    samples = lossless.unpack(frame, facts)
    assert np.array_equal(samples, np.asarray(Image.open(io.BytesIO(frame))))
    header = Header("1.2.840.10008.1.2.4.70", rows=100, columns=100, samples=3, bits_allocated=8, photometric="RGB")
    masked = lossless.unpack(FramePixels(header, (Region(0, 0, 50, 20),)).frame(frame), facts)
    expected = np.array(samples)
    expected[:20, :50] = 0
    assert np.array_equal(masked, expected)


@pytest.mark.system
def test_dcmtk_packs_and_reads_it(tmp_path: Path) -> None:
    source = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    packed, masked, opened = tmp_path / "packed.dcm", tmp_path / "masked.dcm", tmp_path / "opened.dcm"
    subprocess.run(["dcmcjpeg", "+e1", get_testdata_file("CT_small.dcm"), packed], check=True)  # noqa: S607 - of PATH
    found = pydicom.dcmread(packed)
    (frame,) = generate_frames(found.PixelData, number_of_frames=1)
    header = Header(str(found.file_meta.TransferSyntaxUID), rows=128, columns=128, samples=1, bits_allocated=16, bits_stored=16)  # fmt: skip
    found.PixelData = pydicom.encaps.encapsulate([FramePixels(header, (Region(10, 20, 30, 40),)).frame(frame)])
    found.save_as(masked)
    subprocess.run(["dcmdjpeg", masked, opened], check=True)  # noqa: S607 - likewise
    expected = source.pixel_array.copy()
    expected[20:60, 10:40] = 0
    assert np.array_equal(pydicom.dcmread(opened).pixel_array, expected)


def coded(**how: Any) -> bytes:  # noqa: ANN401 - of a table
    given = np.random.default_rng(9).integers(0, 256, (8, 8, 1), np.uint8)
    body = lossless.pack(given, template(8), layout(8, 8, bits=8))
    for old, new in how.get("swap", ()):
        assert old in body
        body = body.replace(old, new, 1)
    return body[: how.get("cut")]


@pytest.mark.parametrize(
    "body",
    [
        b"", EMPTY, coded(cut=-20), coded(cut=30), coded(swap=[(b"\xff\xc3", b"\xff\xc0")]), coded(swap=[(b"\x01\x00\x01\x00\x00", b"\x01\x00\x02\x00\x00")]),
        coded(swap=[(b"\x01\x00\x01\x00\x00", b"\x01\x10\x01\x00\x00")]), coded(swap=[(b"\x00\x08\x00\x08", b"\x00\x08\xff\xff")]), coded(swap=[(b"\x01\x11\x00", b"\x01\x21\x00")]),
        coded(swap=[(b"\x08\x00\x08\x00\x08", b"\x04\x00\x08\x00\x08")]), coded(swap=[(b"\xff\xc4", b"\xff\xdd\x00\x04\x00\x03\xff\xc4")]),
    ],
)  # fmt: skip
def test_what_is_not_so_coded_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        lossless.unpack(body, layout(8, 8, bits=8))
