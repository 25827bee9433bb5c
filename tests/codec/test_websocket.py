"""WebSocket frames: whole, byte at a time, in every split, mutated, and out of shape (RFC 6455)."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.websocket import (
    Message,
    Op,
    Reader,
    WebSocketFault,
    accept_key,
    make_key,
    write_close,
    write_frame,
)

MASK = b"\x01\x80\xff\x00"
LIMIT = 70_000


def read(data: bytes, *, masked: bool = True, step: int = 0, limit: int = LIMIT) -> list[Message]:
    reader = Reader(masked=masked, limit=limit)
    pieces = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    return [message for piece in pieces for message in reader.feed(piece)]


def frame(first: int, payload: bytes = b"", *, mask: bool = True, size: bytes | None = None) -> bytes:
    """Return a frame as it is written down, whatever it means."""
    length = bytes([(0x80 if mask else 0) | len(payload)]) if size is None else size
    return bytes([first]) + length + (b"\0\0\0\0" if mask else b"") + payload


SOUND = [
    (write_frame(Op.TEXT, b"", MASK), [Message(Op.TEXT, b"")]),
    (write_frame(Op.TEXT, "é".encode(), MASK), [Message(Op.TEXT, "é".encode())]),
    *((write_frame(Op.BINARY, b"x" * size, MASK), [Message(Op.BINARY, b"x" * size)]) for size in (125, 126, 65535, 65536)),
    (write_frame(Op.PING, b"p" * 125, MASK), [Message(Op.PING, b"p" * 125)]),
    (write_close(1005, mask=MASK), [Message(Op.CLOSE, b"", 1005)]),
    (write_close(1000, "done", MASK), [Message(Op.CLOSE, b"done", 1000)]),
    (write_close(4999, mask=MASK), [Message(Op.CLOSE, b"", 4999)]),
    (frame(0x01, b"a") + frame(0x89, b"!") + frame(0x00, b"b") + frame(0x80, b"c"), [Message(Op.PING, b"!"), Message(Op.TEXT, b"abc")]),
    (frame(0x01, b"\xc3") + frame(0x80, b"\xa9"), [Message(Op.TEXT, "é".encode())]),
    (write_close(1001, mask=MASK) + b"\xff" * 9, [Message(Op.CLOSE, b"", 1001)]),  # what follows is not read
]  # fmt: skip


@pytest.mark.parametrize("step", [0, 1, 3])
@pytest.mark.parametrize(("data", "told"), SOUND, ids=range(len(SOUND)))
def test_what_is_sound_is_read(data: bytes, told: list[Message], step: int) -> None:
    assert read(data, step=step) == told


def test_a_server_masks_nothing() -> None:
    assert read(write_frame(Op.TEXT, b"x"), masked=False) == [Message(Op.TEXT, b"x")]


BROKEN = {
    "a reserved bit": (frame(0xC1, b"x"), 1002),
    "another reserved bit": (frame(0x91, b"x"), 1002),
    "an unknown opcode": (frame(0x83, b"x"), 1002),
    "an unknown control opcode": (frame(0x8B), 1002),
    "not masked": (frame(0x81, b"x", mask=False), 1002),
    "a ping in fragments": (frame(0x09, b"x"), 1002),
    "a large ping": (frame(0x89, b"x" * 126, size=b"\xfe\x00\x7e"), 1002),
    "a fragment of nothing": (frame(0x80, b"x"), 1002),
    "a message within a message": (frame(0x01, b"x") + frame(0x81, b"x"), 1002),
    "a long form of a short length": (frame(0x81, b"x", size=b"\xfe\x00\x01"), 1002),
    "a longer form of a length": (frame(0x82, b"x" * 126, size=b"\xff" + struct.pack("!Q", 126)), 1002),
    "a length beyond 63 bits": (b"\x82\xff" + b"\xff" * 8, 1002),
    "beyond the bound, by its length alone": (b"\x82\xff" + struct.pack("!Q", LIMIT + 1), 1009),
    "beyond the bound, in fragments": (frame(0x02, b"x" * 100) * 1 + b"\x00\xff" + struct.pack("!Q", LIMIT), 1009),
    "without end": (frame(0x02) + frame(0x00) * 2000, 1009),
    "not UTF-8": (frame(0x81, b"\xff"), 1007),
    "UTF-8 cut short": (frame(0x81, b"\xc3"), 1007),
    "a surrogate": (frame(0x81, b"\xed\xa0\x80"), 1007),
    "a close of one byte": (frame(0x88, b"\x03"), 1002),
    "a close with a code for nobody": (frame(0x88, struct.pack("!H", 1005)), 1002),
    "a close with an old code": (frame(0x88, struct.pack("!H", 999)), 1002),
    "a close with a code beyond": (frame(0x88, struct.pack("!H", 5000)), 1002),
    "a close with a broken reason": (frame(0x88, struct.pack("!H", 1000) + b"\xff"), 1007),
}


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(("data", "code"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_a_fault(data: bytes, code: int, step: int) -> None:
    with pytest.raises(WebSocketFault) as caught:
        read(data, step=step)
    assert caught.value.code == code


def test_nothing_is_read_after_a_fault() -> None:
    reader = Reader(masked=True, limit=LIMIT)
    with pytest.raises(WebSocketFault):
        reader.feed(frame(0xF1))
    assert reader.feed(write_frame(Op.TEXT, b"x", MASK)) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Op.TEXT, Op.BINARY, Op.PING, Op.PONG]), st.binary(max_size=120).filter(bytes.isascii)
        )
    ),
    st.binary(min_size=4, max_size=4),
    st.integers(1, 9),
)
def test_what_is_written_is_read_however_it_is_cut(sent: list[tuple[Op, bytes]], mask: bytes, step: int) -> None:
    data = b"".join(write_frame(op, payload, mask) for op, payload in sent)
    assert read(data, step=step) == [Message(op, payload) for op, payload in sent]


@settings(max_examples=300)
@given(st.sampled_from([data for data, _ in SOUND if len(data) < 400]), st.data())
def test_mutated_bytes_are_messages_or_a_fault_the_same_however_they_come(sound: bytes, data: st.DataObject) -> None:
    changed = bytearray(sound + sound)
    for at in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    seen = []
    for step in (0, 1):
        try:
            seen.append((read(bytes(changed), step=step), 0))
        except WebSocketFault as fault:
            seen.append(([], fault.code))
    assert seen[0] == seen[1]


def test_the_key_of_the_standard() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert accept_key(make_key(bytes(16))) is not None


@pytest.mark.parametrize(
    "key", ["", "x", "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ==\n", "*" * 22 + "=="]
)
def test_another_key_is_none(key: str) -> None:
    assert accept_key(key) is None
