import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_files

from leadglass.codec.part10 import HeaderReader, InstanceHeader
from leadglass.limits import NESTING_DEPTH, STORE_HEADER_BYTES
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from support.part10files import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM_END,
    SEQUENCE_END,
    TAGS,
    UNDEFINED,
    dataset,
    deflate,
    element,
    file,
    grouped,
    item,
    meta,
    uid,
)


def read(data: bytes, step: int | None = None) -> InstanceHeader:
    reader = HeaderReader()
    for at in range(0, len(data), step or len(data) or 1):
        header = reader.feed(data[at : at + (step or len(data))])
        if header is not None:
            return header
    reader.finish()
    raise AssertionError


EXPECTED = InstanceHeader(EXPLICIT, "1.4", "1.3", "1.1", "1.2", "P1", "HOSP", "zero")
PIXELS = element(0x7FE00010, "OW", bytes(1000))
SEQUENCE = element(0x00081140, "SQ", item(element(0x00081150, "UI", uid("1.9"))))


@pytest.mark.parametrize("step", [None, 1, 3])
@pytest.mark.parametrize(
    ("syntax", "data"),
    [
        (EXPLICIT, file()),
        (EXPLICIT, file(dataset() + PIXELS)),
        (EXPLICIT, file(head=meta(length=None))),
        (IMPLICIT, file(dataset(syntax=IMPLICIT), meta(IMPLICIT))),
        (BIG, file(dataset(syntax=BIG), meta(BIG))),
        (DEFLATED, file(deflate(dataset() + PIXELS), meta(DEFLATED))),
        ("1.2.840.10008.1.2.4.90", file(head=meta("1.2.840.10008.1.2.4.90"))),
    ],
    ids=["explicit", "with pixels", "no group length", "implicit", "big endian", "deflated", "encapsulated"],
)
def test_the_header_is_read_in_pieces_of_any_size(syntax: str, data: bytes, step: int | None) -> None:
    header = read(data, step)
    assert header.transfer_syntax == syntax
    assert (header.study_uid, header.series_uid, header.sop_instance_uid) == ("1.1", "1.2", "1.3")
    assert header.sop_class_uid == "1.4"
    assert (header.patient_id, header.issuer_of_patient_id) == ("P1", "HOSP")
    assert header.preamble == "zero"


def _pydicom_files() -> Iterator[Path]:
    for name in sorted(map(str, get_testdata_files("**/*"))):
        path = Path(name)
        if path.is_file() and path.read_bytes()[128:132] == b"DICM":
            yield path


# What is wrong with the rest of pydicom's files: they are its own collection of faults.
UNREADABLE = {
    "JPEGLSNearLossless_08.dcm": "no (0020,000E)",
    "JPEGLSNearLossless_16.dcm": "no (0020,000E)",
    "SC_rgb_jls_lossy_line.dcm": "no (0020,000E)",
    "SC_rgb_jls_lossy_sample.dcm": "no (0020,000E)",
    "SC_rgb_jpeg.dcm": "unknown value representation",  # Implicit VR labelled as JPEG
    "UN_sequence.dcm": "no (0020,000E)",
    "priv_SQ.dcm": "no (0020,000E)",
    "badVR.dcm": "(0002,0003) is not (0008,0018)",
    "rtdose.dcm": "(0002,0003) is not (0008,0018)",
    "rtdose_1frame.dcm": "(0002,0003) is not (0008,0018)",
    "rtdose_expb.dcm": "(0002,0003) is not (0008,0018)",
    "rtdose_expb_1frame.dcm": "(0002,0003) is not (0008,0018)",
    "rtplan.dcm": "(0002,0003) is not (0008,0018)",
    "rtplan_truncated.dcm": "(0002,0003) is not (0008,0018)",
    "ExplVR_BigEnd.dcm": "(0010,0020) is absent",
    "GDCMJ2K_TextGBR.dcm": "(0010,0020) is absent",
    "empty_charset_LEI.dcm": "file ends before (0020,000E)",
    "no_meta_group_length.dcm": "file ends before (0020,000E)",
    "meta_missing_tsyntax.dcm": "(0002,0010) is absent or no UID",
    "nested_priv_SQ.dcm": "element twice, out of order or of a group that no data set has",
}


