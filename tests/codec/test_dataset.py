import struct
from collections.abc import Generator

import pytest

from leadglass.codec.dataset import Cursor, DataSet
from leadglass.limits import STORE_HEADER_BYTES
from leadglass.model.errors import Refusal
from support.part10files import IMPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, element, item

ID, STUDY, SERIES = 0x00100020, 0x0020000D, 0x0020000E

EVIL = element(ID, "LO", b"EVIL", syntax=IMPLICIT)
AFTER = element(ID, "LO", b"P1", syntax=IMPLICIT) + element(SERIES, "UI", b"1.20", syntax=IMPLICIT)


def short(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


DATA = short(ID, b"LO", b"P1") + short(STUDY, b"UI", b"1.10") + short(SERIES, b"UI", b"1.20")


def drive(reader: Generator[None, None, dict[int, bytes]]) -> dict[int, bytes] | None:
    try:
        next(reader)
    except StopIteration as done:
        found: dict[int, bytes] = done.value
        return found
    return None


def test_it_waits_for_exactly_what_it_needs() -> None:
    data = bytearray()
    reader = DataSet(Cursor(data), explicit=True, order="<").read({ID: b"LO", SERIES: b"UI"}, SERIES)
    for at in range(len(DATA) - 1):
        assert drive(reader) is None
        data.append(DATA[at])
    assert drive(reader) is None
    data.append(DATA[-1])
    assert drive(reader) == {ID: b"P1", SERIES: b"1.20"}


def test_more_is_fetched_before_waiting() -> None:
    data, pieces = bytearray(), [DATA[:5], DATA[5:20], DATA[20:]]

    def more() -> bool:
        if not pieces:
            return False
        data.extend(pieces.pop(0))
        return True

    assert drive(DataSet(Cursor(data, more), explicit=True, order="<").read({ID: b"LO"}, SERIES)) == {ID: b"P1"}


def test_nothing_past_the_bound_is_waited_for() -> None:
    cursor = Cursor(bytearray())
    with pytest.raises(Refusal):
        next(cursor.need(STORE_HEADER_BYTES + 1))
    assert next(cursor.need(STORE_HEADER_BYTES)) is None


@pytest.mark.parametrize(
    "data",
    [DATA[18:28] + DATA, DATA[:10] + DATA[:10] + DATA[10:], DATA[:10] + short(0x00200010, b"SH", b"")],
    ids=["out of order", "twice", "past the last"],
)
def test_elements_ascend_up_to_the_last(data: bytes) -> None:
    with pytest.raises(Refusal):
        drive(DataSet(Cursor(bytearray(data)), explicit=True, order="<").read({ID: b"LO"}, SERIES))


@pytest.mark.parametrize("vr", [b"US", b"AT", b"FD", b"SH", b"OB"])
def test_what_is_wanted_says_that_it_is_what_it_should_be(vr: bytes) -> None:
    header = struct.pack("<HH2sHI", 0x10, 0x20, vr, 0, 2) + b"P1" if vr == b"OB" else short(ID, vr, b"P1")
    with pytest.raises(Refusal) as caught:
        drive(DataSet(Cursor(bytearray(header + DATA[10:])), explicit=True, order="<").read({ID: b"LO"}, SERIES))
    assert caught.value.detail == "(0010,0020) of another value representation"
    assert drive(DataSet(Cursor(bytearray(header + DATA[10:])), explicit=True, order="<").read({}, SERIES)) == {}


@pytest.mark.parametrize(
    ("value", "sound"),
    [
        (SEQUENCE_END + EVIL, False),
        (item(b"") + SEQUENCE_END + EVIL, False),
        (item(b"", UNDEFINED) + ITEM_END + SEQUENCE_END + EVIL, False),
        (SEQUENCE_END[:4], False),
        (item(EVIL), True),
        (b"\xfe\xff", True),
        (EVIL, True),
        (b"", True),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_private_value_that_is_a_sequence_to_some_hides_no_elements(
    value: bytes, *, sound: bool, nested: bool
) -> None:
    private = element(0x00091040, "UN", value, syntax=IMPLICIT)
    before = element(0x00081140, "SQ", item(private), syntax=IMPLICIT) if nested else private
    reader = DataSet(Cursor(bytearray(before + AFTER)), explicit=False, order="<")
    if sound:
        assert drive(reader.read({ID: b"LO"}, SERIES)) == {ID: b"P1"}
    else:
        with pytest.raises(Refusal):
            drive(reader.read({ID: b"LO"}, SERIES))


def test_no_group_makes_a_delimiter_of_what_is_before_it() -> None:
    halves = element(0x00091040, "UN", b"\xfe\xff", syntax=IMPLICIT) + element(0xE0DD0010, "UN", b"", syntax=IMPLICIT)
    data = element(0x00081140, "SQ", item(halves), syntax=IMPLICIT) + AFTER
    with pytest.raises(Refusal) as caught:
        drive(DataSet(Cursor(bytearray(data)), explicit=False, order="<").read({}, SERIES))
    assert caught.value.detail == "a group that reads as half of a delimiter"
