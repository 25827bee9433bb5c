import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from leadglass.deid.filemeta import IMPLEMENTATION
from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.part10 import Part10Rewriter
from leadglass.deid.rules import Act
from leadglass.limits import DEID_HELD_BYTES, DEID_INFLATED_BYTES, DEID_VALUE_BYTES
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code
from support.deid import read, refused, rewritten, values
from support.part10files import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    dataset,
    deflate,
    element,
    file,
    grouped,
    item,
    meta,
    uid,
)  # fmt: skip

PIXELS = element(0x7FE00010, "OW", bytes(range(64)))
NAME = {0x00100010: ("PN", b"SECRET^NAME ")}


def body(syntax: str = EXPLICIT, more: bytes = b"") -> bytes:
    """Return a whole file with more elements behind (0020,000E)."""
    held = dataset(NAME, syntax) + more
    return file(deflate(held) if syntax == DEFLATED else held, meta(syntax))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_a_file_leaves_as_it_came_without_who_it_is_of(syntax: str) -> None:
    by = values()
    found = read(rewritten(body(syntax), by))
    assert found.file_meta.TransferSyntaxUID == syntax
    assert found.StudyInstanceUID == by.pseudonyms.uid("1.1")
    assert found.SeriesInstanceUID == by.pseudonyms.uid("1.2")
    assert found.SOPInstanceUID == by.pseudonyms.uid("1.3") == found.file_meta.MediaStorageSOPInstanceUID
    assert found.PatientID == by.pseudonyms.patient_id
    assert found.SOPClassUID == found.file_meta.MediaStorageSOPClassUID == "1.4"
    assert found.Modality == "CT"
    assert (found.PatientIdentityRemoved, found.DeidentificationMethodCodeSequence[0].CodeValue) == ("YES", "113100")
    assert found.LongitudinalTemporalInformationModified == "REMOVED"
    assert "SECRET" not in str(found)
    assert [*found.keys()] == sorted(found.keys())


def test_of_the_file_meta_only_how_it_is_written_goes_on() -> None:
    head = meta(length=None) + element(0x00020012, "UI", uid("1.9")) + element(0x00020013, "SH", b"SECRET")
    for tag in (0x00020016, 0x00020017, 0x00020018):
        head += element(tag, "AE", b"SECRET")
    head += element(0x00020100, "UI", uid("1.8")) + element(0x00020102, "OB", b"SECRET")
    out = rewritten(file(head=grouped(head), preamble=b"SECRET".ljust(128, b"\0")))
    assert b"SECRET" not in out
    assert out.startswith(bytes(128) + b"DICM")
    found = read(out)
    assert sorted(one.tag for one in found.file_meta) == [
        0x00020000,
        0x00020001,
        0x00020002,
        0x00020003,
        0x00020010,
        0x00020012,
        0x00020013,
    ]
    assert found.file_meta.ImplementationClassUID == IMPLEMENTATION
    length = found.file_meta.FileMetaInformationGroupLength
    at = out.index(b"UL\x04\0") + 8
    assert out[at + length :].startswith(element(0x00080005, "CS", b"ISO_IR 100"))


def test_the_uid_of_the_file_is_that_of_the_data_set() -> None:
    found = read(rewritten(file(head=meta(instance="1.77"))))
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID


def test_marks_of_another_deidentification_are_written_anew() -> None:
    old = element(0x00120063, "LO", b"BY SECRET ") + element(
        0x00120064, "SQ", item(element(0x00080100, "SH", b"1234")), UNDEFINED
    )
    data = element(0x00120062, "CS", b"NO") + old + SEQUENCE_END + element(0x00280303, "CS", b"UNMODIFIED")
    found = read(rewritten(file(dataset({0x0020000D: None, 0x0020000E: None}) + data)))
    assert (found.PatientIdentityRemoved, found.LongitudinalTemporalInformationModified) == ("YES", "REMOVED")
    assert "SECRET" not in str(found)
    assert len(found.DeidentificationMethodCodeSequence) == 1


