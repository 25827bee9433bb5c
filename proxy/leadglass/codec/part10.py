"""The beginning of a DICOM file (PS3.10 section 7), read as it streams.

Reads up to and with (0020,000E): whose study, series and instance this is, before a byte of it is forwarded. Encodings:
Explicit and Implicit VR Little Endian, Explicit VR Big Endian, and deflated. Elements must ascend, lengths must be
even and true, sequences may nest to NESTING_DEPTH, what begins as a sequence is one, and all of it must fit into STORE_HEADER_BYTES.

Readers exist that keep the last of two equal tags and readers that keep the first; so a file whose beginning has an
element twice or out of order is refused rather than read.
"""

import zlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from leadglass.codec.charset import decode
from leadglass.codec.dataset import Cursor, DataSet, unreadable
from leadglass.codec.uid import is_uid
from leadglass.codec.walker import DeflatedWalker, Walker
from leadglass.limits import STORE_HEADER_BYTES

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"
# JPIP Referenced Deflate and JPIP HTJ2K Referenced Deflate (PS3.5 annex A). Who does not know that they are deflated reads
# the deflated bytes themselves, which can be made to be another patient's file (Orthanc, tried): they are not stored.
_SELDOM_KNOWN: Final = frozenset({"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
DEFLATED: Final = frozenset({"1.2.840.10008.1.2.1.99"}) | _SELDOM_KNOWN
GE_PRIVATE_IMPLICIT: Final = "1.2.840.113619.5.2"  # GE's: little endian headers without VR, big endian pixels
_STANDARD: Final = "1.2.840.10008.1.2"  # all others below this root are Explicit VR Little Endian

_PREAMBLE: Final = 128
_INFLATED_AT_ONCE: Final = 64 * 1024
_META: Final = 0x0002
_META_LENGTH, _META_CLASS, _META_INSTANCE, _META_SYNTAX = 0x00020000, 0x00020002, 0x00020003, 0x00020010
_CHARACTER_SET, _SOP_CLASS, _SOP_INSTANCE = 0x00080005, 0x00080016, 0x00080018
_PATIENT_ID, _ISSUER, _STUDY, _SERIES = 0x00100020, 0x00100021, 0x0020000D, 0x0020000E
_UIDS: Final = dict.fromkeys((_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES), b"UI")
_WANTED: Final = {_CHARACTER_SET: b"CS", _PATIENT_ID: b"LO", _ISSUER: b"LO", **_UIDS}

Preamble: TypeAlias = Literal["zero", "tiff", "cleared"]
Elements: TypeAlias = dict[int, bytes]


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """Whose instance a file holds. Text is decoded; an empty or absent attribute is None.

    `preamble` says what its first 128 bytes were: `cleared` ones held something that is neither zero nor the TIFF of
    a dual-purpose file, and `held` has zeros in their place.
    """

    transfer_syntax: str
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    patient_id: str | None
    issuer_of_patient_id: str | None
    preamble: Preamble


class HeaderReader:
    """Incremental reader of one file's beginning.

    `feed` takes bytes and answers the header once it is whole; `held` are all bytes fed so far, with the preamble
    cleared where it had to be. Raises Refusal `store-unreadable`; after that, or after the header, feed no more.

    What an archive gives back (`archived`) may be older than the rules for what is stored today: private transfer
    syntaxes are read, a file meta that names another instance than the data set is left to the archive, and so is text,
    which is None. The UIDs of the data set itself are read as strictly as ever.
    """

    def __init__(self, *, archived: bool = False) -> None:
        self._archived = archived
        self._raw = bytearray()
        self._preamble: Preamble = "zero"
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._inflated = bytearray()
        self._deflated_at = 0  # raw bytes before this are inflated
        self._cursor = Cursor(self._raw)
        self._walker = Walker(explicit=True, order="<", before=_SERIES)
        self._reader: Generator[None, None, InstanceHeader] = self._read()

    @property
    def held(self) -> bytes:
        """The bytes fed so far, to be forwarded once the instance is accepted."""
        return bytes(self._raw)

    def feed(self, chunk: bytes) -> InstanceHeader | None:
        """Take the next bytes; return the header when (0020,000E) has been read, else None."""
        self._raw += chunk
        try:
            next(self._reader)
        except StopIteration as done:
            header: InstanceHeader = done.value
            return header
        # A deflated stream can go on for ever without giving a byte.
        if len(self._raw) > _PREAMBLE + STORE_HEADER_BYTES:
            raise unreadable(f"no (0020,000E) within {STORE_HEADER_BYTES} bytes")
        return None

    def finish(self) -> None:
        """Say that the file has ended before its header was whole. Always raises Refusal."""
        raise unreadable("file ends before (0020,000E)")

    def rest(self) -> Walker | DeflatedWalker:
        """Return the walk through what follows the header, to be led on by `steps` even when no more bytes come.

        It has taken what was fed; of what is deflated, what the header needed. Raises Refusal.
        """
        self._walker.feed(bytes(self._cursor.data[self._cursor.at :]))
        if self._cursor.data is self._raw:
            return self._walker
        return DeflatedWalker(self._walker, self._inflater, bytes(self._raw[self._deflated_at :]))

    def _read(self) -> Generator[None, None, InstanceHeader]:
        cursor = self._cursor
        yield from cursor.need(_PREAMBLE + 4)
        if self._raw[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
            raise unreadable("no DICM prefix")
        self._judge_preamble()
        cursor.at = _PREAMBLE + 4
        meta = yield from _read_meta(cursor)
        syntax = _uid(meta, _META_SYNTAX)
        if syntax != _STANDARD and not syntax.startswith(_STANDARD + ".") and not self._archived:
            raise unreadable("private transfer syntax")
        if syntax in _SELDOM_KNOWN and not self._archived:
            raise unreadable("a deflated transfer syntax that few archives know")
        if syntax in DEFLATED:
            self._deflated_at = cursor.at
            cursor = self._cursor = Cursor(self._inflated, self._inflate)
        explicit, order = syntax not in {IMPLICIT_LITTLE, GE_PRIVATE_IMPLICIT}, ">" if syntax == EXPLICIT_BIG else "<"
        self._walker = Walker(explicit=explicit, order=order, before=_SERIES)
        wanted = _UIDS if self._archived else _WANTED
        found = yield from DataSet(cursor, explicit=explicit, order=order).read(wanted, _SERIES)
        return self._header(syntax, meta, found)

    def _judge_preamble(self) -> None:
        preamble = self._raw[:_PREAMBLE]
        if preamble.startswith((b"II*\0", b"MM\0*")):
            self._preamble = "tiff"
        elif any(preamble):
            # An executable or script in the preamble is harmless to DICOM and not to people (CVE-2019-11687).
            self._raw[:_PREAMBLE] = bytes(_PREAMBLE)
            self._preamble = "cleared"

    def _inflate(self) -> bool:
        """Inflate some more of what has come; False when there is nothing more to inflate."""
        if self._deflated_at == len(self._raw) or self._inflater.eof:
            return False
        try:
            self._inflated += self._inflater.decompress(bytes(self._raw[self._deflated_at :]), _INFLATED_AT_ONCE)
        except zlib.error:
            raise unreadable("deflated data set cannot be inflated") from None
        left = self._inflater.unused_data or self._inflater.unconsumed_tail
        self._deflated_at = len(self._raw) - len(left)
        return True

    def _header(self, syntax: str, meta: Elements, found: Elements) -> InstanceHeader:
        sop_class, sop_instance = _uid(found, _SOP_CLASS), _uid(found, _SOP_INSTANCE)
        if not self._archived:
            if _uid(meta, _META_INSTANCE) != sop_instance:
                raise unreadable("(0002,0003) is not (0008,0018)")
            if _uid(meta, _META_CLASS) != sop_class:
                raise unreadable("(0002,0002) is not (0008,0016)")
            if _PATIENT_ID not in found:
                # Of type 2 (PS3.3 section C.7.1.1).
                raise unreadable("(0010,0020) is absent")
        return InstanceHeader(
            syntax,
            sop_class,
            sop_instance,
            _uid(found, _STUDY),
            _uid(found, _SERIES),
            None if self._archived else _text(found, _PATIENT_ID),
            None if self._archived else _text(found, _ISSUER),
            self._preamble,
        )


def _read_meta(cursor: Cursor) -> Generator[None, None, Elements]:
    """Read group 0002, always Explicit VR Little Endian, until its length or the next group ends it."""
    meta: Elements = {}
    end: int | None = None
    before = -1
    while end is None or cursor.at < end:
        tag = yield from cursor.tag("<")
        if tag >> 16 != _META:
            if end is not None:
                raise unreadable("file meta group length is not true")
            if _uid(meta, _META_SYNTAX) in DEFLATED:
                raise unreadable("deflated data set behind a file meta without its length")
            return meta
        if tag <= before:
            raise unreadable("file meta element twice or out of order")
        before = tag
        _, length = yield from cursor.header("<", explicit=True)
        meta[tag] = yield from cursor.value(length)
        if tag == _META_LENGTH:
            end = cursor.at + int.from_bytes(meta[tag], "little")
    if cursor.at != end:
        raise unreadable("file meta group length is not true")
    return meta  # more of the group behind its length is refused by the data set, which has no such group


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _uid(elements: Elements, tag: int) -> str:
    text = elements.get(tag, b"").rstrip(b"\0").decode("latin-1")
    if not is_uid(text):
        raise unreadable(f"{_name(tag)} is absent or no UID")
    return text


def _text(found: Elements, tag: int) -> str | None:
    value = found.get(tag, b"")
    if value[:1] in {b" ", b"\0"} and value.strip(b" \0"):
        # Padding to DICOM (PS3.5 section 6.2), another patient to Orthanc, which then has two of one study (tried).
        raise unreadable(f"{_name(tag)} begins with a blank")
    try:
        return decode(value, found.get(_CHARACTER_SET, b""))
    except ValueError as error:
        raise unreadable(f"{_name(tag)}: {error}") from None
