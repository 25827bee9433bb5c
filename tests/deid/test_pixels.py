"""The plan for the pixels of each instance."""

from dataclasses import replace

import pytest

from leadglass.deid import rle
from leadglass.deid.instance import Header
from leadglass.deid.masks import Mask, Masks, Rectangle
from leadglass.deid.native import NativePixels
from leadglass.deid.pixels import Pixels, masked_frame
from leadglass.deid.risk import PixelSettings, Region
from leadglass.model.errors import Refusal

CT = Header(
    "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2", modality="CT", image_type=r"ORIGINAL\PRIMARY", rows=480, columns=640,
    samples=1, bits_allocated=8, bits_stored=8, photometric="MONOCHROME2", manufacturer="Acme", model="S1",
)  # fmt: skip
US = replace(CT, sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1", modality="US")
MASKS = Masks([Mask(manufacturer="Acme", model="S1", columns=640, rows=480, remove=(Rectangle(left=0, top=0, width=640, height=40),))])  # fmt: skip


def test_what_is_clean_passes_as_it_is() -> None:
    assert Pixels(PixelSettings(), Masks())(CT) is None


def test_what_is_at_risk_is_refused_in_words() -> None:
    with pytest.raises(Refusal) as caught:
        Pixels(PixelSettings(), Masks())(US)
    cause = caught.value.causes[0]
    assert cause.reason.code == "pixels-at-risk"
    assert cause.params["why"] == "ultrasound shows the patient's name"


def test_what_has_a_mask_goes_through_it() -> None:
    assert isinstance(Pixels(PixelSettings(), MASKS)(US), NativePixels)
    assert Pixels(PixelSettings(), MASKS).judge(US).verdict == "mask"


def test_what_is_compressed_beyond_changing_is_refused() -> None:
    with pytest.raises(Refusal):
        Pixels(PixelSettings(), MASKS)(replace(US, transfer_syntax="1.2.840.10008.1.2.4.201"))


REGIONS = (Region(0, 0, 640, 40),)


@pytest.mark.parametrize(("bits", "size"), [(8, 640 * 480), (16, 640 * 480 * 2)])
def test_one_native_frame_by_itself(bits: int, size: int) -> None:
    header = replace(US, transfer_syntax="1.2.840.10008.1.2.4.50", frames=30, bits_allocated=bits)
    masked = masked_frame(header, REGIONS, "1.2.840.10008.1.2.1", b"\7" * size)
    assert masked == bytes(size * 40 // 480) + b"\7" * (size * 440 // 480)


def test_a_frame_that_the_archive_opened_has_all_its_chrominance() -> None:
    header = replace(US, photometric="YBR_FULL_422", samples=3, planar=0)
    halved, full = b"\7" * 640 * 480 * 2, b"\7" * 640 * 480 * 3
    assert masked_frame(header, REGIONS, "1.2.840.10008.1.2.1", full)[: 640 * 40 * 3] == bytes(640 * 40 * 3)
    assert masked_frame(header, REGIONS, "1.2.840.10008.1.2.1", halved)[:4] == b"\0\0\x80\x80"


@pytest.mark.parametrize("size", [0, 640 * 479, 640 * 480 - 1, 640 * 480 + 2, 640 * 480 * 3])
def test_a_frame_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(Refusal):
        masked_frame(US, REGIONS, "1.2.840.10008.1.2.1", b"\7" * size)


def test_one_compressed_frame_by_itself() -> None:
    packed = rle.pack([b"\7" * 640 * 480], 640)
    masked = masked_frame(replace(US, frames=9), REGIONS, "1.2.840.10008.1.2.5", packed)
    assert rle.unpack(masked, 1, 640 * 480) == [bytes(640 * 40) + b"\7" * 640 * 440]
