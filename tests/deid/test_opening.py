import pytest

from leadglass.deid.opening import MARKERS, SPECIAL
from support.deid import read, refused, rewritten
from support.part10files import dataset, element, file

ROWS = element(0x00280010, "US", b"\4\0")


@pytest.mark.parametrize("before", [b"", element(0x00120010, "LO", b"SECRET")])
@pytest.mark.parametrize("behind", [b"", ROWS, element(0x00540081, "US", b"\7\0")])
def test_marks_stand_where_they_belong(before: bytes, behind: bytes) -> None:
    changes = {0x0020000D: None, 0x0020000E: None}
    found = read(rewritten(file(dataset(changes) + before + behind)))
    tags = [int(one.tag) for one in found]
    assert tags == sorted(tags)
    assert set(tags) >= MARKERS


def test_the_number_of_frames_is_a_number() -> None:
    assert refused(file(dataset() + element(0x00280008, "IS", b"-1"))) == "a number of frames that is none"
    assert read(rewritten(file(dataset() + element(0x00280008, "IS", b"")))).NumberOfFrames is None


def test_an_instance_without_a_uid_gets_that_of_its_file_meta() -> None:
    found = read(rewritten(file(dataset({0x00080018: None}))))
    assert found.file_meta.MediaStorageSOPInstanceUID.startswith("2.25.")


def test_what_is_special_is_not_a_mark() -> None:
    assert not SPECIAL & MARKERS
