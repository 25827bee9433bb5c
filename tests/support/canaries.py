"""Data sets in which every attribute that PS3.15 Table E.1-1 names holds a canary: a value that is found again wherever it went.

    data = part10(fill(depth=2), syntax=ExplicitVRBigEndian)
    assert survivors(rewritten(data)) == []

Every canary is valid for its VR and says which attribute it stood in. `survivors` finds them in any output: as they are, in UTF-16,
gzipped, deflated, in base64, percent-encoded, in the numbers of DICOM JSON.
"""

import base64
import binascii
import datetime as dt
import importlib
import io
import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from pydicom import dcmwrite
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
)  # fmt: skip
SYNTAXES: Final = (EXPLICIT, IMPLICIT, BIG, DEFLATED)
# What of each character set stands in names and texts, besides the canary itself.
WORDS: Final = {
    "": "Unchanged",
    "ISO_IR 100": "Ünverändert",
    "ISO_IR 192": "Ünverändert",
    "ISO_IR 144": "Неизменно",
    "GB18030": "王小东王小东",
    "\\ISO 2022 IR 87": "山田太郎山田",
}
CODECS: Final = ("utf-8", "latin-1", "iso8859-5", "gb18030", "iso2022_jp", "utf-16-le", "utf-16-be")
PREAMBLE_MARK: Final = "CNRYPREAMBLE"
ROOT: Final = "1.2.826.0.1.3680043.10.1887"  # of UIDs that are canaries
_TABLE: Final = Path(__file__).parents[3] / "shared/data/ps3.15-table-e1-1.json"
_PRIVATE: Final = (0x00090010, 0x00091001, 0x00091002, 0x00131005, 0x00290010, 0x00291010)
_CURVES: Final = (0x50000022, 0x50003000, 0x50122500, 0x50123000)
_OVERLAYS: Final = (0x60003000, 0x60004000, 0x601E3000, 0x601E4000)
PATTERNS: Final = frozenset({*_PRIVATE, *_CURVES, *_OVERLAYS})
# Sequences that the table does not name: what is in them is reached only by who looks into every item.
_AROUND: Final = (0x52009229, 0x00289145, 0x00089215, 0x00089092)
_STANDS: Final = frozenset({0x00080005, 0x00080016})  # of every data set: no canaries
_OUTSIDE: Final = frozenset({0x0000, 0x0002})  # groups that stand in no data set: of commands, of the file meta
_OUTERMOST: Final = frozenset({0x0004, 0xFFFC})  # groups that stand in no item
_FIRST_DAY: Final = dt.date(1200, 1, 1)
_APART: Final = dt.timedelta(days=20_001)  # of the days of two attributes: none is moved onto that of another
_MARK: Final = re.compile(rb"CNRY([0-9A-F]{8})")
_UID: Final = re.compile(re.escape(ROOT.encode()) + rb"\.(\d+)\.\d+")
_NUMBER: Final = re.compile(rb"1887[.0]0*(\d{4})(?!\d)")
_DAY: Final = re.compile(rb"(?<!\d)(\d{8})(?=\D|\Z|104143|[0-9]\D)")
_TIME: Final = re.compile(rb"104143\.27(\d{4})")
_SHORTS: Final = re.compile(rb"(?:CNRY|NCYR)(..)", re.DOTALL)
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{8,}={0,2}")
_WIDE_LITTLE, _WIDE_BIG = re.compile(rb"(?:[ -~]\0){6,}"), re.compile(rb"(?:\0[ -~]){6,}")
_HINTS: Final = (b"CNRY", b"NCYR", ROOT.encode(), b"\x1f\x8b\x08")
_DEEPEST: Final = 3  # wrappings one in another


@cache
def rows() -> tuple[int, ...]:
    """Return the tags of every row of the table that names one: of ours once it is there, else of the reference."""
    try:
        table = importlib.import_module("leadglass.deid.table")
    except ImportError:
        listed = [row["id"] for row in json.loads(_TABLE.read_text(encoding="utf-8"))]
        return tuple(sorted(int(tag, 16) for tag in listed if re.fullmatch("[0-9a-fA-F]{8}", tag)))
    return tuple(sorted(int(tag) for tag in table.ROWS))


@cache
def _numbers() -> dict[int, int]:
    return {tag: at for at, tag in enumerate(sorted({*rows(), *PATTERNS}))}


def vr_of(tag: int) -> str:
    """Return the VR that the canary of a tag has."""
    if tag in PATTERNS:
        return {
            0x00090010: "LO", 0x00290010: "LO", 0x00091001: "LO", 0x00091002: "OB", 0x00131005: "UN", 0x00291010: "SQ",
            0x50000022: "LO", 0x50122500: "LO", 0x60004000: "LT", 0x601E4000: "LT",
        }.get(tag, "OW")  # fmt: skip
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"


