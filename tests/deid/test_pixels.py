"""The plan for the pixels of each instance."""

from dataclasses import replace

import pytest

from leadglass.deid.instance import Header
from leadglass.deid.masks import Mask, Masks, Rectangle
from leadglass.deid.native import NativePixels
from leadglass.deid.pixels import Pixels
from leadglass.deid.risk import PixelSettings
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
        Pixels(PixelSettings(), MASKS)(replace(US, transfer_syntax="1.2.840.10008.1.2.4.50"))
