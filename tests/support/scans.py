"""Scans of one patient, as an export of an archive has them: files whose names tell as much as what is in them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
ROOT = "1.2.826.0.1.3680043.9.7777"
NAME, NUMBER, ACCESSION, BORN = "Mustermann^Ännchen", "PAT-4711-X", "ACC20260131", "19610203"


def scan(number: int = 1, *, series: int = 1, **changes: Any) -> Dataset:  # noqa: ANN401 - of attributes
    """Return one CT slice. `changes` are attributes by keyword; None takes one away."""
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.SOPInstanceUID = f"{ROOT}.3.{series}.{number}"
    made.StudyDate, made.StudyTime = "20260131", "101112"
    made.AccessionNumber, made.Modality = ACCESSION, "CT"
    made.Manufacturer, made.ManufacturerModelName = "Maker", "Scanner 5"
    made.InstitutionName, made.ReferringPhysicianName = "Klinik am Wald", "Waldarzt^Doktor"
    made.StudyDescription = "Thorax of Mustermann"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = NAME, NUMBER, BORN, "F"
    made.PatientAge = "064Y"
    made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2.{series}"
    made.SeriesNumber, made.InstanceNumber = series, number
    made.FrameOfReferenceUID = f"{ROOT}.4"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = made.SOPClassUID, f"{ROOT}.9"
    made.ReferencedImageSequence = Sequence([reference])
    made.add_new(0x00091001, "LO", "private Mustermann")
    made.add_new(0x00090010, "LO", "MAKER HEADER")
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = 32
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.WindowCenter, made.WindowWidth = 1000, 2000
    made.RescaleIntercept, made.RescaleSlope = 0, 1
    slope = np.add.outer(np.arange(32), np.arange(32)) * 30 + number
    made.PixelData = slope.astype("<u2").tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    return made


def written(made: Dataset, syntax: str = EXPLICIT, preamble: bytes = bytes(128)) -> bytes:
    """Return a data set as a file."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.SourceApplicationEntityTitle = "WALDKLINIK"
    made.file_meta, made.preamble = meta, preamble
    held = io.BytesIO()
    dcmwrite(held, made, implicit_vr=syntax == IMPLICIT, little_endian=True, enforce_file_format=True)
    return held.getvalue()


def export(folder: Path, *, slices: int = 3, series: int = 2) -> Path:
    """Write a study into a folder as archives export it, beside what else lies in such folders."""
    for which in range(1, series + 1):
        for number in range(1, slices + 1):
            file = folder / f"Mustermann_Aennchen/CT {which}/IM{number:04}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(written(scan(number, series=which)))
    (folder / "report Mustermann.pdf").write_bytes(b"%PDF-1.7\n")
    (folder / "notes.txt").write_text("call her\n")
    directory = written(scan(SOPClassUID="1.2.840.10008.1.3.10"))
    (folder / "DICOMDIR").write_bytes(directory)
    return folder