def test_what_is_not_there_is_not_made_up() -> None:
    found = read(rewritten(file()))
    assert {one.tag for one in found} - {one.tag for one in read(file())} == {
        0x00120062,
        0x00120063,
        0x00120064,
        0x00280303,
    }


BROKEN = {
    "no DICOM": bytes(4096),
    "nothing": b"",
    "an end in the file meta": file()[:200],
    "an end in an element": body(more=PIXELS)[:-1],
    "twice": body(more=element(0x00200013, "IS", b"1 ") * 2),
    "a name behind the pixels": body(more=PIXELS + element(0x00100010, "PN", b"SECRET")),
    "bytes behind the end": body(more=PIXELS + b"SECRET  "),
    "zeros behind the end": body(more=PIXELS + bytes(512)),
    "no such transfer syntax": file(head=meta("1.2.3")),
    "no transfer syntax": file(head=grouped(element(0x00020002, "UI", uid("1.4")))),
    "deflated, for archives that know it": file(deflate(dataset()), meta("1.2.840.10008.1.2.4.95")),
    "not deflated": file(head=meta(DEFLATED)),
    "a deflated end": file(deflate(dataset())[:-2], meta(DEFLATED)),
    "behind what is deflated": file(deflate(dataset()) + b"SECRET^NAME", meta(DEFLATED)),
    "a bomb": file(deflate(dataset() + element(0x7FE00010, "OW", bytes(DEID_INFLATED_BYTES))), meta(DEFLATED)),
    "frames in a native file": body(more=element(0x7FE00010, "OB", item(b""), UNDEFINED) + SEQUENCE_END),
    "a compressed file that is not": file(dataset() + PIXELS, meta("1.2.840.10008.1.2.4.50")),
    "a text that never ends": body(more=element(0x00204000, "UT", b"x" * 99, DEID_VALUE_BYTES + 2)),
    "more of the file meta": file(head=meta() + element(0x00020102, "OB", b"SECRET")),
    "a meta group length that lies": file(head=meta(length=4)),
    "a meta of 1 GB": file(head=grouped(element(0x00020102, "OB", b"", 1 << 30))),
    "frames that are no number": body(more=element(0x00280008, "IS", b"many")),
    "too much before the pixels": body(more=element(0x00209222, "SQ", item(element(0x00209056, "SH", b"1234")) * (DEID_HELD_BYTES // 24))),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_refused(name: str) -> None:
    assert "SECRET" not in refused(BROKEN[name])


@pytest.mark.parametrize("name", ["bytes behind the end", "zeros behind the end"])
def test_what_stands_behind_the_end_never_leaves(name: str) -> None:
    rewriter = Part10Rewriter(values())
    out: list[bytes] = []

    def run() -> None:
        for at in range(len(BROKEN[name])):
            out.extend(rewriter.feed(BROKEN[name][at : at + 1]))
        out.extend(rewriter.finish())

    with pytest.raises(Refusal):
        run()
    assert b"SECRET" not in b"".join(out)


def test_padding_behind_the_end_is_taken_out() -> None:
    out = rewritten(body(more=PIXELS + element(0xFFFCFFFC, "OB", b"SECRET")))
    assert out.endswith(PIXELS)


def test_facts_are_told_before_a_byte_leaves() -> None:
    asked: list[Header] = []
    rewriter = Part10Rewriter(values(), asked.append)
    image = element(0x00280002, "US", b"\1\0") + element(0x00280008, "IS", b"3 ") + element(0x00280010, "US", b"\4\0")
    image += element(0x00280301, "CS", b"NO")
    data = body(more=image + element(0x00290010, "LO", b"SECRET") + PIXELS)
    out: list[bytes] = []
    for at in range(len(data)):
        out += rewriter.feed(data[at : at + 1])
        assert bool(out) <= bool(asked)
    (header,) = asked
    assert header == rewriter.header
    assert (header.study_uid, header.sop_instance_uid, header.modality) == ("1.1", "1.3", "CT")
    assert (header.samples, header.frames, header.rows, header.columns, header.burned_in) == (1, 3, 4, None, "NO")
    assert read(b"".join(out) + b"".join(rewriter.finish())).BurnedInAnnotation == "NO"


def test_nothing_leaves_when_its_pixels_must_not() -> None:
    def never(header: Header) -> PixelFilter | None:
        raise refuse(Code.PIXELS_AT_RISK, why=header.modality)

    rewriter = Part10Rewriter(values(), never)
    data = body(more=PIXELS)
    with pytest.raises(Refusal) as caught:
        assert rewriter.feed(data) == []
    assert caught.value.causes[0].reason.code == Code.PIXELS_AT_RISK


class Black:
    """Paints everything black, and says so."""

    transfer_syntax: str | None = None

    def __init__(self, changes: dict[int, list[str] | None]) -> None:
        self.changes = changes

    def native(self, data: bytes) -> bytes:
        return bytes(len(data))

    def frame(self, data: bytes) -> bytes:
        return b"\xff\xd8" + bytes([len(data) % 256, 0]) + b"\xff\xd9"


@pytest.mark.parametrize("step", [1, 1000])
def test_a_filter_changes_pixels_and_what_is_said_of_them(step: int) -> None:
    changes: dict[int, list[str] | None] = {0x00280301: ["NO"], 0x00280004: ["MONOCHROME2"], 0x00280006: None}
    more = element(0x00280004, "CS", b"MONOCHROME1 ") + element(0x00280006, "US", b"\0\0") + PIXELS
    out = rewritten(body(more=more), sizes=itertools.repeat(step, 1000 // step), pixels=lambda _: Black(changes))
    found = read(out)
    assert found.PixelData == bytes(64)
    assert (found.BurnedInAnnotation, found.PhotometricInterpretation) == ("NO", "MONOCHROME2")
    assert "PlanarConfiguration" not in found
    assert "113101" in [code.CodeValue for code in found.DeidentificationMethodCodeSequence]


# --- In pieces, and broken ---------------------------------------------------------------------------------------------

WRAPPED = (
    element(0x00400275, "UN", item(element(0x00400007, "LO", b"SECRET", syntax=IMPLICIT)), UNDEFINED) + SEQUENCE_END
)
OPEN = (
    element(0x00540016, "SQ", item(element(0x00181072, "TM", b"101010"), UNDEFINED) + ITEM_END, UNDEFINED)
    + SEQUENCE_END
)
PRIVATE = (
    element(0x00290010, "LO", b"SECRET")
    + element(0x00291001, "OB", b"SECRET")
    + element(0x00291002, "SQ", item(b"", UNDEFINED) + ITEM_END, UNDEFINED)
    + SEQUENCE_END
)
TEXTS = element(0x00081030, "LO", b"SECRET") + element(0x00081115, "SQ", item(element(0x00400254, "LO", b"SECRET")))
HEAD = dataset({**NAME, 0x0020000D: None, 0x0020000E: None})
AT = HEAD.index(b"\x10\x00\x10\x00PN")
WHOLE = file(HEAD[:AT] + TEXTS + HEAD[AT:] + element(0x0020000D, "UI", uid("1.1")) + PRIVATE + WRAPPED + OPEN + PIXELS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 300), max_size=40))
def test_pieces_of_any_size_give_the_same(sizes: list[int]) -> None:
    whole = rewritten(WHOLE)
    assert rewritten(WHOLE, sizes=sizes) == whole
    assert b"SECRET" not in whole


def test_a_byte_at_a_time_gives_the_same() -> None:
    assert rewritten(WHOLE, sizes=itertools.repeat(1, len(WHOLE))) == rewritten(WHOLE)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED])
def test_what_is_remembered_changes_nothing(syntax: str) -> None:
    by = values()
    data = body(syntax)
    assert rewritten(data, by) == rewritten(data, by) == rewritten(data)
    rewriter = Part10Rewriter(by)
    rewriter.feed(data)
    rewriter.finish()
    assert rewriter.header is not None
    assert rewriter.header.study_uid == "1.1"  # facts are read, whatever is remembered


MARKS = [ITEM_END[:4], SEQUENCE_END[:4], item(b"")[:4], b"\xff" * 4, bytes(4), b"SQ\0\0", b"UN\0\0"]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_broken_file_is_refused_or_says_nothing(data: st.DataObject) -> None:
    broken = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(132, len(broken) - 1))
        how = data.draw(st.sampled_from(["byte", "mark", "gone"]))
        if how == "byte":
            broken[at] = data.draw(st.integers(0, 255))
        elif how == "mark":
            broken[at : at + 4] = data.draw(st.sampled_from(MARKS))
        else:
            del broken[at : at + data.draw(st.integers(1, 12))]
    by = values()
    try:
        out = rewritten(bytes(broken), by)
    except Refusal as refusal:
        assert refusal.causes[0].reason.code == Code.DEID_UNREADABLE  # noqa: PT017 - it may as well be read
        return
    # What was broken may be a tag, and the attribute another one: one that stays is all that may hold it.
    kept = [one for one in read(out).iterall() if one.VR != "SQ" and b"SECRET" in str(one.value).encode()]
    assert all(by.rules.acts[int(one.tag)] is Act.KEEP for one in kept)
    assert out.count(b"SECRET") == sum(str(one.value).count("SECRET") for one in kept)


# --- Files of others ---------------------------------------------------------------------------------------------------

FILES = Path(pydicom.data.__file__).parent
UNSOUND = {
    "ExplVR_BigEndNoMeta.dcm": "no DICM prefix",
    "ExplVR_LitEndNoMeta.dcm": "no DICM prefix",
    "GDCMJ2K_TextGBR.dcm": "no JPEG 2000 codestream",
    "MR_truncated.dcm": "the file ends within an element",
    "SC_rgb_jpeg.dcm": "unknown value representation",
    "badVR.dcm": "a number of frames that is none",
    "meta_missing_tsyntax.dcm": "no transfer syntax",
    "nested_priv_SQ.dcm": "an element twice or out of order",
    "no_meta.dcm": "no DICM prefix",
    "rtplan_truncated.dcm": "the file ends within an element",
    "rtstruct.dcm": "no DICM prefix",
    "winter.dcm": "an element twice or out of order",
}


def others() -> list[Path]:
    found = [path for path in sorted(FILES.rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix == ".dcm" or path.read_bytes()[128:132] == b"DICM"]


def test_every_file_of_pydicom_keeps_its_pixels() -> None:
    by, seen = values(), 0
    for path in others():
        data = path.read_bytes()
        if path.name in UNSOUND:
            assert refused(data) == UNSOUND[path.name], path.name
            continue
        out = rewritten(data, by)
        was, now = read(data), read(out)
        for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
            before, after = was.get(name), now.get(name)
            if before != after:  # comments in compressed frames are zeros, and whatever else, where it was
                assert was.file_meta.TransferSyntaxUID.is_encapsulated, path.name
                assert len(before) == len(after)
                assert {new for old, new in zip(before, after, strict=True) if old != new} <= {0, 1, 100}, path.name
                assert np.array_equal(pixels(was), pixels(now)), path.name
                seen += 1
        assert now.get("PatientID", "") in {"", "ANONYMIZED", by.pseudonyms.patient_id}, path.name
        assert rewritten(data, by, sizes=itertools.repeat(997, len(data) // 997)) == out, path.name
    assert seen


def pixels(dataset: Dataset) -> np.ndarray[Any, Any]:
    """Open the pixels; of a file that no codec opens, there are none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(dataset.pixel_array)
        except (RuntimeError, ValueError, AttributeError):
            return np.zeros(0)
