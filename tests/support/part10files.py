"""Part 10 files built element by element, sound and broken."""

import struct
import zlib
from collections.abc import Mapping

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
UNDEFINED = 0xFFFFFFFF
LONG = {"OB", "OV", "OW", "SQ", "UN", "UT"}


def element(tag: int, vr: str, value: bytes, length: int | None = None, syntax: str = EXPLICIT) -> bytes:
    order = ">" if syntax == BIG else "<"
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + struct.pack("<I", size) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + struct.pack(order + "I", size) + value
    return head + vr.encode() + struct.pack(order + "H", size) + value


def item(content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) if length is None else length) + content


ITEM_END, SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def uid(text: str) -> bytes:
    return text.encode() + b"\0" * (len(text) % 2)


def meta(syntax: str = EXPLICIT, instance: str = "1.3", sop_class: str = "1.4", *, length: int | None = 0) -> bytes:
    rest = element(0x00020002, "UI", uid(sop_class)) + element(0x00020003, "UI", uid(instance))
    rest += element(0x00020010, "UI", uid(syntax))
    if length is None:
        return rest
    return element(0x00020000, "UL", struct.pack("<I", len(rest) + length)) + rest


def grouped(rest: bytes) -> bytes:
    return element(0x00020000, "UL", struct.pack("<I", len(rest))) + rest


TAGS: dict[int, tuple[str, bytes]] = {
    0x00080005: ("CS", b"ISO_IR 100"),
    0x00080016: ("UI", uid("1.4")),
    0x00080018: ("UI", uid("1.3")),
    0x00080060: ("CS", b"CT"),
    0x00100010: ("PN", b"A^B "),
    0x00100020: ("LO", b"P1"),
    0x00100021: ("LO", b"HOSP"),
    0x0020000D: ("UI", uid("1.1")),
    0x0020000E: ("UI", uid("1.2")),
}


def dataset(changes: Mapping[int, tuple[str, bytes] | None] | None = None, syntax: str = EXPLICIT) -> bytes:
    tags = {**TAGS, **(changes or {})}
    return b"".join(element(t, *v, syntax=syntax) for t, v in sorted(tags.items()) if v is not None)


def file(body: bytes | None = None, head: bytes | None = None, preamble: bytes = bytes(128)) -> bytes:
    return preamble + b"DICM" + (meta() if head is None else head) + (dataset() if body is None else body)


def deflate(body: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(body) + squeeze.flush()