def day(tag: int) -> str:
    """Return the date that only this attribute has."""
    return _days_of()[tag]


@cache
def _days_of() -> dict[int, str]:
    dated = [tag for tag in _numbers() if vr_of(tag) in {"DA", "DT"}]
    return {tag: f"{_FIRST_DAY + at * _APART:%Y%m%d}" for at, tag in enumerate(dated)}


def uid(tag: int, depth: int = 0) -> str:
    """Return the UID that only this attribute has at this depth."""
    return f"{ROOT}.{tag}.{depth}"


def mark(tag: int, depth: int = 0) -> str:
    """Return the text that only this attribute has at this depth: 15 characters that every text VR takes."""
    return f"CNRY{tag:08X}D{depth:02}"


def _value(tag: int, depth: int, word: str) -> Any:  # noqa: ANN401 - of the VR
    vr, number, text, date = vr_of(tag), _numbers()[tag], mark(tag, depth), _days_of().get(tag, "")
    made = {
        "PN": f"{text}^{word}",
        "UR": f"https://canary.example/{text}",
        "UI": uid(tag, depth),
        "DA": date,
        "DT": f"{date}104143.27{number:04}",
        "TM": f"104143.27{number:04}",
        "DS": f"1887.{number:07}",
        "IS": f"188700{number:04}",
        "AS": "094Y",
        "US": [0x4E43, 0x5952, number],
        **dict.fromkeys(("LO", "UC"), f"{text} {word}"),
        **dict.fromkeys(("LT", "ST", "UT"), f"{text} {word}\r\n{word}"),
        **dict.fromkeys(("CS", "AE", "SH"), text),
        **dict.fromkeys(("OB", "OW", "UN"), text.encode().ljust(16, b"\0")),
    }
    return made[vr]


