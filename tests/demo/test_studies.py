"""The tour's studies: sound DICOM, the same on every run, and plainly made up."""

import io

import pydicom
import pytest
from pydicom.dataset import FileDataset

from leadglass.codec.part10 import HeaderReader
from leadglass.codec.uid import is_uid
from leadglass.demo.studies import CANCER, CT_STUDY, MR_STUDY, US_STUDY, all_instances, chest_slice, demo_uid, encode


@pytest.fixture(scope="module")
def instances() -> list[FileDataset]:
    return list(all_instances())


def test_there_is_what_the_readme_says(instances: list[FileDataset]) -> None:
    counts: dict[str, int] = {}
    for dataset in instances:
        counts[dataset.Modality] = counts.get(dataset.Modality, 0) + 1
    assert counts == {"CT": 60, "MR": 8, "US": 1, "SR": 1}
    assert {dataset.StudyInstanceUID for dataset in instances} == {CT_STUDY, MR_STUDY, US_STUDY}
    assert {d.PatientID for d in instances if d.Modality == "MR"} == {CANCER.id}


def test_every_name_says_that_it_is_a_demonstration(instances: list[FileDataset]) -> None:
    for dataset in instances:
        assert str(dataset.PatientName).startswith("Demo^")
        assert dataset.PatientID.startswith("DEMO-")
        assert "Demo" in dataset.InstitutionName


def test_uids_are_valid_unique_and_the_same_on_every_run(instances: list[FileDataset]) -> None:
    uids = [dataset.SOPInstanceUID for dataset in instances]
    assert len(set(uids)) == len(uids)
    assert all(is_uid(uid) for uid in uids)
    assert demo_uid("ct-study") == CT_STUDY


def test_each_can_be_read_by_pydicom_and_by_us(instances: list[FileDataset]) -> None:
    for dataset in (instances[0], instances[60], instances[68], instances[69]):
        part10 = encode(dataset)
        again = pydicom.dcmread(io.BytesIO(part10))
        assert again.SOPInstanceUID == dataset.SOPInstanceUID
        header = HeaderReader().feed(part10)
        assert header is not None
        assert (header.study_uid, header.patient_id) == (dataset.StudyInstanceUID, dataset.PatientID)
        assert header.preamble == "zero"
        if dataset.Modality != "SR":
            assert len(dataset.PixelData) == dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8


def test_the_phantom_is_a_body_with_lungs() -> None:
    values = memoryview(chest_slice(0.5, 64)).cast("H")
    assert values[0] == 0
    assert max(values) > 1_500
    assert any(200 < value < 300 for value in values)
