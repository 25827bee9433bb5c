"""Which instances may show text about the patient, and which an officer may let pass."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from leadglass.deid.instance import Header
from leadglass.deid.risk import Allowance, PixelSettings, Region, alike, judge, risk

STORAGE = "1.2.840.10008.5.1.4.1.1."
CT = Header(
    "1.2.840.10008.1.2.1", STORAGE + "2", modality="CT", image_type=r"ORIGINAL\PRIMARY\AXIAL", rows=512, columns=512
)
US = replace(CT, sop_class_uid=STORAGE + "6.1", modality="US", image_type=r"ORIGINAL\PRIMARY")
PLAIN = PixelSettings()
TOP = (Region(0, 0, 512, 40),)


@pytest.mark.parametrize(
    ("kind", "modality"),
    [("2", "CT"), ("4", "MR"), ("1", "CR"), ("1.1", "DX"), ("1.2", "MG"), ("128", "PT"), ("20", "NM"), ("4.1", "MR"),
     ("12.1", "XA"), ("13.1.3", "MG"), ("66.4", "SEG"), ("11.1", "PR"), ("88.59", "KO"), ("481.5", "RTPLAN"), ("9.1.1", "ECG")],
)  # fmt: skip
def test_what_comes_from_a_detector_or_has_no_picture_is_clean(kind: str, modality: str) -> None:
    assert risk(replace(CT, sop_class_uid=STORAGE + kind, modality=modality)) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sop_class_uid": STORAGE + "6.1", "modality": "US"}, "ultrasound"),
        ({"sop_class_uid": STORAGE + "3.1", "modality": "US"}, "ultrasound"),
        ({"sop_class_uid": STORAGE + "7"}, "capture"),
        ({"sop_class_uid": STORAGE + "7.4", "modality": "OT"}, "capture"),
        ({"sop_class_uid": STORAGE + "77.1.4", "modality": "XC"}, "not known to be free"),
        ({"sop_class_uid": STORAGE + "104.1", "modality": "DOC"}, "document"),
        ({"sop_class_uid": STORAGE + "104.2"}, "document"),
        ({"sop_class_uid": STORAGE + "88.33", "modality": "SR"}, "report"),
        ({"sop_class_uid": STORAGE + "88.67"}, "report"),
        ({"sop_class_uid": "1.3.12.2.1107.5.9.1"}, "not known to be free"),
        ({"sop_class_uid": ""}, "not known to be free"),
        ({"modality": "US"}, "ultrasound"),
        ({"modality": "us"}, "ultrasound"),
        ({"modality": ""}, "no modality"),
        ({"conversion_type": "WSD"}, "converted"),
        ({"image_type": r"DERIVED\SECONDARY\SCREEN SAVE"}, "capture or a report"),
        ({"image_type": r"ORIGINAL\PRIMARY\DOSE_INFO"}, "capture or a report"),
        ({"burned_in": "YES"}, "burned in"),
        ({"recognizable": "YES"}, "recognised"),
        ({"sop_class_uid": STORAGE + "12.1", "modality": "XA", "image_type": r"DERIVED\PRIMARY"}, "detector"),
        ({"sop_class_uid": STORAGE + "12.2", "modality": "RF", "image_type": r"ORIGINAL\SECONDARY"}, "detector"),
        ({"sop_class_uid": STORAGE + "77.1.6", "modality": "SM", "image_type": r"ORIGINAL\PRIMARY\OVERVIEW\NONE"}, "slide"),
        ({"transfer_syntax": "1.2.840.10008.1.2.4.102"}, "video"),
    ],
)  # fmt: skip
def test_what_may_show_the_patient_is_kept_back_in_words(change: dict[str, str], why: str) -> None:
    judgement = judge(replace(CT, **change), PLAIN)  # type: ignore[arg-type]  # all are text
    assert judgement.verdict == "at-risk"
    assert why in judgement.why


def test_the_volume_of_a_slide_is_clean() -> None:
    slide = replace(CT, sop_class_uid=STORAGE + "77.1.6", modality="SM", image_type=r"ORIGINAL\PRIMARY\VOLUME\NONE")
    assert judge(slide, PLAIN).verdict == "clean"


def test_a_mask_lets_an_instance_at_risk_pass_masked() -> None:
    assert judge(US, PLAIN, TOP).verdict == "mask"
    assert judge(US, PLAIN, TOP).regions == TOP
    assert judge(replace(US, burned_in="YES"), PLAIN, TOP).verdict == "mask"


def test_a_mask_is_for_whatever_its_device_makes() -> None:
    assert judge(CT, PLAIN, TOP).verdict == "mask"


def test_masks_that_are_off_save_nothing() -> None:
    assert judge(US, PixelSettings(masks=False), TOP).verdict == "at-risk"


def test_a_document_has_no_pixels_to_mask() -> None:
    assert judge(replace(US, rows=None, columns=None), PLAIN, TOP).verdict == "at-risk"


@pytest.mark.parametrize(
    ("burned_in", "said", "verdict"),
    [
        ("unsaid", "", "clean"), ("unsaid", "NO", "clean"), ("unsaid", "YES", "at-risk"),
        ("NO", "", "at-risk"), ("NO", "NO", "clean"), ("NO", "YES", "at-risk"),
        ("any", "YES", "clean"), ("any", "", "clean"),
    ],
)  # fmt: skip
def test_an_allowance_goes_by_what_the_header_says_of_burned_in_text(burned_in: str, said: str, verdict: str) -> None:
    allowance = Allowance(modality="US", burned_in=burned_in, reason="looked at in 2026")  # type: ignore[arg-type]  # given as text
    assert judge(replace(US, burned_in=said), PixelSettings(allow=(allowance,))).verdict == verdict


@pytest.mark.parametrize(
    "other", [{"modality": "XC"}, {"sop_class": STORAGE + "7"}, {"modality": "US", "model": "S2"}, {"modality": "US", "manufacturer": "B*"}]
)  # fmt: skip
def test_an_allowance_for_another_lets_nothing_pass(other: dict[str, str]) -> None:
    allowance = Allowance.model_validate({**other, "reason": "looked at in 2026"})
    header = replace(US, manufacturer="Acme", model="S1")
    assert judge(header, PixelSettings(allow=(allowance,))).verdict == "at-risk"


def test_a_profile_may_name_more_modalities() -> None:
    assert judge(CT, PixelSettings(at_risk=("CT",))).verdict == "at-risk"


@pytest.mark.parametrize(
    "allowance",
    [{"reason": "looked at in 2026"}, {"modality": "US"}, {"modality": "US", "reason": "ok"}, {"modality": "us!", "reason": "looked at in 2026"},
     {"sop_class": "SC", "reason": "looked at in 2026"}, {"modality": "US", "model": "*a*b*", "reason": "looked at in 2026"},
     {"modality": "US", "burned_in": False, "reason": "looked at in 2026"}],
)  # fmt: skip
def test_an_allowance_must_say_what_and_why(allowance: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PixelSettings.model_validate({"allow": (allowance,)})


@pytest.mark.parametrize(
    ("pattern", "text", "same"),
    [(None, "x", True), ("acme", " ACME ", True), ("Acme*", "ACME Medical", True), ("*3", "Sonic 3", True),
     ("Acme", "Acme Medical", False), ("A.me", "Acme", False), ("A*", "", False)],
)  # fmt: skip
def test_names_of_devices_are_compared_as_people_write_them(pattern: str | None, text: str, same: bool) -> None:  # noqa: FBT001 - of a table
    assert alike(pattern, text) is same
