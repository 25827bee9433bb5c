import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary

from leadglass.deid.acts import Act
from leadglass.deid.known import Known
from leadglass.deid.options import Option
from leadglass.deid.profile import Profile
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.table import ROWS
from leadglass.deid.values import Values

KNOWN = Known.of({0x00100010: ["Doe^Jane"], 0x00100020: ["P-77"], 0x00080080: ["Saint Mary"]})
RESEARCH = (Option.RETAIN_MODIFIED_DATES, Option.CLEAN_DESCRIPTORS, Option.RETAIN_PATIENT)


def values(*options: Option, known: Known = KNOWN, patient: str = "P-77", days: int = 365, **more: object) -> Values:
    profile = Profile.model_validate({"title": "T", "options": options or RESEARCH, **more})
    return Values(Rules(profile), Pseudonyms(b"k" * 32, Patient.of(None, patient), days), known)


def test_what_stays_is_given_back_as_it_is() -> None:
    given = ["a", "b"]
    assert values().replace(Act.KEEP, 0x00080060, "CS", given) is given


@pytest.mark.parametrize("act", [Act.EMPTY, Act.REMOVE])
def test_what_is_emptied_has_no_value(act: Act) -> None:
    assert values().replace(act, 0x00100030, "DA", ["19700101"]) is None


def test_dummies_are_the_same_whatever_was_there() -> None:
    one = values()
    assert (
        one.replace(Act.DUMMY, 0x00081070, "PN", ["A", "B"])
        == one.replace(Act.DUMMY, 0x00081070, "PN", [])
        == ["ANONYMIZED"]
    )
    assert one.replace(Act.DUMMY, 0x00340002, "OB", []) == ["\0\0"]


def test_uids_become_pseudonyms_one_by_one() -> None:
    one = values()
    done = one.replace(Act.UID, 0x00080058, "UI", ["1.2.3", "1.2.4\0", "1.2.840.10008.1.2"])
    assert done is not None
    assert done[0] == one.pseudonyms.uid("1.2.3")
    assert done[1] == one.pseudonyms.uid("1.2.4")
    assert done[2] == "1.2.840.10008.1.2"


def test_a_uid_that_only_begins_like_dicoms_own_does_not_stay() -> None:
    assert values().replace(Act.UID, 0x00081155, "UI", ["1.2.840.10008.Doe"]) is None


def test_name_and_number_of_the_patient_are_one_pseudonym() -> None:
    one = values()
    number = one.replace(Act.IDENTIFIER, 0x00100020, "LO", ["P-77"])
    assert number == [one.pseudonyms.patient_id]
    assert one.replace(Act.IDENTIFIER, 0x00100010, "PN", ["Doe^Jane"]) == number
    accession = one.replace(Act.IDENTIFIER, 0x00080050, "SH", ["P-77"])
    assert accession not in (None, number)
    assert one.replace(Act.IDENTIFIER, 0x00200010, "SH", ["P-77"]) not in (accession, number)


def test_a_patient_without_a_number_has_no_name_and_a_dummy_for_the_number() -> None:
    one = values(patient="")
    assert one.replace(Act.IDENTIFIER, 0x00100020, "LO", ["X"]) == ["ANONYMIZED"]
    assert one.replace(Act.IDENTIFIER, 0x00100010, "PN", ["Doe"]) is None


def test_what_is_empty_stays_empty_unless_it_must_not() -> None:
    one = values()
    assert one.replace(Act.CLEAN, 0x00081030, "LO", []) is None
    assert one.replace(Act.IDENTIFIER, 0x00080050, "SH", [""]) is None
    assert one.replace(Act.SHIFT, 0x00080023, "DA", []) == ["19000101"]


def test_dates_move_and_times_of_day_stay() -> None:
    one = values()
    assert one.replace(Act.SHIFT, 0x00080020, "DA", ["20240229"]) == [one.pseudonyms.moved("20240229")]
    moved = one.replace(Act.SHIFT, 0x0008002A, "DT", ["20240229101112.5+0100"])
    assert moved == [one.pseudonyms.moved("20240229") + "101112.5+0100"]
    assert one.replace(Act.SHIFT, 0x00080030, "TM", ["101112.123456"]) == ["101112.123456"]
    assert one.replace(Act.SHIFT, 0x00080201, "SH", ["+0100"]) == ["+0100"]
    assert one.replace(Act.SHIFT, 0x00080020, "LO", ["20240229"]) == [one.pseudonyms.moved("20240229")]


