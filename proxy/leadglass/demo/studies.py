"""Made-up studies for the tour: a CT chest phantom, an MR of a patient with a cancer diagnosis, an ultrasound, a report.

Every pixel is computed here and every name says that it is a demonstration. UIDs are under 2.25 and the same on every
run, so that commands can be copied from one run to the next.
"""

import io
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

_NAMESPACE = uuid.UUID("6f1c7c1e-5d0c-5d9b-9d55-2f6a1b5f0a11")

CT_IMAGE = UID("1.2.840.10008.5.1.4.1.1.2")
MR_IMAGE = UID("1.2.840.10008.5.1.4.1.1.4")
US_IMAGE = UID("1.2.840.10008.5.1.4.1.1.6.1")
BASIC_TEXT_SR = UID("1.2.840.10008.5.1.4.1.1.88.11")


def demo_uid(name: str) -> str:
    """Return the UID that stands for `name` in every run (PS3.5 section B.2)."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, name).int}"


@dataclass(frozen=True, slots=True)
class DemoPatient:
    """A patient who does not exist."""

    id: str
    name: str
    birth_date: str
    sex: str


CHEST = DemoPatient("DEMO-001", "Demo^Chest", "19610203", "F")
CANCER = DemoPatient("DEMO-002", "Demo^Oncology", "19550709", "M")
ABDOMEN = DemoPatient("DEMO-003", "Demo^Abdomen", "19880317", "F")

CT_STUDY, MR_STUDY, US_STUDY = demo_uid("ct-study"), demo_uid("mr-study"), demo_uid("us-study")


def _dataset(
    patient: DemoPatient,
    study: str,
    series: str,
    number: int,
    sop_class: UID,
    modality: str,
    *,
    description: str,
    body: str,
) -> FileDataset:
    instance = demo_uid(f"{series}/{number}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = UID(instance)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(demo_uid("leadglass-demo"))
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance
    dataset.StudyDate = dataset.ContentDate = "20260302"
    dataset.StudyTime = dataset.ContentTime = "101500"
    dataset.AccessionNumber = f"ACC-{patient.id}"
    dataset.Modality, dataset.Manufacturer = modality, "Leadglass demonstration"
    dataset.InstitutionName = "Demonstration Hospital"
    dataset.ReferringPhysicianName = "Demo^Referrer"
    dataset.StudyDescription, dataset.SeriesDescription = description, f"{modality} {description}"
    dataset.PatientName, dataset.PatientID = patient.name, patient.id
    dataset.IssuerOfPatientID = "DEMO"
    dataset.PatientBirthDate, dataset.PatientSex = patient.birth_date, patient.sex
    if body:
        dataset.BodyPartExamined = body
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, demo_uid(series)
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", "1", str(number)
    return dataset


def _grey(dataset: FileDataset, rows: int, columns: int, pixels: bytes, *, bits: int, centre: int, width: int) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = 0
    dataset.PixelSpacing = ["1.5", "1.5"]
    dataset.WindowCenter, dataset.WindowWidth = str(centre), str(width)
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", "1"
    dataset.add_new(0x7FE00010, "OW" if bits > 8 else "OB", pixels)  # noqa: PLR2004 - a byte


def _inside(x: float, y: float, ellipse: tuple[float, float, float, float]) -> bool:
    cx, cy, rx, ry = ellipse
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1.0


def chest_slice(position: float, size: int = 128) -> bytes:
    """Return one axial slice of the phantom at `position` (0 neck - 1 diaphragm), little endian uint16, HU + 1024."""
    lungs = math.sin(math.pi * min(max(position, 0.02), 0.98))
    left, right = (-0.38, 0.0, 0.28 * lungs, 0.48 * lungs), (0.38, 0.0, 0.28 * lungs, 0.48 * lungs)
    body, heart = (0.0, 0.0, 0.9, 0.66), (-0.08, 0.1, 0.2 * position, 0.22 * position)
    spine, nodule = (0.0, 0.46, 0.11, 0.11), (0.4, -0.12, 0.05, 0.05)
    out = bytearray()
    for row in range(size):
        y = 2 * row / (size - 1) - 1
        for column in range(size):
            x = 2 * column / (size - 1) - 1
            value = 0
            if _inside(x, y, body):
                value = 1064
                if _inside(x, y, left) or _inside(x, y, right):
                    value = 224 + (row * 31 + column * 17) % 40
                if _inside(x, y, heart):
                    value = 1080
                if _inside(x, y, spine):
                    value = 1624
                if 0.45 < position < 0.55 and _inside(x, y, nodule):  # noqa: PLR2004 - where the nodule sits
                    value = 1120
            out += value.to_bytes(2, "little")
    return bytes(out)


def _chest() -> Iterator[FileDataset]:
    slices = 60
    for number in range(1, slices + 1):
        dataset = _dataset(
            CHEST, CT_STUDY, "ct-series", number, CT_IMAGE, "CT", description="Chest phantom", body="CHEST"
        )
        dataset.ImagePositionPatient = ["-96", "-96", str(5 * number)]
        dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        dataset.SliceThickness, dataset.FrameOfReferenceUID = "5", demo_uid("ct-frame")
        dataset.ImageType, dataset.KVP = ["DERIVED", "PRIMARY", "AXIAL"], "120"
        _grey(dataset, 128, 128, chest_slice(number / slices), bits=16, centre=1064, width=400)
        dataset.RescaleIntercept, dataset.RescaleType = "-1024", "HU"
        dataset.WindowCenter = "40"
        yield dataset


def _brain() -> Iterator[FileDataset]:
    size = 96
    for number in range(1, 9):
        pixels = bytearray()
        radius = 0.85 - 0.06 * abs(number - 4)
        for row in range(size):
            y = 2 * row / (size - 1) - 1
            for column in range(size):
                x = 2 * column / (size - 1) - 1
                value = 0
                if _inside(x, y, (0, 0, 0.8 * radius, radius)):
                    value = 500 + round(120 * math.sin(9 * x) * math.sin(9 * y))
                    if _inside(x, y, (0.3, -0.2, 0.14, 0.12)):
                        value = 900
                pixels += value.to_bytes(2, "little")
        dataset = _dataset(
            CANCER, MR_STUDY, "mr-series", number, MR_IMAGE, "MR", description="Brain follow-up", body="BRAIN"
        )
        dataset.ImagePositionPatient = ["-72", "-72", str(5 * number)]
        dataset.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        dataset.SliceThickness, dataset.FrameOfReferenceUID = "5", demo_uid("mr-frame")
        dataset.ImageType = ["DERIVED", "PRIMARY"]
        dataset.ScanningSequence, dataset.SequenceVariant = "SE", "NONE"
        _grey(dataset, size, size, bytes(pixels), bits=16, centre=500, width=1000)
        yield dataset


def _ultrasound() -> Iterator[FileDataset]:
    size = 128
    pixels = bytearray()
    for row in range(size):
        for column in range(size):
            x, y = column - size / 2, row + 10.0
            depth, angle = math.hypot(x, y), abs(math.atan2(x, y))
            fan = angle < 0.6 and depth < size  # noqa: PLR2004 - half the opening angle
            pixels.append(min(255, int(60 + 50 * math.sin(depth / 5) + (row * column * 7) % 50)) if fan else 0)
    dataset = _dataset(ABDOMEN, US_STUDY, "us-series", 1, US_IMAGE, "US", description="Abdomen", body="ABDOMEN")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    _grey(dataset, size, size, bytes(pixels), bits=8, centre=128, width=256)
    yield dataset


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _report() -> Iterator[FileDataset]:
    dataset = _dataset(CHEST, CT_STUDY, "sr-series", 1, BASIC_TEXT_SR, "SR", description="Chest phantom", body="")
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = Sequence([_code("121070", "Findings")])
    text = Dataset()
    text.RelationshipType, text.ValueType = "CONTAINS", "TEXT"
    text.ConceptNameCodeSequence = Sequence([_code("121071", "Finding")])
    text.TextValue = "A round density in the right lung of the phantom, as built."
    dataset.ContentSequence = Sequence([text])
    yield dataset


def all_instances() -> Iterator[FileDataset]:
    """Yield every instance of the demonstration: 60 CT, 8 MR, 1 US and 1 SR."""
    yield from _chest()
    yield from _brain()
    yield from _ultrasound()
    yield from _report()


def encode(dataset: FileDataset) -> bytes:
    """Return the instance as a Part 10 file (PS3.10)."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
