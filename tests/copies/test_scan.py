import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydicom.encaps import encapsulate

from leadglass.copies.found import look
from leadglass.copies.originals import Originals
from leadglass.copies.scan import Finding, comment, originals, scan
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Rules
from leadglass.hazmat.pseudonym import Pseudonymiser
from support.scans import EXPLICIT, NAME, ROOT, export, written
from support.scans import scan as slice_of

MADE = Pseudonymiser(bytes(32))
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"


@cache
def rules(name: str = "basic") -> Rules:
    return Rules(load_profiles()[name])


def copy(folder: Path, name: str = "", syntax: str = EXPLICIT, preamble: bytes = bytes(128), **changes: Any) -> Path:  # noqa: ANN401 - of attributes
    """Write a copy that leaves nothing to be found but `changes`; they are attributes by keyword."""
    made = slice_of()
    for keyword in (
        "StudyTime", "InstitutionName", "PatientAge", "PatientSex", "StudyDescription", "ReferencedImageSequence",
    ):  # fmt: skip
        delattr(made, keyword)
    del made[0x00090010], made[0x00091001]
    made.PatientName = made.PatientID = MADE.name("patient-id", "1")
    made.PatientBirthDate = made.StudyDate = made.AccessionNumber = made.ReferringPhysicianName = ""
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(made, keyword, MADE.uid(str(made[keyword].value)))
    made.PatientIdentityRemoved = "YES"
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    data = written(made, syntax, preamble)
    data = data.replace(b"WALDKLINIK", b"\0" * 10)
    file = folder / (name or f"{made.SOPInstanceUID}.dcm")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_without_title(data))
    return file


def _without_title(data: bytes) -> bytes:
    """Take Source Application Entity Title out of the file meta."""
    at = data.index(b"\x02\0\x16\0AE")
    size = 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    length = int.from_bytes(data[140:144], "little") - size
    return data[:140] + length.to_bytes(4, "little") + data[144:at] + data[at + size :]


def codes(folder: Path, against: Originals | None = None) -> list[str]:
    return [finding.code for finding in scan(look(folder), rules(), against, lambda _: None)]


@pytest.fixture
def known(tmp_path: Path) -> Originals:
    files = look(export(tmp_path / "in"))
    return originals(files, rules(), lambda _: None)


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_a_good_copy_leaves_nothing_to_be_found(tmp_path: Path, known: Originals, syntax: str) -> None:
    copy(tmp_path / "out", syntax=syntax)
    assert codes(tmp_path / "out", known) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PatientName": NAME}, "identifier"),
        ({"InstitutionName": "Klinik am Wald"}, "attribute"),
        ({"preamble": b"MZ".ljust(128, b"\0")}, "preamble"),
        ({"preamble": b"II*\0".ljust(128, b"\0")}, "preamble"),
        ({"BurnedInAnnotation": "YES"}, "burned-in"),
        ({"PixelData": bytes(2048) + b"ab"}, "behind-pixels"),
        ({"name": "Herr Mustermann.dcm"}, "name"),
        ({"name": "scan 2026-01-31/1.dcm"}, "name"),
    ],
)
def test_survivors_are_found(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    copy(tmp_path / "out", **changes)
    assert codes(tmp_path / "out") == [code]


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_values_of_originals_are_found_in_any_attribute(tmp_path: Path, known: Originals, syntax: str) -> None:
    copy(tmp_path / "out", syntax=syntax, ProtocolName="THORAX MUSTERMANN", DeviceSerialNumber="")
    found = list(scan(look(tmp_path / "out"), rules("research"), known, lambda _: None))
    assert Finding(found[0].file, "anywhere in the file", "value", "a value of an original: Patient's Name") in found


def test_values_of_originals_are_found_among_pixels(tmp_path: Path, known: Originals) -> None:
    copy(tmp_path / "out", PixelData=b"\0" * 1000 + f"\0{ROOT}.3.1.1\0".encode().ljust(1048, b"\0"))
    assert codes(tmp_path / "out", known) == ["value"]


def test_names_of_originals_are_found_in_names(tmp_path: Path, known: Originals) -> None:
    copy(tmp_path / "out", name="aennchen/1.dcm")
    assert codes(tmp_path / "out", known) == ["name"]
    assert codes(tmp_path / "out") == []


def test_what_is_no_dicom_is_not_trusted(tmp_path: Path) -> None:
    copy(tmp_path / "out")
    (tmp_path / "out/a.pdf").write_bytes(b"%PDF")
    (tmp_path / "out/report.html").write_text("ours")
    assert codes(tmp_path / "out") == ["not-dicom"]


def test_what_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    file = copy(tmp_path / "out")
    file.write_bytes(file.read_bytes()[:-100])
    assert codes(tmp_path / "out") == ["unreadable"]


def test_comments_of_frames_are_found(tmp_path: Path) -> None:
    frame = b"\xff\xd8\xff\xfe\x00\x0cMustermann\xff\xda\0\2\xff\xd9"
    copy(tmp_path / "out", syntax=JPEG_BASELINE, PixelData=encapsulate([frame]))
    assert codes(tmp_path / "out") == ["comment"]


@pytest.mark.parametrize(
    ("frame", "seen"),
    [
        (b"", False),
        (b"\xff\xd8\xff\xe0\0\x07JFIF\0\xff\xda\0\2", False),
        (b"\xff\xd8\xff\xee\0\x07Adobe\xff\xda\0\2", False),
        (b"\xff\xd8\xff\xe1\0\x08Exif\0\0\xff\xda\0\2", True),
        (b"\xff\xd8\xff\xfe\0\4hi\xff\xda\0\2", True),
        (b"\xff\xd8\xff\xda\0\2\xff\xfe\0\4hi", False),
        (b"\xff\xd8\xff\xe1", False),
    ],
)
def test_what_stands_in_a_frame_besides_its_picture(frame: bytes, seen: bool) -> None:  # noqa: FBT001 - a table
    assert (comment(frame) is not None) == seen


def test_nothing_found_is_quoted(tmp_path: Path, known: Originals) -> None:
    copy(tmp_path / "out", PatientName=NAME, name="1.dcm")
    said = [f"{one.where} {one.why}" for one in scan(look(tmp_path / "out"), rules(), known, lambda _: None)]
    assert said
    assert not any("Muster" in line for line in said)


def test_deflated_bombs_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = copy(tmp_path / "out", syntax=DEFLATED)
    data = file.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    squeeze = zlib.compressobj(wbits=-15)
    body = squeeze.compress(zlib.decompress(data[start:], -15) + bytes(70 * 1024 * 1024)) + squeeze.flush()
    file.write_bytes(data[:start] + body)
    assert codes(tmp_path / "out") == ["unreadable"]
