"""One CT header de-identified, in process: ours, plain pydicom, dicognito, deid and Kitware's dicom-anonymizer, on the same files.

Run as a program of its own (`python -m bench.deidentify ROUNDS`); prints milliseconds an instance as JSON. What each does is
not the same: ours does all of Annex E at every depth; pydicom changes five attributes; dicognito and deid do not claim Annex E.
"""

import gc
import io
import json
import logging
import os
import statistics
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from bench.memory import rss
from leadglass.deid.known import Known
from leadglass.deid.part10 import Part10Rewriter
from leadglass.deid.profile import load_profiles
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values

_INSTANCES = 40
_LARGE = 1 << 30
_ROOT = "1.2.826.0.1.3680043.9.7777"
_CODES = (
    "ProcedureCodeSequence",
    "AnatomicRegionSequence",
    "CTDIPhantomTypeCodeSequence",
    "ReasonForRequestedProcedureCodeSequence",
)
_TEXT = {
    "Manufacturer": "Maker", "ManufacturerModelName": "Scanner 5", "InstitutionName": "Klinik am Wald", "StationName": "CT01",
    "InstitutionAddress": "Waldweg 1", "ReferringPhysicianName": "Waldarzt^Doktor", "StudyDescription": "CT Thorax", "OperatorsName": "Li^Mi",
    "SeriesDescription": "Thorax 5.0 B30f", "ProtocolName": "ThoraxRoutine", "PatientName": "Mustermann^Anna", "PatientID": "PAT4711",
    "PatientBirthDate": "19610203", "PatientSex": "F", "PatientAge": "064Y", "AccessionNumber": "ACC1", "BodyPartExamined": "CHEST",
    "DeviceSerialNumber": "12345", "SoftwareVersions": "VA48A", "ConvolutionKernel": "B30f", "PatientPosition": "HFS", "StudyID": "1",
    "StudyDate": "20260131", "SeriesDate": "20260131", "AcquisitionDate": "20260131", "ContentDate": "20260131", "StudyTime": "101112.5",
    "SeriesTime": "101113.5", "AcquisitionTime": "101114.5", "ContentTime": "101115.5", "Modality": "CT", "RotationDirection": "CW",
    "FilterType": "FLAT", "ScanOptions": "HELICAL", "PatientComments": "none", "ImageComments": "none", "ExposureModulationType": "XYZ",
    "PerformedProcedureStepDescription": "CT", "PerformedProcedureStepID": "P1", "RequestedProcedureDescription": "CT Thorax",
}  # fmt: skip
_NUMBERS = (
    "SliceThickness", "KVP", "DataCollectionDiameter", "ReconstructionDiameter", "DistanceSourceToDetector", "DistanceSourceToPatient",
    "GantryDetectorTilt", "TableHeight", "ExposureTime", "XRayTubeCurrent", "Exposure", "GeneratorPower", "SeriesNumber",
    "AcquisitionNumber", "SliceLocation", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "PatientWeight",
)  # fmt: skip


def _code() -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = "T-D3000", "SRT", "Chest"
    return made