def test_what_pydicom_reads_we_read_alike() -> None:
    paths = list(_pydicom_files())
    assert len(paths) > 100
    for path in paths:
        data = path.read_bytes()
        if path.name.startswith("DICOMDIR") or path.name in UNREADABLE:
            with pytest.raises(Refusal) as caught:
                read(data)
            assert caught.value.detail == UNREADABLE.get(path.name, caught.value.detail), path.name
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom comments on the faults of its own files
            expected = pydicom.dcmread(path, stop_before_pixels=True)
        for step in (None, 1, 4096):
            header = read(data, step)
            assert header.study_uid == expected.StudyInstanceUID, path.name
            assert header.series_uid == expected.SeriesInstanceUID, path.name
            assert header.sop_instance_uid == expected.SOPInstanceUID, path.name
            assert header.sop_class_uid == expected.SOPClassUID, path.name
            assert header.transfer_syntax == expected.file_meta.TransferSyntaxUID, path.name
            assert (header.patient_id or "") == str(expected.get("PatientID") or "").strip(), path.name


def nested(depth: int, *, defined: bool = False) -> bytes:
    content = b""
    for _ in range(depth):
        inner = item(content) if defined else item(content, UNDEFINED) + ITEM_END
        content = element(0x00081140, "SQ", inner) if defined else _open(inner)
    return content


def _open(inner: bytes) -> bytes:
    return element(0x00081140, "SQ", inner + SEQUENCE_END, UNDEFINED)


def with_sequence(sequence: bytes) -> bytes:
    before = b"".join(element(t, *v) for t, v in TAGS.items() if t < 0x00081140)
    return before + sequence + b"".join(element(t, *v) for t, v in TAGS.items() if t > 0x00081140)


IMPLICIT_ITEM = item(element(0x00081150, "UI", uid("1.9"), syntax=IMPLICIT))
SEQUENCES = {
    "defined": SEQUENCE,
    "empty": element(0x00081140, "SQ", b""),
    "undefined": _open(item(element(0x00081150, "UI", uid("1.9")))),
    "undefined items": _open(item(element(0x00081150, "UI", uid("1.9")), UNDEFINED) + ITEM_END),
    "two items": _open(item(b"") + item(b"")),
    "undefined without items": _open(b""),
    "nested to the bound": nested(NESTING_DEPTH),
    "nested to the bound, defined": nested(NESTING_DEPTH, defined=True),
    "UN of undefined length": element(0x00081140, "UN", IMPLICIT_ITEM + SEQUENCE_END, UNDEFINED),
    "identifiers inside are not the instance's": _open(item(element(0x0020000D, "UI", uid("9.9")))),
}


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES.keys())
def test_sequences_are_stepped_over(sequence: bytes) -> None:
    data = file(with_sequence(sequence))
    assert read(data) == EXPECTED
    assert read(data, 1) == EXPECTED


