import base64
import gzip
import io
from collections.abc import Callable
from urllib.parse import quote

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from support.canaries import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PATTERNS,
    ROOT,
    SYNTAXES,
    WORDS,
    day,
    fill,
    mark,
    part10,
    rows,
    survivors,
    vr_of,
)


def tags_of(lines: list[str]) -> set[int]:
    return {int(line[1:5] + line[6:10], 16) for line in lines}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("depth", [0, 1, 2, 5, 20])
def test_a_canary_of_every_row_is_written_and_found(syntax: str, depth: int) -> None:
    found = tags_of(survivors(part10(fill(depth=depth), syntax=syntax)))
    outside = {0x0000, 0x0004, 0xFFFC} if depth else {0x0000}
    expected = {tag for tag in {*rows(), *PATTERNS} if tag >> 16 not in outside}
    # One age is like another, and what stands in an item is named for itself.
    same = {tag for tag in expected if vr_of(tag) == "AS"} | {0x00081140, 0x00082112, 0x00020003}
    assert expected - found - same == set()
    assert 0x00081155 in found


@pytest.mark.parametrize("charset", WORDS)
def test_what_is_written_is_what_pydicom_reads(charset: str) -> None:
    read = dcmread(io.BytesIO(part10(fill(charset=charset))))
    assert str(read.PatientName) == f"{mark(0x00100010)}^{WORDS[charset]}"
    assert read.PatientBirthDate == day(0x00100030)


def test_nothing_is_found_where_nothing_is() -> None:
    plain = Dataset()
    plain.SOPClassUID, plain.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.188700012345678"
    plain.PatientName, plain.StudyDate, plain.PatientAge = "Pseudo^Nym", "20260102", "090Y"
    plain.add_new(0x7FE00010, "OW", bytes(range(256)) * 64)
    assert [line for line in survivors(part10(plain, preamble=b"")) if "(0002," not in line] == []


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: data,
        gzip.compress,
        base64.b64encode,
        lambda data: base64.b64encode(b"x" + data),
        lambda data: b'{"InlineBinary":"' + base64.b64encode(gzip.compress(data)) + b'"}',
        lambda data: quote(data).encode(),
        lambda data: "".join(f"%{byte:02x}" for byte in data).encode(),
        lambda data: data.decode().encode("utf-16-le"),
        lambda data: data.decode().encode("utf-16-be"),
    ],
)  # fmt: skip
def test_wrappings_hide_nothing(wrap: Callable[[bytes], bytes]) -> None:
    inside = f"before {mark(0x00100010)} {ROOT}.{0x0020000D}.0 after".encode()
    assert tags_of(survivors(b"--frame\r\n\r\n" + wrap(inside) + b"\r\n--frame--")) == {0x00100010, 0x0020000D}


def test_what_may_stay_is_not_told() -> None:
    data = part10(fill(tags=[0x00080080], patterns=False))
    assert 0x00080080 in tags_of(survivors(data))
    assert 0x00080080 not in tags_of(survivors(data, kept=[0x00080080]))


def test_the_four_encodings_are_what_they_say() -> None:
    held = {syntax: part10(fill(), syntax=syntax) for syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED)}
    for syntax, data in held.items():
        assert dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID == syntax
