"""Copies looked over for what should not be in them: names of files, preambles, attributes, texts, comments, pixels.

It takes no copy's word that it is one. What cannot be read to its end is a finding: nobody can say what it holds.
"""

import mmap
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments

from leadglass.codec.part10 import DEFLATED
from leadglass.copies.ahead import quietly, walk
from leadglass.copies.attributes import survivors
from leadglass.copies.found import KINDS, Found
from leadglass.copies.journal import NAME
from leadglass.copies.originals import Originals
from leadglass.copies.seen import read
from leadglass.copies.words import shapes
from leadglass.deid.instance import Header
from leadglass.deid.risk import judge
from leadglass.deid.rules import Rules
from leadglass.limits import STORE_INFLATED_BYTES
from leadglass.model.errors import Refusal

REPORT: Final = "report.html"
OURS: Final = frozenset({NAME, REPORT})
"""What a run leaves beside the copies; it names no original."""
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One survivor. `where` is an attribute by its path, or a part of the file in words; `code` groups findings.

    It never quotes what was found.
    """

    file: str
    where: str
    code: str
    why: str


_PREAMBLE: Final = 128
_MAGIC: Final = b"DICM"
_PIXELS: Final = 0x7FE00010
_UNDEFINED: Final = 0xFFFFFFFF
_TIFF: Final = (b"II*\0", b"MM\0*")


def originals(files: list[Found], rules: Rules, progress: Progress) -> Originals:
    """Return the values of originals. Those that cannot be read have no copies. Raises ConfigurationError for too many."""
    values = Originals(rules)
    for found in files:
        if found.kind == "dicom":
            try:
                walk(found.path)
                with quietly():
                    values.add(read(found.path), found.name)
            except (Refusal, OSError):
                pass
        progress(found.size)
    return values


def scan(files: list[Found], rules: Rules, against: Originals | None, progress: Progress) -> Iterator[Finding]:
    """Yield what should not be in these files, file by file."""
    for found in files:
        if found.name not in OURS:
            yield from _file(found, rules, against)
        progress(found.size)


def _file(found: Found, rules: Rules, against: Originals | None) -> Iterator[Finding]:
    yield from (Finding(found.name, "name of the file", "name", why) for why in _names(found.name, against))
    if found.kind != "dicom":
        yield Finding(found.name, "file", "not-dicom", f"{KINDS.get(found.kind, 'no DICOM')}: it was not looked into")
        return
    try:
        walk(found.path)
    except Refusal as no:
        yield Finding(found.name, "file", "unreadable", f"it cannot be read to its end: {no.detail}")
        return
    except OSError as error:
        yield Finding(found.name, "file", "unreadable", error.strerror or "it cannot be read")
        return
    try:
        with quietly():
            for where, code, why in _dicom(found.path, rules, against):
                yield Finding(found.name, where, code, why)
    except Exception as error:  # noqa: BLE001 - pydicom raises whatever it meets; nothing of it may quote the file
        yield Finding(found.name, "file", "unreadable", f"pydicom cannot read it: {type(error).__name__}")


def _names(name: str, against: Originals | None) -> Iterator[str]:
    for part in name.split("/"):
        for what in shapes(part):
            yield f"it looks like it holds {what}"
        if against is not None and against.in_name(part):
            yield "it holds a word of the name or of a value of an original"


def _dicom(path: Path, rules: Rules, against: Originals | None) -> Iterator[tuple[str, str, str]]:
    found = read(path)
    with _mapped(path) as data:
        yield from _beginning(data)
        for survivor in survivors(found, rules):
            yield survivor.path, survivor.code, survivor.why
        judgement = judge(_header(found), rules.profile.pixels)
        if judgement.verdict == "at-risk" and str(found.get("BurnedInAnnotation", "")) != "NO":
            yield "(7FE0,0010) PixelData", "burned-in", f"its pixels may show who the patient is: {judgement.why}"
        yield from _pixels(path)
        if against is not None:
            yield from _compared(found, path, data, against)


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _beginning(data: mmap.mmap) -> Iterator[tuple[str, str, str]]:
    preamble = data[:_PREAMBLE]
    if preamble.startswith(_TIFF):
        yield "preamble", "preamble", "the head of a TIFF, whose tags were not looked into"
    elif any(preamble):
        yield "preamble", "preamble", "it should be zero, and holds something"


def _header(found: Dataset) -> Header:
    def text(name: str) -> str:
        return "\\".join(str(found.get(name, "") or "").strip("[]").replace("'", "").split(", "))

    def number(name: str) -> int | None:
        value = found.get(name)
        return int(value) if isinstance(value, int) else None

    return Header(
        str(found.file_meta.get("TransferSyntaxUID", "")),
        sop_class_uid=text("SOPClassUID"), modality=text("Modality"), conversion_type=text("ConversionType"),
        image_type=text("ImageType"), manufacturer=text("Manufacturer"), model=text("ManufacturerModelName"),
        burned_in=text("BurnedInAnnotation"), recognizable=text("RecognizableVisualFeatures"),
        rows=number("Rows"), columns=number("Columns"),
    )  # fmt: skip


def _pixels(path: Path) -> Iterator[tuple[str, str, str]]:
    """Look at what stands among and behind the pixels: comments of compressed frames, bytes that no frame has."""
    found = dcmread(path, defer_size="1 MB")
    element = found.get_item(_PIXELS)
    if element is None:
        return
    if found.file_meta.TransferSyntaxUID.is_compressed:
        if element.length == _UNDEFINED:
            for fragment in generate_fragments(found[_PIXELS].value):
                if (what := comment(fragment)) is not None:
                    yield "(7FE0,0010) PixelData", "comment", what
                    return
        return
    frame = (
        int(found.get("Rows", 0) or 0) * int(found.get("Columns", 0) or 0) * int(found.get("SamplesPerPixel", 1) or 1)
    )
    if "_422" in str(found.get("PhotometricInterpretation", "")):
        frame = frame * 2 // 3
    bits = frame * int(found.get("BitsAllocated", 0) or 0) * int(found.get("NumberOfFrames", 1) or 1)
    if any(found[_PIXELS].value[(bits + 7) // 8 :]):
        yield "(7FE0,0010) PixelData", "behind-pixels", "bytes behind the last frame, which no viewer shows"


def comment(frame: bytes) -> str | None:
    """Return in words what a JPEG holds besides its picture: comments and data of applications. None when nothing."""
    if not frame.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 4 <= len(frame) and frame[at] == 0xFF:  # noqa: PLR2004 - a marker (ITU-T T.81 section B.1.1.2)
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        content = frame[at + 4 : at + 2 + length]
        if marker == _COM:
            return "a comment inside of a compressed frame"
        if marker in _APPLICATIONS and not content.startswith(_NEEDED):
            return "data of an application inside of a compressed frame"
        if marker == _SCAN:
            return None
        at += 2 + length
    return None


_COM, _SCAN = 0xFE, 0xDA
_APPLICATIONS: Final = range(0xE0, 0xF0)
_NEEDED: Final = (b"JFIF\0", b"Adobe", b"SPIFF\0", b"HDR")  # which say how the colours are meant


def _compared(found: Dataset, path: Path, data: mmap.mmap, against: Originals) -> Iterator[tuple[str, str, str]]:
    start, end = _span(path, len(data))
    told: set[str] = set()
    outside = data[:start] + data[end:]
    if str(found.file_meta.TransferSyntaxUID) in DEFLATED:
        meta = _PREAMBLE + len(_MAGIC) + 12 + int(found.file_meta.FileMetaInformationGroupLength)
        outside = data[:meta] + zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[meta:], STORE_INFLATED_BYTES)
    told.update(against.found_in(outside))
    for name in sorted(told):
        yield "anywhere in the file", "value", f"a value of an original: {name}"
    for name in sorted(set(against.found_among_pixels(data[start:end])) - told):
        yield "(7FE0,0010) PixelData", "value", f"a value of an original: {name}"


def _span(path: Path, size: int) -> tuple[int, int]:
    """Return where the pixels begin and end; both are the end of the file when there are none."""
    element = dcmread(path, defer_size=1024).get_item(_PIXELS)
    if element is None or getattr(element, "value_tell", None) is None:
        return size, size
    start = int(element.value_tell)
    length = int(element.length)
    return start, size if length == _UNDEFINED else min(size, start + length)