FAULTS: dict[str, bytes] = {
    "empty": b"",
    "no DICM": bytes(132) + b"x" * 200,
    "truncated": file()[:-1],
    "only the file meta": file(b""),
    "no file meta": file(head=b""),
    "twice the same element": file(dataset()[:-10] + element(0x0020000D, "UI", uid("9.9")) + dataset()[-10:]),
    "second study first": file(element(0x0020000D, "UI", uid("9.9")) + dataset()),
    "out of order": file(element(0x00100020, "LO", b"P1") + dataset({0x00100020: None})),
    "file meta element twice": file(head=grouped(meta(length=None) + element(0x00020010, "UI", uid(IMPLICIT)))),
    "more file meta behind its length": file(
        head=meta() + element(0x00020012, "UI", uid("1.2")),
    ),
    "file meta out of order": file(
        head=grouped(
            element(0x00020010, "UI", uid(EXPLICIT))
            + element(0x00020002, "UI", uid("1.4"))
            + element(0x00020003, "UI", uid("1.3"))
        ),
    ),
    "file meta length too short": file(head=meta(length=-2)),
    "file meta length too long": file(head=meta(length=8)),
    "no series": file(dataset({0x0020000E: None}) + PIXELS),
    "no study": file(dataset({0x0020000D: None})),
    "no SOP class": file(dataset({0x00080016: None})),
    "empty study": file(dataset({0x0020000D: ("UI", b"")})),
    "malformed study": file(dataset({0x0020000D: ("UI", b"1.02")})),
    "two studies": file(dataset({0x0020000D: ("UI", b"1.1\\1.5\0")})),
    "study with a blank": file(dataset({0x0020000D: ("UI", b"1.1 ")})),
    "study as a sequence": file(
        dataset({0x0020000D: None, 0x0020000E: None})
        + element(0x0020000D, "SQ", item(b""))
        + element(0x0020000E, "UI", uid("1.2"))
    ),
    "patient id as a sequence": file(dataset({0x00100020: ("SQ", item(b""))})),
    "UN of undefined length in Big Endian": file(
        b"".join(element(t, *v, syntax=BIG) for t, v in TAGS.items() if t < 0x00081140)
        + element(0x00081140, "UN", struct.pack(">HHI", 0xFFFE, 0xE0DD, 0), UNDEFINED, BIG)
        + b"".join(element(t, *v, syntax=BIG) for t, v in TAGS.items() if t > 0x00081140),
        meta(BIG),
    ),
    "meta instance differs": file(head=meta(instance="1.5")),
    "meta class differs": file(head=meta(sop_class="1.5")),
    "private transfer syntax": file(head=meta("1.2.840.113619.5.2")),
    "look-alike transfer syntax": file(head=meta("1.2.840.10008.1.20")),
    "label says explicit, data is implicit": file(dataset(syntax=IMPLICIT)),
    "label says implicit, data is explicit": file(head=meta(IMPLICIT)),
    "label says little, data is big": file(dataset(syntax=BIG)),
    "deflated, to those who know it": file(deflate(dataset()), meta("1.2.840.10008.1.2.4.95")),
    "deflated, to those who know what is new": file(deflate(dataset()), meta("1.2.840.10008.1.2.4.205")),
    "label says deflated, data is not": file(head=meta(DEFLATED)),
    "deflated without a file meta length": file(deflate(dataset()), meta(DEFLATED, length=None)),
    "deflated stream ends early": file(deflate(dataset({0x0020000E: None})), meta(DEFLATED)),
    "unknown VR": file(dataset({0x00080070: ("ZZ", b"")})),
    "odd length": file(dataset({0x00080070: ("LO", b"abc")})),
    "undefined length of a text": file(with_sequence(element(0x00081140, "UT", b"", UNDEFINED))),
    "length past the end": file(with_sequence(element(0x00081140, "OB", b"", 0x7FFFFFFE))),
    "command group": file(element(0x00000002, "UI", uid("1.2")) + dataset()),
    "group 0004": file(element(0x00041130, "CS", b"AB") + dataset()),
    "patient id with a control": file(dataset({0x00100020: ("LO", b"P\n")})),
    "patient id of numbers": file(dataset({0x00100020: ("US", b"P1")})),
    "issuer of numbers": file(dataset({0x00100021: ("US", b"HOSP")})),
    "study of tags": file(dataset({0x0020000D: ("AT", b"1.10")})),
    "patient id behind a blank": file(dataset({0x00100020: ("LO", b" P1 ")})),
    "issuer behind a blank": file(dataset({0x00100021: ("LO", b" HOSP ")})),
    "two patient ids": file(dataset({0x00100020: ("LO", b"P1\\P2 ")})),
    "patient id of no known character set": file(
        dataset({0x00080005: ("CS", b"ISO_IR 999"), 0x00100020: ("LO", b"P\xe9")})
    ),
    "patient id that needs a character set": file(dataset({0x00080005: None, 0x00100020: ("LO", b"P\xe9")})),
    "no patient id": file(dataset({0x00100020: None})),
    "patient id that is no UTF-8": file(dataset({0x00080005: ("CS", b"ISO_IR 192"), 0x00100020: ("LO", b"P\xe9")})),
    "patient id with an escape to nowhere": file(dataset({0x00100020: ("LO", b"P\x1b)Z")})),
    "nested too deep": file(with_sequence(nested(NESTING_DEPTH + 1))),
    "nested too deep, defined": file(with_sequence(nested(NESTING_DEPTH + 1, defined=True))),
    "nested without end": file(
        with_sequence((element(0x00081140, "SQ", b"", UNDEFINED) + item(b"", UNDEFINED)) * 9999)
    ),
    "sequence without items": file(with_sequence(_open(element(0x00081150, "UI", uid("1.9"))))),
    "sequence never closed": file(with_sequence(element(0x00081140, "SQ", item(b""), UNDEFINED))),
    "item longer than its sequence": file(with_sequence(element(0x00081140, "SQ", item(b"", 100)))),
    "item shorter than its element": file(
        with_sequence(element(0x00081140, "SQ", item(element(0x00081150, "UI", uid("1.99")), 10)))
    ),
    "delimiter in a defined item": file(with_sequence(element(0x00081140, "SQ", item(ITEM_END)))),
    "delimiter in a defined sequence": file(with_sequence(element(0x00081140, "SQ", SEQUENCE_END))),
    "stray delimiter": file(with_sequence(ITEM_END)),
    "delimiter with a length": file(
        with_sequence(element(0x00081140, "SQ", struct.pack("<HHI", 0xFFFE, 0xE0DD, 2) + b"xx", UNDEFINED))
    ),
    "odd item length": file(with_sequence(element(0x00081140, "SQ", item(b"", 1) + b"x"))),
    "head too large": file(with_sequence(element(0x00081140, "UT", b" " * STORE_HEADER_BYTES))),
}