def instance(number: int) -> bytes:
    """Return a CT slice with some 120 elements in up to three levels, 128 x 128 pixels."""
    made = Dataset()
    made.SpecificCharacterSet, made.ImageType = "ISO_IR 100", ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{_ROOT}.3.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = f"{_ROOT}.1", f"{_ROOT}.2", f"{_ROOT}.4"
    for keyword, text in _TEXT.items():
        setattr(made, keyword, text)
    for keyword in _NUMBERS:
        setattr(made, keyword, "1")
    made.InstanceNumber = number
    made.ImagePositionPatient, made.PixelSpacing = [0, 0, number], [1, 1]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    for keyword in _CODES:
        setattr(made, keyword, Sequence([_code()]))
    references = [Dataset() for _ in range(3)]
    for at, reference in enumerate(references):
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = made.SOPClassUID, f"{_ROOT}.5.{at}"
        reference.PurposeOfReferenceCodeSequence = Sequence([_code()])
    made.ReferencedImageSequence = Sequence(references)
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R1", "S1"
    request.ScheduledProtocolCodeSequence = Sequence([_code()])
    made.RequestAttributesSequence = Sequence([request])
    made.Rows = made.Columns = 128
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelData = bytes(128 * 128 * 2)
    made.file_meta, made.preamble = FileMetaDataset(), bytes(128)
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    held = io.BytesIO()
    dcmwrite(held, made, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return held.getvalue()


def _ours(profile: str) -> Callable[[bytes], object]:
    rules = Rules(load_profiles()[profile])
    known = Known.of({0x00100010: ["Mustermann^Anna"], 0x00100020: ["PAT4711"]})
    values = Values(rules, Pseudonyms(bytes(32), Patient.of(None, "PAT4711"), 365), known)

    def one(data: bytes) -> object:
        rewriter = Part10Rewriter(values)
        return b"".join([*rewriter.feed(data), *rewriter.finish()])

    return one


def _written(found: Dataset) -> bytes:
    held = io.BytesIO()
    found.save_as(held)
    return held.getvalue()


def _edited(data: bytes, *, every: bool) -> bytes:
    found = dcmread(io.BytesIO(data))
    if every:
        for element in found.iterall():
            _ = element.value
    found.PatientName, found.PatientID, found.PatientBirthDate = "X", "Y", ""
    found.StudyInstanceUID, found.SOPInstanceUID = "2.25.1", "2.25.2"
    return _written(found)


def _peers() -> dict[str, Callable[[bytes], object]]:
    """Return who is measured; packages of the bench group that are not installed are left out."""
    peers: dict[str, Callable[[bytes], object]] = {
        "ours": _ours("basic"),
        "ours, research": _ours("research"),
        "pydicom": lambda data: _edited(data, every=False),
        "pydicom, every value": lambda data: _edited(data, every=True),
    }
    for name, make in (("dicognito", _dicognito), ("dicom-anonymizer", _kitware), ("deid", _deid)):
        try:
            peers[name] = make()
        except ImportError as error:
            sys.stderr.write(f"{name} is not installed: {error}\n")
    return peers


def _dicognito() -> Callable[[bytes], object]:
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="bench")

    def one(data: bytes) -> object:
        found = dcmread(io.BytesIO(data))
        anonymizer.anonymize(found)
        return _written(found)

    return one


def _kitware() -> Callable[[bytes], object]:
    from dicomanonymizer import anonymize_dataset

    def one(data: bytes) -> object:
        found = dcmread(io.BytesIO(data))
        anonymize_dataset(found)
        return _written(found)

    return one


def _deid() -> Callable[[bytes], object]:
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers

    recipe = DeidRecipe()

    def one(data: bytes) -> object:
        done: Iterable[Any] = replace_identifiers(
            [dcmread(io.BytesIO(data))], deid=recipe, save=False, strip_sequences=False
        )
        return _written(next(iter(done)))

    return one


def _large() -> dict[str, float]:
    """Stream an enhanced CT of 1 GB through; return how much memory that took, when the first byte left, and the rate."""
    head = instance(1)
    at = head.index(b"\xe0\x7f\x10\x00OW\0\0")
    head = head[:at] + b"\xe0\x7f\x10\x00OW\0\0" + struct.pack("<I", _LARGE)
    rules = Rules(load_profiles()["basic"])
    known = Known.of({0x00100010: ["Mustermann^Anna"], 0x00100020: ["PAT4711"]})
    rewriter = Part10Rewriter(Values(rules, Pseudonyms(bytes(32), Patient.of(None, "PAT4711"), 365), known))
    piece = bytes(256 * 1024)
    before, most, begun, gone = rss(os.getpid()), 0.0, 0, sum(map(len, rewriter.feed(head)))
    start = time.perf_counter()
    for number in range(_LARGE // len(piece)):
        if not begun and gone:
            begun = len(head) + number * len(piece)
        gone += sum(map(len, rewriter.feed(piece)))
        if not number % 64:
            most = max(most, rss(os.getpid()))
    rewriter.finish()
    seconds = time.perf_counter() - start
    return {
        "grown_mib": max(most, rss(os.getpid())) - before,
        "fed_before_first_byte": begun,
        "gb_per_s": _LARGE / 1e9 / seconds,
    }


def main(rounds: int) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    files = [instance(number) for number in range(1, _INSTANCES + 1)]
    peers = _peers()
    taken: dict[str, list[float]] = {name: [] for name in peers}
    failed: dict[str, str] = {}
    gc.collect()
    gc.freeze()
    for turn in range(rounds + 1):
        for name, work in peers.items():
            if name in failed:
                continue
            try:
                start = time.perf_counter()
                for data in files:
                    work(data)
                if turn:  # the first round warms up
                    taken[name].append((time.perf_counter() - start) * 1e3 / len(files))
            except Exception as error:  # noqa: BLE001 - a peer that fails is a row that says so
                failed[name] = f"{type(error).__name__}: {error}"
    elements = sum(1 for _ in dcmread(io.BytesIO(files[0])).iterall())
    medians = {name: statistics.median(each) for name, each in taken.items() if each}
    json.dump(
        {"elements": elements, "taken": taken, "medians": medians, "failed": failed, "large": _large()}, sys.stdout
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
