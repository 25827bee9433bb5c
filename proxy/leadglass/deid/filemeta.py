"""The beginning of a file (PS3.10 section 7.1): preamble and file meta, read whole and written anew.

Of the file meta only what says how the file is written goes on. Who sent and received it, and private information, do not.
"""

from functools import lru_cache
from typing import Final

from leadglass.codec.uid import is_uid
from leadglass.deid.forms import Form
from leadglass.deid.refused import unreadable
from leadglass.limits import DEID_META_BYTES, DEID_META_FORMS

IMPLEMENTATION: Final = "2.25.253113763639380831839373219939767433380"  # (0002,0012), by a UUID
_VERSION_NAME: Final = b"LEADGLASS "
_FORM: Final = Form(explicit=True, order="<")
_PREAMBLE, _PREFIX = 128, b"DICM"
_META: Final = 0x0002
_LENGTH, _CLASS, _INSTANCE, _SYNTAX = 0x00020000, 0x00020002, 0x00020003, 0x00020010
_HEAD, _LONG_HEAD = 8, 12
_LONG: Final = frozenset({b"OB", b"UN", b"OW", b"UT"})


class FileMeta:
    """Takes a file's bytes until its file meta is whole; `rest` are those behind it. Raises Refusal `deid-unreadable`.

    `sop_class_uid` and `sop_instance_uid` are empty where it names none.
    """

    def __init__(self) -> None:
        self._raw = b""
        self.rest = b""
        self.transfer_syntax = self.sop_class_uid = self.sop_instance_uid = ""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes and return whether the file meta is whole."""
        self._raw = self._raw + data if self._raw else data
        begun = _PREAMBLE + len(_PREFIX)
        if len(self._raw) >= begun:
            if self._raw[_PREAMBLE:begun] != _PREFIX:
                raise unreadable("no DICM prefix")
            elements: dict[int, bytes] = {}
            at = _read(self._raw, begun, elements)
            if at is not None:
                self.rest, self._raw = self._raw[at:], b""
                self.transfer_syntax = _uid(elements, _SYNTAX)
                self.sop_class_uid, self.sop_instance_uid = _uid(elements, _CLASS), _uid(elements, _INSTANCE)
                if not self.transfer_syntax:
                    raise unreadable("no transfer syntax")
                return True
        if len(self._raw) > DEID_META_BYTES:
            raise unreadable(f"no end of the file meta within {DEID_META_BYTES} bytes")
        return False


def _read(raw: bytes, at: int, elements: dict[int, bytes]) -> int | None:
    """Read group 0002 and return where the data set begins, None when not all of it has come."""
    end, before = DEID_META_BYTES, -1
    told = False
    while at < end:
        if len(raw) < at + _LONG_HEAD:
            return None
        group, number, vr, length = _FORM.unpack(raw, at)
        tag = group << 16 | number
        if group != _META:
            if told:
                raise unreadable("file meta group length is not true")
            return at
        if tag <= before:
            raise unreadable("file meta element twice or out of order")
        before = tag
        at += _HEAD
        if vr in _LONG:
            length = int.from_bytes(raw[at : at + 4], "little")
            at += 4
        if length & 1 or at + length > end:
            raise unreadable("file meta element of odd length, or longer than the file meta")
        if len(raw) < at + length:
            return None
        elements[tag] = raw[at : at + length]
        at += length
        if tag == _LENGTH:
            end, told = min(at + int.from_bytes(elements[tag], "little"), end), True
    return at


def _uid(elements: dict[int, bytes], tag: int) -> str:
    text = elements.get(tag, b"").rstrip(b"\0 ").decode("latin-1")
    return text if is_uid(text) else ""


@lru_cache(maxsize=DEID_META_FORMS)
def _around(sop_class_uid: str, transfer_syntax: str) -> tuple[bytes, bytes]:
    """Return the elements before the instance's UID, and those behind it."""
    before = _FORM.element(0x00020001, b"OB", b"\0\1") + _FORM.written(_CLASS, b"UI", [sop_class_uid], b"")
    behind = _FORM.written(_SYNTAX, b"UI", [transfer_syntax], b"") + _FORM.written(
        0x00020012, b"UI", [IMPLEMENTATION], b""
    )
    return before, behind + _FORM.element(0x00020013, b"SH", _VERSION_NAME)


def written(sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str) -> bytes:
    """Return preamble and file meta of the file that leaves."""
    before, behind = _around(sop_class_uid, transfer_syntax)
    rest = before + _FORM.written(_INSTANCE, b"UI", [sop_instance_uid], b"") + behind
    return bytes(_PREAMBLE) + _PREFIX + _FORM.element(_LENGTH, b"UL", len(rest).to_bytes(4, "little")) + rest