def test_of_bytes_nothing_is_made() -> None:
    one = values()
    assert one.replace(Act.CLEAN, 0x00081030, "UN", ["CT", "Doe"]) is None
    assert one.replace(Act.IDENTIFIER, 0x00100020, "OB", ["P-77"]) == ["\0\0"]


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00080020, "DA", "Doe"),
        (0x00080020, "DA", "20241301"),
        (0x00080020, "DA", "20240101-20240201"),
        (0x00080030, "TM", "Doe"),
        (0x00080030, "TM", "2560"),
        (0x00080201, "SH", "Doe"),
        (0x0008002A, "DT", "99991231"),
    ],
)
def test_what_is_no_date_or_time_does_not_stay_as_one(tag: int, vr: str, value: str) -> None:
    one = values(days=365)
    if value == "99991231" and one.pseudonyms.shift < 0:
        value = "00010101"
    assert one.replace(Act.SHIFT, tag, vr, [value]) in (None, ["19000101000000"])


def test_text_is_cleaned_of_what_is_known() -> None:
    one = values()
    assert one.replace(Act.CLEAN, 0x00081030, "LO", ["CT Doe", "JANE"]) == ["CT", ""]
    assert one.replace(Act.CLEAN, 0x00081030, "LO", ["Doe Jane"]) is None
    assert one.replace(Act.CLEAN, 0x00081030, "LO", ["CT Saint Mary"]) == ["CT"]
    assert one.replace(Act.CLEAN, 0x04000565, "CS", ["Doe"]) == ["CORRECT"]


def test_places_stay_in_text_where_the_institution_is_kept() -> None:
    one = values(Option.RETAIN_INSTITUTION, Option.CLEAN_DESCRIPTORS)
    assert one.replace(Act.CLEAN, 0x00081030, "LO", ["CT Saint Mary"]) == ["CT Saint Mary"]


def test_text_is_dropped_when_nothing_is_known_to_clean_it_of() -> None:
    assert values(known=Known()).replace(Act.CLEAN, 0x00081030, "LO", ["CT"]) is None


def test_text_too_long_to_be_looked_through_is_dropped() -> None:
    assert values().replace(Act.CLEAN, 0x0040A160, "UT", ["CT " * 30_000]) == ["ANONYMIZED"]


@pytest.mark.parametrize(
    ("given", "left"), [("089Y", "089Y"), ("090Y", "090Y"), ("101Y", "090Y"), ("999M", "999M"), ("Doe", None)]
)
def test_ages_over_89_become_090y(given: str, left: str | None) -> None:
    assert values().replace(Act.AGE, 0x00101010, "AS", [given]) == (left if left is None else [left])


def test_a_profile_may_keep_ages() -> None:
    one = values(Option.RETAIN_PATIENT, ages_over_89=False)
    assert one.rules.acts[0x00101010] is Act.KEEP


def test_of_a_postcode_three_digits_stay() -> None:
    assert values().replace(Act.POSTCODE, 0x00101040, "LO", ["1 Road, Boston MA 02115"]) == ["021"]


VALID = {
    "AE": r"[ -\[\]-~]{0,16}", "AS": r"(\d{3}[DWMY])?", "CS": r"[A-Z0-9 _]{0,16}", "DA": r"(\d{8})?", "TM": r"(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?",
    "DT": r"(\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?)?", "UI": r"([0-9.]{1,64})?", "SH": r"(?s:.){0,16}", "LO": r"(?s:.){0,64}", "PN": r"(?s:.){0,64}",
}  # fmt: skip


@pytest.mark.parametrize("option", [None, *(one for one in Option if one is not Option.CLEAN_PIXELS)])
@settings(deadline=None)
@given(value=st.text(max_size=80), data=st.data())
def test_whatever_was_there_what_stands_there_is_valid(option: Option | None, value: str, data: st.DataObject) -> None:
    one = values(*([option] if option else RESEARCH))
    tag = data.draw(st.sampled_from(sorted(ROWS)))
    vr = DicomDictionary[tag][0]
    act = one.rules.acts[tag]
    if act is Act.KEEP or vr == "SQ":
        return
    done = one.replace(act, tag, vr, [value])
    for text in done or []:
        assert re.fullmatch(VALID.get(vr, "(?s:.*)"), text), (vr, text)
    if tag in one.rules.required and act is not Act.REMOVE:
        assert done
        assert any(done)
