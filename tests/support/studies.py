"""Studies for tests: a CT of several slices, an MR of a patient with cancer, an ultrasound and a structured report.

Everything is made up by this module; UIDs are fixed, so that tests can name them.
"""

import io
from dataclasses import dataclass, field

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


@dataclass(frozen=True)
class SeededInstance:
    """One stored instance: its place in the hierarchy and its Part 10 bytes."""

    study: str
    series: str
    sop: str
    part10: bytes = field(repr=False)


@dataclass(frozen=True)
class SeededStudy:
    """One stored study. `instances` are in instance-number order."""

    uid: str
    series: str
    modality: str
    patient_id: str
    instances: tuple[SeededInstance, ...] = field(repr=False)


def instance(
    *,
    study: str,
    series: str,
    sop: str,
    sop_class: str = CT_IMAGE,
    modality: str = "CT",
    patient_id: str = "P001",
    patient_name: str = "Demo^Patient",
    description: str = "CT chest",
    body_part: str = "CHEST",
    number: int = 1,
    size: int = 64,
) -> bytes:
    """Return one Part 10 file; `size` is rows and columns of its 16-bit image, 0 for none."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = sop
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, sop
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20260102", "101500", "S1", "A1"
    ds.Modality, ds.StudyDescription, ds.SeriesDescription = modality, description, f"{modality} series"
    ds.InstitutionName, ds.ReferringPhysicianName = "Demo Hospital", "Referring^Demo"
    ds.PatientName, ds.PatientID, ds.IssuerOfPatientID = patient_name, patient_id, "DEMO"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    if body_part:
        ds.BodyPartExamined = body_part
    if size:
        ds.Rows = ds.Columns = size
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        row = bytes((column * number) % 251 for column in range(size * 2))
        ds.PixelData = row * size
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _study(root: str, modality: str, patient_id: str, count: int, **values: str | int) -> SeededStudy:
    series = f"{root}.1"
    instances = tuple(
        SeededInstance(
            root,
            series,
            f"{series}.{number}",
            instance(
                study=root,
                series=series,
                sop=f"{series}.{number}",
                modality=modality,
                patient_id=patient_id,
                number=number,
                **values,  # type: ignore[arg-type]  # one mapping of str and int arguments
            ),
        )
        for number in range(1, count + 1)
    )
    return SeededStudy(root, series, modality, patient_id, instances)


def seeds() -> dict[str, SeededStudy]:
    """Return the studies by short name: `ct`, `mr`, `us`, `sr`."""
    return {
        "ct": _study("1.2.826.0.1.3680043.10.1491.1", "CT", "P001", 12, patient_name="Demo^Chest"),
        "mr": _study(
            "1.2.826.0.1.3680043.10.1491.2",
            "MR",
            "P002",
            4,
            patient_name="Demo^Cancer",
            sop_class=MR_IMAGE,
            description="MR head, staging",
            body_part="HEAD",
        ),
        "us": _study(
            "1.2.826.0.1.3680043.10.1491.3",
            "US",
            "P003",
            1,
            patient_name="Demo^Ultrasound",
            sop_class=US_IMAGE,
            description="US abdomen",
            body_part="ABDOMEN",
        ),
        "sr": _study(
            "1.2.826.0.1.3680043.10.1491.4",
            "SR",
            "P001",
            1,
            patient_name="Demo^Chest",
            sop_class=BASIC_TEXT_SR,
            description="Report",
            body_part="",
            size=0,
        ),
    }
