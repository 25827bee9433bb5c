"""What an archive gives back is read with more patience than what is to be stored."""

import pydicom
import pytest
from pydicom.data import get_testdata_file

from leadglass.codec.part10 import HeaderReader
from leadglass.model.errors import Refusal
from support.part10files import IMPLICIT, dataset, deflate, file, meta

ARCHIVED = {
    "no patient id": file(dataset({0x00100020: None})),
    "text that is not of its character set": file(dataset({0x00080005: None, 0x00100020: ("LO", b"P\xe9")})),
    "meta instance differs": file(head=meta(instance="1.5")),
    "meta class differs": file(head=meta(sop_class="1.5")),
    "private transfer syntax, headers without VR": file(dataset(syntax=IMPLICIT), meta("1.2.840.113619.5.2")),
    "deflated, to those who know it": file(deflate(dataset()), meta("1.2.840.10008.1.2.4.205")),
    "private transfer syntax, explicit": file(head=meta("1.3.46.670589.33.1.4.1")),
}


@pytest.mark.parametrize("data", ARCHIVED.values(), ids=ARCHIVED.keys())
def test_what_an_archive_gives_back_may_be_older_than_the_rules(data: bytes) -> None:
    with pytest.raises(Refusal):
        HeaderReader().feed(data)
    header = HeaderReader(archived=True).feed(data)
    assert header is not None
    assert header.study_uid == "1.1"


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_expb.dcm", "rtplan.dcm", "badVR.dcm"])
def test_real_files_that_may_not_be_stored_can_still_be_read_back(name: str) -> None:
    path = str(get_testdata_file(name))
    with open(path, "rb") as stream:  # noqa: PTH123 - pydicom gives text
        header = HeaderReader(archived=True).feed(stream.read())
    assert header is not None
    assert header.study_uid == pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID


@pytest.mark.parametrize("change", [{0x0020000D: None}, {0x0020000D: ("UI", b"1.x ")}], ids=["absent", "malformed"])
def test_the_uids_of_the_data_set_are_read_as_strictly_as_ever(change: dict[int, tuple[str, bytes] | None]) -> None:
    with pytest.raises(Refusal):
        HeaderReader(archived=True).feed(file(dataset(change)))