def _element(tag: int, depth: int, word: str) -> DataElement:
    vr = vr_of(tag)
    if vr != "SQ":
        return DataElement(tag, vr, _value(tag, depth, word))
    inside = Dataset()
    if tag in {0x00081140, 0x00082112}:  # whose items stay, with other UIDs (X/Z/U*)
        inside.add_new(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2")
        inside.add_new(0x00081155, "UI", uid(0x00081155, depth))
    else:
        inside.add_new(0x00080104, "LO", f"{mark(tag, depth)} {word}")
        inside.add_new(0x00091001, "UN", mark(0x00091001, depth).encode() + b"\0")
    return DataElement(tag, "SQ", Sequence([inside]))


def fill(
    *,
    depth: int = 0,
    charset: str = "ISO_IR 100",
    tags: Iterable[int] | None = None,
    patterns: bool = True,
    around: tuple[int, ...] = _AROUND,
) -> Dataset:
    """Return a data set with a canary in every row of the table (or in `tags`), inside of `depth` sequences.

    The data set around them has what every instance has, canaries too: UIDs, patient, dates.
    """
    word = WORDS[charset]
    inner = _base(charset) if depth == 0 else Dataset()
    chosen = list(rows() if tags is None else tags) + (sorted(PATTERNS) if patterns else [])
    for tag in chosen:
        if tag not in _STANDS and tag >> 16 not in (_OUTSIDE if depth == 0 else _OUTSIDE | _OUTERMOST):
            inner.add(_element(tag, depth, word))
    for level in range(depth):
        outer = _base(charset) if level == depth - 1 else Dataset()
        outer.add_new(around[level % len(around)], "SQ", [inner])
        inner = outer
    return inner


def _base(charset: str) -> Dataset:
    found = Dataset()
    if charset:
        found.SpecificCharacterSet = charset.split("\\") if "\\" in charset else charset
    found.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    found.Modality = "CT"
    for tag in (
        0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00080020, 0x00080050, 0x00080090,
    ):  # fmt: skip
        found.add(_element(tag, 0, WORDS[charset]))
    found.Rows = found.Columns = 4
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 12, 11, 0
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.add_new(0x7FE00010, "OW", bytes(range(32)))
    return found


def part10(dataset: Dataset, *, syntax: str = EXPLICIT, preamble: bytes = PREAMBLE_MARK.encode()) -> bytes:
    """Write a Part 10 file, with canaries in its preamble and in its file meta."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = uid(0x00020003)
    meta.SourceApplicationEntityTitle = mark(0x00020016)
    meta.SendingApplicationEntityTitle = mark(0x00020017)
    meta.ReceivingApplicationEntityTitle = mark(0x00020018)
    meta.PrivateInformationCreatorUID = uid(0x00020100)
    meta.PrivateInformation = mark(0x00020102).encode() + b"\0"
    dataset.file_meta, dataset.preamble = meta, preamble.ljust(128, b"\0")
    if "SOPInstanceUID" in dataset:
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    held = io.BytesIO()
    dcmwrite(
        held, dataset, implicit_vr=syntax == IMPLICIT, little_endian=syntax != BIG, enforce_file_format=True,
    )  # fmt: skip
    return held.getvalue()


def survivors(data: bytes, *, kept: Iterable[int] = ()) -> list[str]:
    """Return a line for every attribute whose canary is in `data` in whatever wrapping; `kept` may be there."""
    allowed, found = frozenset(kept), set[str]()
    for plain, where in _unwrapped(data, _DEEPEST):
        for tag, kind in _seen(plain):
            if tag not in allowed:
                name = keyword_for_tag(tag) if tag and dictionary_has_tag(tag) else ""
                found.add(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {name or '-'}: {kind}{where}")
    return sorted(found)


@cache
def _days() -> dict[bytes, int]:
    return {text.encode(): tag for tag, text in _days_of().items()}


@cache
def _needles() -> dict[bytes, str]:
    """Return what stands for no attribute: words in every encoding that can write them, and the preamble."""
    made: dict[bytes, str] = {PREAMBLE_MARK.encode(): "preamble"}
    for word in set(WORDS.values()) - {"Unchanged"}:
        for codec in CODECS:
            try:
                made[word.encode(codec)] = f"word in {codec}"
            except UnicodeEncodeError:
                continue
    return made


def _seen(data: bytes) -> Iterator[tuple[int, str]]:
    for pattern, kind, tag_of in (
        (_MARK, "text", lambda seen: int(seen, 16)),
        (_UID, "UID", int),
        (_NUMBER, "number", lambda seen: _tag(int(seen))),
        (_TIME, "time", lambda seen: _tag(int(seen))),
        (_DAY, "date", _days().get),
        (_SHORTS, "binary", _short),
    ):
        for seen in {found[1] for found in pattern.finditer(data)}:
            if (tag := tag_of(seen)) is not None:
                yield tag, kind
    if b"094Y" in data:
        yield 0x00101010, "age"
    for needle, kind in _needles().items():
        if needle in data:
            yield 0, kind


def _tag(number: int) -> int | None:
    tags = sorted(_numbers())
    return tags[number] if number < len(tags) else None


def _short(two: bytes) -> int | None:
    for order in ("<H", ">H"):
        tag = _tag(struct.unpack(order, two)[0])
        if tag is not None and vr_of(tag) == "US":
            return tag
    return None


def _unwrapped(data: bytes, left: int, where: str = "") -> Iterator[tuple[bytes, str]]:
    """Yield the bytes, and what is wrapped in them."""
    yield data, where
    for pattern, name in ((_WIDE_LITTLE, "UTF-16 LE"), (_WIDE_BIG, "UTF-16 BE")):
        yield from ((text[0].replace(b"\0", b""), f"{where}, in {name}") for text in pattern.finditer(data))
    if left:
        for opened, how in _opened(data):
            yield from _unwrapped(opened, left - 1, f"{where}, {how}")


def _opened(data: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield what is packed into the bytes, and how."""
    for found in re.finditer(rb"\x1f\x8b\x08", data):
        if opened := _inflated(data[found.start() :], 31):
            yield opened, "gzipped"
    if DEFLATED.encode() in data and (opened := _inflated(data[_after_meta(data) :], -15)):
        yield opened, "deflated"
    if b"%" in data and (opened := unquote_to_bytes(data)) != data:
        yield opened, "percent-encoded"
    for found in _BASE64.finditer(data):
        for shift in range(0 if found[0].endswith(b"=") else 3, -1, -1):
            text = found[0][shift:]
            try:
                opened = base64.b64decode(text[: len(text) // 4 * 4])
            except binascii.Error:
                continue
            if any(piece in opened for piece in _HINTS):
                yield opened, "in base64"


def _inflated(data: bytes, wbits: int) -> bytes:
    try:
        return zlib.decompressobj(wbits).decompress(data)
    except zlib.error:
        return b""


def _after_meta(data: bytes) -> int:
    """Return where the data set begins that stands behind a file meta; 0 when there is none."""
    at = data.find(b"DICM\x02\0\0\0UL\x04\0")
    return at + 16 + struct.unpack_from("<I", data, at + 12)[0] if at >= 0 else 0
