"""Lossy JPEG painted as it is coded: blocks in the regions are black, and all others decode to what they did."""

import io
import re
import struct
import warnings
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from leadglass.deid import jpeg
from leadglass.deid.dct import paint
from leadglass.deid.instance import Header
from leadglass.deid.native import Layout
from leadglass.deid.risk import Region

REGIONS = (Region(0, 0, 100, 13), Region(60, 40, 20, 31))
ROWS, COLUMNS = 90, 117
UNIT = 16  # of a picture with halved chrominance


def layout(samples: int = 3, **change: Any) -> Layout:  # noqa: ANN401 - facts of a header
    facts: dict[str, Any] = {"rows": ROWS, "columns": COLUMNS, "bits_allocated": 8, "bits_stored": 8, **change}
    return Layout(Header("1.2.840.10008.1.2.4.50", samples=samples, photometric="YBR_FULL" if samples == 3 else "MONOCHROME2", **facts))  # fmt: skip


def picture(mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(6)
    rough = rng.integers(0, 256, (12, 15, 3), np.uint8)
    return Image.fromarray(rough).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC).convert(mode)


def coded(mode: str = "RGB", **how: Any) -> bytes:  # noqa: ANN401 - of Pillow
    out = io.BytesIO()
    picture(mode).save(out, "JPEG", **{"quality": 85, **how})
    return out.getvalue()


def opened(body: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(body))).astype(int)