@pytest.mark.parametrize("step", [None, 1000])
@pytest.mark.parametrize("data", FAULTS.values(), ids=FAULTS.keys())
def test_a_file_that_two_readers_read_differently_is_refused(data: bytes, step: int | None) -> None:
    with pytest.raises(Refusal) as caught:
        read(data, step)
    assert caught.value.causes[0].reason.code == Code.STORE_UNREADABLE
    assert caught.value.detail


PREAMBLES = [
    (bytes(128), "zero", bytes(128)),
    (b"II*\0" + b"x" * 124, "tiff", b"II*\0" + b"x" * 124),
    (b"MM\0*" + b"x" * 124, "tiff", b"MM\0*" + b"x" * 124),
    (b"MZ" + b"\x90" * 126, "cleared", bytes(128)),
    (b"\x7fELF" + bytes(124), "cleared", bytes(128)),
    (b"#!/bin/sh\n" + b" " * 118, "cleared", bytes(128)),
    (bytes(127) + b"x", "cleared", bytes(128)),
]


@pytest.mark.parametrize("step", [None, 1, 131])
@pytest.mark.parametrize(("preamble", "kind", "forwarded"), PREAMBLES, ids=[repr(row[0][:5]) for row in PREAMBLES])
def test_a_preamble_that_could_run_is_cleared(preamble: bytes, kind: str, forwarded: bytes, step: int | None) -> None:
    data = file(dataset() + PIXELS, preamble=preamble)
    reader, header, fed = HeaderReader(), None, 0
    while header is None:
        piece = data[fed : fed + (step or len(data))]
        header = reader.feed(piece)
        fed += len(piece)
    assert header.preamble == kind
    assert reader.held == forwarded + data[128:fed]


def test_a_deflate_bomb_is_not_inflated() -> None:
    bomb = file(deflate(dataset({0x0020000E: None}) + element(0x00200010, "SH", b" " * 60000) * 2000), meta(DEFLATED))
    with pytest.raises(Refusal):
        read(bomb)
    silent = file(b"\0\0\0\xff\xff" * STORE_HEADER_BYTES, meta(DEFLATED))  # stored blocks of no bytes, for ever
    with pytest.raises(Refusal) as caught:
        read(silent, 65536)
    assert "within" in caught.value.detail  # refused before the file ended


TEXTS = [
    (b"", b"P1", "P1"),
    (b"ISO_IR 100 ", b"P\xe9", "Pé"),
    (b"ISO_IR 192", "Pé山".encode(), "Pé山"),
    (b"ISO_IR 144 ", "Иван".encode("iso8859_5"), "Иван"),
    (b"GB18030 ", "王".encode("gb18030"), "王"),
    (b"\\ISO 2022 IR 87 ", "A\x1b$B;3\x1b(B".encode("ascii"), "A山"),
    (b"", b"   ", None),
    (b"", b"", None),
]


@pytest.mark.parametrize(("character_set", "value", "text"), TEXTS, ids=[f"{row[0]!r} {row[1]!r}" for row in TEXTS])
def test_text_is_read_in_its_character_set(character_set: bytes, value: bytes, text: str | None) -> None:
    padded = value + b" " * (len(value) % 2)
    body = dataset({0x00080005: ("CS", character_set + b" " * (len(character_set) % 2)), 0x00100020: ("LO", padded)})
    assert read(file(body)).patient_id == text


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_file_is_read_or_refused_alike_in_any_pieces(data: st.DataObject) -> None:
    raw = bytearray(file(with_sequence(SEQUENCES["undefined items"]) + PIXELS))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(128, len(raw) - 1))] = data.draw(st.integers(0, 255))

    def attempt(step: int | None) -> InstanceHeader | str:
        try:
            return read(bytes(raw), step)
        except Refusal as refusal:
            return refusal.detail

    assert attempt(None) == attempt(1)
