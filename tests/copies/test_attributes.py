from functools import cache

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from leadglass.copies.attributes import Survivor, survivors, texts
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Rules
from leadglass.hazmat.pseudonym import Pseudonymiser

MADE = Pseudonymiser(bytes(32))


@cache
def rules(name: str = "basic") -> Rules:
    return Rules(load_profiles()[name])


def clean(**changes: object) -> Dataset:
    """Return a data set that leaves nothing to be found."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", MADE.uid("1")
    made.StudyInstanceUID, made.Modality = MADE.uid("2"), "CT"
    made.PatientName = made.PatientID = MADE.name("patient-id", "1")
    made.PatientBirthDate, made.StudyDate = "", ""
    made.PatientIdentityRemoved = "YES"
    made.Rows = 4
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    return made


def of(found: Dataset, profile: str = "basic") -> list[tuple[str, str]]:
    return [(one.path, one.code) for one in survivors(found, rules(profile))]


def test_nothing_is_found_where_nothing_is_left() -> None:
    assert of(clean()) == []


@pytest.mark.parametrize(
    ("keyword", "value", "code"),
    [
        ("PatientName", "Mustermann^Anna", "identifier"),
        ("PatientID", "4711", "identifier"),
        ("PatientBirthDate", "19610203", "attribute"),
        ("StudyDate", "20260131", "attribute"),
        ("InstitutionName", "Klinik am Wald", "attribute"),
        ("OtherPatientIDs", "4711", "attribute"),
        ("SOPInstanceUID", "1.2.3.4", "uid"),
        ("FrameOfReferenceUID", "2.25.12345678901234567890", "uid"),
        ("OverlayData", b"\0\0", "attribute"),
        ("ImageComments", "call 030 901 8200", "attribute"),
        ("DeidentificationMethod", "by Dr. Waldarzt", "text"),
    ],
)
def test_what_should_have_been_changed_is_found(keyword: str, value: object, code: str) -> None:
    found = clean()
    if keyword == "OverlayData":
        found.add_new(0x60003000, "OW", value)
        assert [one.code for one in survivors(found, rules())] == ["overlay"]
        return
    setattr(found, keyword, value)
    assert [one[1] for one in of(found)] == [code]


def test_what_lies_deep_is_found_with_its_path() -> None:
    inner, outer = Dataset(), Dataset()
    inner.PatientName = "Mustermann^Anna"
    outer.PixelValueTransformationSequence = Sequence([Dataset(), inner])
    found = clean(SharedFunctionalGroupsSequence=Sequence([outer]))
    assert [one[0] for one in of(found)] == [
        "(5200,9229) SharedFunctionalGroupsSequence[1].(0028,9145) PixelValueTransformationSequence[2].(0010,0010) PatientName"
    ]


def test_private_attributes_and_curves_are_found() -> None:
    found = clean()
    found.add_new(0x00090010, "LO", "MAKER")
    found.add_new(0x00091001, "LO", "x")
    found.add_new(0x50000022, "LO", "x")
    assert [one[1] for one in of(found)] == ["private", "private", "curve"]


def test_the_file_meta_and_the_marker_are_looked_at() -> None:
    found = clean(PatientIdentityRemoved="NO")
    found.file_meta.SourceApplicationEntityTitle = "WALDKLINIK"
    assert of(found) == [
        ("(0002,0016) SourceApplicationEntityTitle", "file-meta"),
        ("(0012,0062) PatientIdentityRemoved", "marker"),
    ]


@pytest.mark.parametrize(
    ("age", "seen"), [("064Y", False), ("089Y", False), ("090Y", False), ("094Y", True), ("200M", False)]
)
def test_ages_over_89_are_found_where_ages_stay(age: str, seen: bool) -> None:  # noqa: FBT001 - a table
    assert [one[1] for one in of(clean(PatientAge=age), "research") if one[1] == "age"] == ["age"] * seen


def test_moved_dates_are_let_be_where_dates_are_moved() -> None:
    assert of(clean(StudyDate="20260131"), "research") == []


def test_what_was_found_is_not_quoted() -> None:
    found = clean(PatientName="Mustermann^Anna", InstitutionName="Klinik am Wald")
    assert not any("Muster" in str(one) or "Wald" in str(one) for one in survivors(found, rules()))


def test_values_are_read_as_text() -> None:
    found = clean(OtherPatientIDs=["a ", "b"])
    assert texts(found["OtherPatientIDs"]) == ["a", "b"]
    assert texts(found["PatientBirthDate"]) in ([], [""])
    assert isinstance(next(iter(survivors(clean(PatientID="1"), rules()))), Survivor)