def inside(unit: int, regions: tuple[Region, ...] = REGIONS, shape: tuple[int, int] = (ROWS, COLUMNS)) -> Any:  # noqa: ANN401 - a mask
    found = np.zeros(shape, bool)
    for one in regions:
        top, left = one.top // unit * unit, one.left // unit * unit
        bottom, right = -(-(one.top + one.height) // unit) * unit, -(-(one.left + one.width) // unit) * unit
        found[top:bottom, left:right] = True
    return found


def grown(mask: Any, by: int) -> Any:  # noqa: ANN401 - likewise
    padded = np.pad(mask, by)
    return np.max([np.roll(padded, (y, x), (0, 1)) for y in range(-by, by + 1) for x in range(-by, by + 1)], axis=0)[by:-by, by:-by]  # fmt: skip


WAYS = [
    ("RGB", {"subsampling": 0}), ("RGB", {"subsampling": 1}), ("RGB", {"subsampling": 2}), ("L", {}), ("RGB", {"optimize": True}), ("L", {"optimize": True}),
    ("RGB", {"restart_marker_blocks": 5}), ("L", {"restart_marker_blocks": 1}), ("RGB", {"restart_marker_rows": 1, "subsampling": 2}), ("RGB", {"quality": 10}), ("RGB", {"quality": 100}),
    ("RGB", {"keep_rgb": True, "subsampling": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("mode", "how"), WAYS)
def test_regions_are_black_and_the_rest_is_as_it_was(mode: str, how: dict[str, Any]) -> None:
    body = coded(mode, **how)
    samples = 1 if mode == "L" else 3
    facts = layout(samples)
    if "keep_rgb" in how:
        facts = Layout(Header("1.2", rows=ROWS, columns=COLUMNS, samples=3, bits_allocated=8, photometric="RGB"))
    masked = paint(body, facts, REGIONS)
    before, after = opened(body), opened(masked)
    exact = np.zeros((ROWS, COLUMNS), bool)
    for one in REGIONS:
        exact[one.top : one.top + one.height, one.left : one.left + one.width] = True
    # Where chrominance is halved, a decoder blends it with that of the next pixels.
    assert after[exact].max() <= (60 if how.get("subsampling", 2) else 3)
    assert np.median(after[exact]) <= 2
    untouched = ~grown(inside(UNIT), 2)
    assert untouched.sum() > 2_000
    assert np.array_equal(after[untouched], before[untouched])


def test_nothing_of_what_was_there_is_left_in_luminance() -> None:
    for value in (0, 255):
        dark = Image.new("L", (COLUMNS, ROWS), 128)
        dark.paste(value, (20, 2, 80, 10))
        out = io.BytesIO()
        dark.save(out, "JPEG")
        masked = opened(paint(out.getvalue(), layout(1), REGIONS))
        assert masked[:8, :96].max() <= 2


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+n2.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cy+s2.dcm",
     "SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_jpeg.dcm", "SC_rgb_jpeg_app14_dcmd.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm", "SC_jpeg_no_color_transform.dcm", "examples_ybr_color.dcm"],
)  # fmt: skip
def test_files_of_other_makers(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(str(get_testdata_file(name)))
    frames = list(generate_frames(found.PixelData, number_of_frames=int(found.get("NumberOfFrames") or 1)))[:3]
    facts = Layout(
        Header(
            "1.2",
            rows=found.Rows,
            columns=found.Columns,
            samples=3,
            bits_allocated=8,
            photometric=found.PhotometricInterpretation.removesuffix("_422"),
        )
    )
    region = (Region(0, 0, found.Columns // 2, 20),)
    for frame in frames:
        before, after = opened(frame), opened(paint(frame, facts, region))
        if name not in {
            "SC_rgb_jpeg.dcm",
            "SC_jpeg_no_color_transform.dcm",
        }:  # only their headers say that they are RGB
            assert np.abs(after[:16, : found.Columns // 2 - 8]).mean() < 40
        below = slice(50, None)
        assert np.array_equal(after[below], before[below])


def test_twelve_bits_are_painted_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(str(get_testdata_file("JPGExtended.dcm")))
    (frame,) = generate_frames(found.PixelData, number_of_frames=1)
    facts = Layout(
        Header("1.2.840.10008.1.2.4.51", rows=found.Rows, columns=found.Columns, bits_allocated=16, bits_stored=12)
    )
    masked = paint(frame, facts, (Region(0, 0, 256, 512),))
    assert len(masked) < len(frame)
    assert (
        paint(masked, facts, ()) == masked
    )  # it reads what it wrote, and changes nothing where there is nothing to change


def test_what_was_said_beside_the_picture_does_not_leave() -> None:
    body = coded("RGB", comment=b"DOE^JANE", exif=b"Exif\0\0DOE^JANE", icc_profile=b"DOE^JANE")
    assert body.count(b"DOE^JANE") == 3
    assert b"DOE^JANE" not in paint(body + b"DOE^JANE", layout(), REGIONS)


def patched(body: bytes, pattern: bytes, new: bytes) -> bytes:
    found = re.search(pattern, body, re.DOTALL)
    assert found is not None
    return body[: found.start()] + new + body[found.end() :]


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"\xff\xd8", b"no JPEG", coded()[:300], coded()[:-400], coded(progressive=True), coded("CMYK"), coded("L"),
        patched(coded(), rb"\xff\xc0\x00\x11\x08....", b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff"),
        patched(coded(), rb"\xff\xc0\x00\x11\x08....", b"\xff\xc0\x00\x11\x08\x00\x00\x00\x75"),
        patched(coded(), rb"\xff\xc0", b"\xff\xc9"), patched(coded(), rb"\xff\xc4", b"\xff\xc5"), patched(coded(), rb"\xff\xdb", b"\xff\xfe"),
        patched(coded(), rb"\xff\xc4", b"\xff\xfe"), patched(coded(), rb"\xff\xda", b"\xff\xfe"),
    ],
)  # fmt: skip
def test_what_is_no_such_picture_of_the_size_is_refused(broken: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        paint(broken, layout(), REGIONS)


@settings(max_examples=60, deadline=None)
@given(some.data())
def test_mutated_frames_are_read_or_refused(data: some.DataObject) -> None:
    body = bytearray(coded())
    for _ in range(data.draw(some.integers(1, 8))):
        body[data.draw(some.integers(0, len(body) - 1))] = data.draw(some.integers(0, 255))
    try:
        masked = paint(bytes(body), layout(), REGIONS)
    except (ValueError, KeyError, IndexError, ArithmeticError, struct.error):
        return
    except Exception as error:  # noqa: BLE001 - named, so that the caller's net is known to be wide enough
        pytest.fail(type(error).__name__)
    assert masked.startswith(jpeg.SOI)
