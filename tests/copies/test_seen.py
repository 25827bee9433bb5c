from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leadglass.copies.seen import WAYS, changes, read
from support.scans import scan, written


def test_each_way_is_told_by_what_is_there() -> None:
    before, after = (
        scan(),
        scan(PatientName="P", StudyDescription="", InstitutionName=None, PatientIdentityRemoved="YES"),
    )
    found = changes(before, after)
    assert {way: tag for tag, way in found.items() if way != "kept"} == {
        "replaced": "00100010", "emptied": "00081030", "removed": "00080080", "added": "00120062",
    }  # fmt: skip
    assert found["00280010"] == "kept"
    assert set(found.values()) <= set(WAYS)


def test_what_stands_in_items_counts_with_its_tag() -> None:
    before, after = scan(), scan()
    after.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "2.25.1"
    found = changes(before, after)
    assert (found["00081140"], found["00081155"], found["00081150"]) == ("kept", "replaced", "kept")


def test_a_sequence_that_lost_its_items_was_emptied() -> None:
    found = changes(scan(), scan(ReferencedImageSequence=Sequence()))
    assert found["00081140"] == "emptied"
    assert "00081155" not in found


def test_the_strongest_of_several_places_counts() -> None:
    inner = Dataset()
    inner.PatientName = "X"
    before, after = scan(RequestAttributesSequence=Sequence([inner])), scan()
    after.RequestAttributesSequence = Sequence([Dataset()])
    assert changes(before, after)["00100010"] == "removed"


def test_pixels_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(written(scan()))
    assert "PixelData" not in read(tmp_path / "a")
