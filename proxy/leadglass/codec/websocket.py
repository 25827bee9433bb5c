"""WebSocket (RFC 6455): the handshake's key, and frames read and written within bounds. Sans-io.

No extension is ever agreed, so a reserved bit is a fault. The reader gives whole messages: of fragments it keeps as much
as one message may hold. Which side masks is fixed, and enforced (section 5.1).
"""

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

VERSION: Final = "13"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
_KEY_BYTES: Final = 16
_CONTROL_BYTES: Final = 125
_FINAL, _RESERVED, _OPCODE, _MASK, _LENGTH = 0x80, 0x70, 0x0F, 0x80, 0x7F
_TWO_BYTES, _EIGHT_BYTES = 126, 127
_LARGEST: Final = {_TWO_BYTES: 0xFFFF, _EIGHT_BYTES: 2**63 - 1}
_CODE_BYTES: Final = 2
# Section 7.4: those that may stand in a frame.
_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_OWN_CODES: Final = range(3000, 5000)


class Op(IntEnum):
    """Opcodes (section 5.2)."""

    MORE = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class WebSocketFault(Exception):
    """What the other side sent is not to be answered but by closing with `code`."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Message(NamedTuple):
    """A whole message, or a control frame. Of a CLOSE `data` is the reason and `code` its code, 1005 when it has none."""

    op: Op
    data: bytes
    code: int = 0


def accept_key(key: str) -> str | None:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key, None when that is not 16 bytes in base64."""
    if _KEY.fullmatch(key) is None:
        return None
    try:
        if base64.b64encode(base64.b64decode(key, validate=True)).decode("ascii") != key:
            return None  # a second spelling of the same bytes
    except binascii.Error:
        return None
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def make_key(random: bytes) -> str:
    """Return a Sec-WebSocket-Key of 16 random bytes."""
    return base64.b64encode(random[:_KEY_BYTES]).decode("ascii")


def write_frame(op: Op, data: bytes, mask: bytes = b"") -> bytes:
    """Return one frame that is a whole message; `mask` is four random bytes when a client sends it."""
    size, bit = len(data), _MASK if mask else 0
    if size < _TWO_BYTES:
        head = struct.pack("!BB", _FINAL | op, bit | size)
    elif size <= _LARGEST[_TWO_BYTES]:
        head = struct.pack("!BBH", _FINAL | op, bit | _TWO_BYTES, size)
    else:
        head = struct.pack("!BBQ", _FINAL | op, bit | _EIGHT_BYTES, size)
    return head + mask + (_masked(data, mask) if mask else data)


def write_close(code: int, reason: str = "", mask: bytes = b"") -> bytes:
    """Return a CLOSE frame; 1005 stands for one without a code."""
    said = b"" if code == 1005 else struct.pack("!H", code) + reason.encode("utf-8")[: _CONTROL_BYTES - _CODE_BYTES]  # noqa: PLR2004 - section 7.4.1
    return write_frame(Op.CLOSE, said, mask)


def _masked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    whole = int.from_bytes(data, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return whole.to_bytes(size, "big")


@dataclass(slots=True)
class _Frame:
    final: bool
    op: Op
    size: int
    mask: bytes
    start: int  # of its payload


class Reader:
    """Reads what one side sends. `masked` says that it is a client; `limit` is the size of the largest message."""

    __slots__ = ("_begun", "_buffer", "_closed", "_limit", "_masked", "_parts", "_size")

    def __init__(self, *, masked: bool, limit: int) -> None:
        self._masked, self._limit = masked, limit
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._begun: Op | None = None
        self._size = 0  # of the message that has begun
        self._closed = False

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes and return what they complete. Raises WebSocketFault; nothing is read after that, or after a CLOSE."""
        if self._closed:
            return []
        self._buffer += data
        told: list[Message] = []
        try:
            while (frame := self._head()) is not None:
                end = frame.start + frame.size
                if len(self._buffer) < end:
                    break
                payload = bytes(self._buffer[frame.start : end])
                del self._buffer[:end]
                message = self._frame(frame, _masked(payload, frame.mask) if frame.mask else payload)
                if message is not None:
                    told.append(message)
                if frame.op is Op.CLOSE:  # what follows is not read
                    break
        except WebSocketFault:
            self._closed = True
            raise
        return told

    def _head(self) -> _Frame | None:
        """Return the frame that begins the buffer, None until its head is there; faults are seen as soon as they can be."""
        held = self._buffer
        if len(held) < 2:  # noqa: PLR2004 - the shortest head
            return None
        op, size = self._opened(held[0], held[1])
        start = 2 + {_TWO_BYTES: 2, _EIGHT_BYTES: 8}.get(size, 0)
        if len(held) < start:
            return None
        if size in _LARGEST:
            size = _long(size, held[2:start])
        if op < Op.CLOSE and self._size + size > self._limit:
            raise WebSocketFault(1009, "a message beyond the bound")
        mask_bytes = 4 if self._masked else 0
        if len(held) < start + mask_bytes:
            return None
        mask = bytes(held[start : start + mask_bytes])
        return _Frame(bool(held[0] & _FINAL), op, size, mask, start + mask_bytes)

    def _opened(self, first: int, second: int) -> tuple[Op, int]:
        """Return what the first two bytes say, the length as it stands in them."""
        if first & _RESERVED:
            raise WebSocketFault(1002, "a reserved bit, and no extension was agreed")
        try:
            op = Op(first & _OPCODE)
        except ValueError:
            raise WebSocketFault(1002, "an opcode that is not defined") from None
        if bool(second & _MASK) is not self._masked:
            raise WebSocketFault(1002, "masked by the wrong side")
        size = second & _LENGTH
        if op >= Op.CLOSE and (not first & _FINAL or size > _CONTROL_BYTES):
            raise WebSocketFault(1002, "a control frame in fragments, or too large")
        if op < Op.CLOSE and (op is Op.MORE) is (self._begun is None):
            raise WebSocketFault(1002, "a fragment out of its order")
        return op, size

    def _frame(self, frame: _Frame, data: bytes) -> Message | None:
        if frame.op is Op.CLOSE:
            self._closed = True
            return _close(data)
        if frame.op >= Op.CLOSE:
            return Message(frame.op, data)
        if self._begun is None:
            self._begun = frame.op
        self._parts.append(data)
        self._size += len(data)
        if len(self._parts) > _MOST_PARTS:
            raise WebSocketFault(1009, "a message in too many fragments")
        if not frame.final:
            return None
        op, whole = self._begun, b"".join(self._parts)
        self._begun, self._parts, self._size = None, [], 0
        if op is Op.TEXT:
            _text(whole)
        return Message(op, whole)


_MOST_PARTS: Final = 1_024  # of a message; senders fragment at some KiB


def _long(form: int, written: bytes | bytearray) -> int:
    size = int.from_bytes(written, "big")
    least = _TWO_BYTES if form == _TWO_BYTES else _LARGEST[_TWO_BYTES] + 1
    if not least <= size <= _LARGEST[form]:
        raise WebSocketFault(1002, "a length that is not the shortest form")
    return size


def _text(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise WebSocketFault(1007, "text that is not UTF-8") from None


def _close(data: bytes) -> Message:
    if not data:
        return Message(Op.CLOSE, b"", 1005)
    code = int.from_bytes(data[:_CODE_BYTES], "big")
    if len(data) < _CODE_BYTES or not (code in _CODES or code in _OWN_CODES):
        raise WebSocketFault(1002, "a close code that is not defined")
    _text(data[_CODE_BYTES:])
    return Message(Op.CLOSE, data[_CODE_BYTES:], code)
