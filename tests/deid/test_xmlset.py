import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from leadglass.deid.jsonset import deidentify_row
from leadglass.deid.known import Known
from leadglass.deid.options import Option
from leadglass.deid.profile import Profile, SafeBlock
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from leadglass.deid.xmlset import deidentify_xml, read, write
from leadglass.limits import NESTING_DEPTH
from leadglass.model.errors import Refusal

KNOWN = Known.of({0x00100010: ["Doe^Jane"], 0x00100020: ["P-77"]})
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
)
STUDY = (
    HEAD
    + """
<DicomAttribute tag="00080005" vr="CS" keyword="SpecificCharacterSet"><Value number="1">ISO_IR 192</Value></DicomAttribute>
<DicomAttribute tag="00080061" vr="CS"><Value number="1">CT</Value><Value number="3">SR &amp; more</Value></DicomAttribute>
<DicomAttribute tag="00081115" vr="SQ"><Item number="1"><DicomAttribute tag="0020000E" vr="UI"><Value number="1">1.2.3</Value>
</DicomAttribute></Item></DicomAttribute>
<DicomAttribute tag="00081030" vr="LO"><Value number="1">CT of Jane Doe</Value></DicomAttribute>
<DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>Doe</FamilyName><GivenName>Jane</GivenName>
</Alphabetic><Ideographic><FamilyName>山田</FamilyName></Ideographic></PersonName></DicomAttribute>
<DicomAttribute tag="00282000" vr="OB"><InlineBinary>AA
AA</InlineBinary></DicomAttribute>
<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="https://pacs/Doe" uuid="Doe"/></DicomAttribute>
<DicomAttribute tag="0019100C" vr="IS" privateCreator="ACME"><Value number="1">1000</Value></DicomAttribute>
</NativeDicomModel>"""
)


def values(*options: Option, **more: object) -> Values:
    profile = Profile.model_validate({"title": "T", "options": options, **more})
    return Values(Rules(profile), Pseudonyms(b"k" * 32, Patient.of(None, "P-77"), 365), KNOWN)


def test_the_model_is_read_as_dicom_json() -> None:
    row = read(STUDY.encode())
    assert row["00080061"] == {"vr": "CS", "Value": ["CT", None, "SR & more"]}
    assert row["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "山田"}]}
    assert row["00081115"]["Value"][0]["0020000E"]["Value"] == ["1.2.3"]
    assert row["00282000"] == {"vr": "OB", "InlineBinary": "AAAA"}
    assert row["00190010"] == {"vr": "LO", "Value": ["ACME"]}
    assert row["0019100C"] == {"vr": "IS", "Value": ["1000"]}


def test_private_attributes_without_a_block_get_one_by_their_creator() -> None:
    owned = "".join(
        f'<DicomAttribute tag="{tag}" vr="SH" privateCreator="{creator}"><Value number="1">{creator}{tag}</Value></DicomAttribute>'
        for tag, creator in (("00190010", "A"), ("00190010", "B"), ("00191011", "A"), ("00090010", "B"))
    )
    reserved = '<DicomAttribute tag="00190011" vr="LO"><Value number="1">B</Value></DicomAttribute>'
    row = read(f"{HEAD}{owned}{reserved}</NativeDicomModel>".encode())
    assert {tag: found["Value"][0] for tag, found in row.items()} == {
        "00190010": "A", "00190011": "B", "00191010": "A00190010", "00191011": "A00191011", "00191110": "B00190010",
        "00090010": "B", "00091010": "B00090010",
    }  # fmt: skip
    assert read(write(row)) == row


def test_what_is_written_is_read_again() -> None:
    row = read(STUDY.encode())
    assert read(write(row)) == row


def test_xml_and_json_of_one_data_set_are_one() -> None:
    one = values(Option.CLEAN_DESCRIPTORS)
    done = deidentify_xml(STUDY.encode(), one)
    assert read(done) == deidentify_row(read(STUDY.encode()), one, marked=True)
    assert not any(name in done for name in (b"Doe", b"Jane", "山田".encode(), b"1.2.3", b"pacs"))
    assert b">CT of<" in done
    assert b"113105" in done


def test_private_attributes_stay_by_their_creator() -> None:
    block = SafeBlock(creator="ACME", group="0019", elements=("0C",))
    done = deidentify_xml(STUDY.encode(), values(Option.RETAIN_SAFE_PRIVATE, private=(block,)))
    assert b'tag="0019000C" privateCreator="ACME" vr="IS"' in done
    assert b"ACME" not in deidentify_xml(STUDY.encode(), values())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not XML",
        HEAD,
        "<Other/>",
        '<!DOCTYPE x [<!ENTITY e "Doe">]><NativeDicomModel/>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd"><NativeDicomModel/>',
        '<?xml version="1.0" encoding="cp037"?><NativeDicomModel/>',
        '<?xml version="1.0" encoding="none"?><NativeDicomModel/>',
        HEAD + '<DicomAttribute tag="00080060" vr="CS"/><DicomAttribute tag="00080060" vr="CS"/></NativeDicomModel>',
        HEAD
        + '<DicomAttribute tag="00080060" vr="CS"><Value number="99999999">x</Value></DicomAttribute></NativeDicomModel>',
        HEAD + '<DicomAttribute tag="00080060" vr="CS"><Value number="0">x</Value></DicomAttribute></NativeDicomModel>',
        HEAD + '<DicomAttribute tag="00080060" vr="CS"><Value number="x">x</Value></DicomAttribute></NativeDicomModel>',
        HEAD + "<DicomAttribute>" * 5_000,
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="deid-unreadable"):
        read(text.encode())


@pytest.mark.parametrize("depth", [1, 5, 20, NESTING_DEPTH])
def test_items_are_gone_into_at_every_depth(depth: int) -> None:
    inner = '<DicomAttribute tag="00321033" vr="LO"><Value number="1">Doe</Value></DicomAttribute>'
    for _ in range(depth):
        inner = f'<DicomAttribute tag="52009229" vr="SQ"><Item number="1">{inner}</Item></DicomAttribute>'
    assert b"Doe" not in deidentify_xml(f"{HEAD}{inner}</NativeDicomModel>".encode(), values())


def test_elements_of_other_models_are_left_out() -> None:
    text = (
        HEAD
        + '<o:DicomAttribute xmlns:o="urn:other" tag="00080060" vr="CS"><Value>Doe</Value></o:DicomAttribute><Doe>Doe</Doe></NativeDicomModel>'
    )
    assert read(text.encode()) == {}


@pytest.mark.system
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_what_dcmtk_writes_is_read(name: str, tmp_path: Path) -> None:
    program = shutil.which("dcm2xml")
    if program is None:
        pytest.skip("dcmtk is not installed")
    file = tmp_path / "native.xml"
    subprocess.run([program, "-nat", str(get_testdata_file(name)), str(file)], check=True, capture_output=True)
    done: dict[str, Any] = read(deidentify_xml(file.read_bytes(), values()))
    assert done["00120062"]["Value"] == ["YES"]
    assert "CompressedSamples" not in json.dumps(done)
    assert done["00280010"]["Value"]
