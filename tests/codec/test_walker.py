import zlib
from collections.abc import Iterator
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.part10 import HeaderReader
from leadglass.codec.walker import DeflatedWalker, Walker
from leadglass.limits import NESTING_DEPTH
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
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
    item,
    meta,
)  # fmt: skip

SERIES = 0x0020000E
NUMBER = element(0x00200013, "IS", b"1 ")
PIXELS = element(0x7FE00010, "OW", bytes(4096))
FRAGMENTS = element(0x7FE00010, "OB", b"", UNDEFINED) + item(b"") + item(b"\xff\xd8" * 700) + SEQUENCE_END
INNER = element(0x00080100, "SH", b"CODE")
ICON = element(0x00880200, "SQ", item(FRAGMENTS, UNDEFINED) + ITEM_END, UNDEFINED) + SEQUENCE_END
STEPS = [1, 3, 7, 4096, None]


def walk(data: bytes, step: int | None = None, syntax: str = EXPLICIT) -> None:
    walker = Walker(explicit=syntax != IMPLICIT, order=">" if syntax == BIG else "<", before=SERIES)
    for start in range(0, len(data), step or len(data) or 1):
        walker.feed(data[start : start + (step or len(data))])
    walker.finish()


def implicit(tag: int, value: bytes) -> bytes:
    return element(tag, "UN", value, syntax=IMPLICIT)


def sequence(content: bytes, tag: int = 0x00400260, syntax: str = EXPLICIT) -> bytes:
    return element(tag, "SQ", content, syntax=syntax)


def nested(depth: int, tag: int = 0x0040A730, syntax: str = EXPLICIT, *, undefined: bool = False) -> bytes:
    content = b""
    for _ in range(depth):
        if undefined:
            content = element(tag, "SQ", item(content, UNDEFINED) + ITEM_END, UNDEFINED, syntax) + SEQUENCE_END
        else:
            content = element(tag, "SQ", item(content), syntax=syntax)
    return content


SOUND = {
    "nothing": (b"", EXPLICIT),
    "explicit": (NUMBER + PIXELS, EXPLICIT),
    "implicit": (element(0x00200013, "IS", b"1 ", syntax=IMPLICIT) + element(0x7FE00010, "OW", bytes(64), syntax=IMPLICIT), IMPLICIT),
    "big endian": (element(0x00200013, "IS", b"1 ", syntax=BIG) + element(0x7FE00010, "OW", bytes(64), syntax=BIG), BIG),
    "encapsulated": (NUMBER + FRAGMENTS, EXPLICIT),
    "an icon that is encapsulated": (ICON + FRAGMENTS, EXPLICIT),
    "an empty sequence": (sequence(b"") + PIXELS, EXPLICIT),
    "an empty item": (sequence(item(b"")) + PIXELS, EXPLICIT),
    "two items": (sequence(item(INNER) + item(INNER)) + PIXELS, EXPLICIT),
    "undefined in defined": (sequence(item(nested(1, undefined=True))) + PIXELS, EXPLICIT),
    "defined in undefined": (element(0x00400260, "SQ", item(nested(2), UNDEFINED) + ITEM_END, UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "unknown, and a sequence": (element(0x00411001, "UN", item(element(0x00080100, "SH", b"CODE", syntax=IMPLICIT)), UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "unknown, and known to be a sequence": (element(0x0040A730, "UN", item(element(0x00080100, "SH", b"CODE", syntax=IMPLICIT))), EXPLICIT),
    "as deep as may be": (nested(NESTING_DEPTH), EXPLICIT),
    "implicit, as deep as may be": (nested(NESTING_DEPTH, syntax=IMPLICIT), IMPLICIT),
    "private bytes": (element(0x00411010, "OB", b"\xfe\xff\x00\xe0" * 4), EXPLICIT),
    "private, and a sequence to some": (implicit(0x00891010, item(implicit(0x00080100, b"CODE"))) + implicit(0x00891011, b""), IMPLICIT),
    "private numbers": (implicit(0x00891010, b"\xfe\xff") + implicit(0x00891011, b"\xfe\xff\x01\xe0\0\0"), IMPLICIT),
    "pixels like a delimiter": (implicit(0x7FE00010, SEQUENCE_END), IMPLICIT),
    "padding": (PIXELS + element(0xFFFCFFFC, "OB", bytes(100)), EXPLICIT),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_passes_in_pieces_of_any_size(name: str, step: int | None) -> None:
    data, syntax = SOUND[name]
    walk(data, step, syntax)


BROKEN = {
    "another issuer behind the series": (element(0x00100021, "LO", b"EVIL") + PIXELS, EXPLICIT),
    "twice": (NUMBER + NUMBER, EXPLICIT),
    "the series again": (element(SERIES, "UI", b"1.2\0"), EXPLICIT),
    "out of order": (PIXELS + NUMBER, EXPLICIT),
    "cut in a head": (NUMBER + PIXELS[:6], EXPLICIT),
    "cut in a long head": (NUMBER + PIXELS[:10], EXPLICIT),
    "cut in a value": (NUMBER + PIXELS[:-1], EXPLICIT),
    "longer than it is": (element(0x7FE00010, "OW", bytes(10), 2**31), EXPLICIT),
    "odd": (element(0x00200013, "IS", b"1"), EXPLICIT),
    "odd sequence": (sequence(item(b"") + b"x"), EXPLICIT),
    "no such VR": (element(0x00200013, "ZZ", b"1 "), EXPLICIT),
    "undefined text": (element(0x00204000, "LT", b"x" * 8, 0xFFFF) + PIXELS, EXPLICIT),
    "undefined bytes elsewhere": (element(0x00411001, "OB", item(b""), UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "undefined unknown in big endian": (element(0x00411001, "UN", b"", UNDEFINED, BIG), BIG),
    "an element longer than its item": (sequence(item(element(0x00080100, "SH", b"CODE", 40), 12) + INNER * 4), EXPLICIT),
    "an item longer than its sequence": (element(0x00400260, "SQ", item(INNER, 400)) + PIXELS, EXPLICIT),
    "a sequence longer than its item": (sequence(item(element(0x0040A730, "SQ", b"", 400))) + PIXELS, EXPLICIT),
    "a head over the end of its item": (sequence(item(INNER[:4])) + PIXELS, EXPLICIT),
    "no delimiter of a sequence": (element(0x00400260, "SQ", item(INNER), UNDEFINED), EXPLICIT),
    "no delimiter of an item": (element(0x00400260, "SQ", item(INNER, UNDEFINED), UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "a delimiter over the end": (element(0x00400260, "SQ", item(b"", UNDEFINED)) + ITEM_END + PIXELS, EXPLICIT),
    "a delimiter of a defined sequence": (sequence(item(INNER) + SEQUENCE_END) + PIXELS, EXPLICIT),
    "a delimiter that has a length": (element(0x00400260, "SQ", item(INNER) + SEQUENCE_END[:4] + b"\2\0\0\0", UNDEFINED), EXPLICIT),
    "an item at the top": (item(b"") + PIXELS, EXPLICIT),
    "a delimiter at the top": (SEQUENCE_END + PIXELS, EXPLICIT),
    "an element among items": (sequence(INNER), EXPLICIT),
    "an element among fragments": (element(0x7FE00010, "OB", INNER, UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "a fragment of undefined length": (element(0x7FE00010, "OB", item(b"", UNDEFINED), UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "no end of fragments": (FRAGMENTS[:-8], EXPLICIT),
    "too deep": (nested(NESTING_DEPTH + 1), EXPLICIT),
    "too deep, undefined": (nested(NESTING_DEPTH + 1, undefined=True), EXPLICIT),
    "too deep, implicit": (nested(NESTING_DEPTH + 1, syntax=IMPLICIT), IMPLICIT),
    "too deep, private": (nested(NESTING_DEPTH + 1, 0x00891010, IMPLICIT), IMPLICIT),
    "too deep, private in unknown": (element(0x00411001, "UN", item(nested(NESTING_DEPTH, 0x00891010, IMPLICIT)), UNDEFINED) + SEQUENCE_END, EXPLICIT),
    "private, and ends before its length": (implicit(0x00891010, SEQUENCE_END + implicit(0x00100020, b"EVIL")), IMPLICIT),
    "private, and ends behind an item": (implicit(0x00891010, item(b"") + SEQUENCE_END + implicit(0x00100020, b"EVIL")), IMPLICIT),
    "private, and ends behind its length": (implicit(0x00891010, SEQUENCE_END[:4]) + implicit(0x00891012, b""), IMPLICIT),
    "a curve, and ends before its length": (implicit(0x50002600, SEQUENCE_END + implicit(0x00100020, b"EVIL")), IMPLICIT),
    "private in an item, and ends before its length": (implicit(0x0040A730, item(implicit(0x00891010, SEQUENCE_END))), IMPLICIT),
    "half a delimiter, and a group that is the rest": (implicit(0x00891010, b"\xfe\xff") + implicit(0xE0DD0010, b""), IMPLICIT),
    "too deep, unknown": (element(0x0040A730, "UN", item(nested(NESTING_DEPTH, syntax=IMPLICIT))), EXPLICIT),
}  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_hold_together_is_refused(name: str, step: int | None) -> None:
    data, syntax = BROKEN[name]
    with pytest.raises(Refusal) as caught:
        walk(data, step, syntax)
    assert caught.value.causes[0].reason.code == Code.STORE_UNREADABLE


def test_elements_are_counted_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass.codec.walker.STORE_ELEMENTS", 100)
    walk(sequence(item(b"") * 99))
    with pytest.raises(Refusal) as caught:
        walk(sequence(item(b"") * 100))
    assert caught.value.detail == "more than 100 elements"


def test_no_value_is_held() -> None:
    walker = Walker(explicit=True, order="<", before=SERIES)
    walker.feed(element(0x7FE00010, "OW", b"", 2**31 - 2))
    for _ in range(64):
        walker.feed(bytes(65_536))
        assert len(walker._held) < 12


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_mutated_data_set_is_taken_or_refused_alike_in_any_pieces(data: st.DataObject) -> None:
    raw = bytearray(sequence(item(INNER) + item(nested(3, undefined=True))) + ICON + NUMBER[:0] + FRAGMENTS)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    def attempt(step: int | None) -> str:
        try:
            walk(bytes(raw), step)
        except Refusal as refusal:
            return str(refusal.detail)
        return "sound"

    assert len({attempt(step) for step in (None, 1, data.draw(st.integers(2, 50)))}) == 1


def run(walker: Walker | DeflatedWalker, data: bytes) -> int:
    """Walk on through all of it and return how often others had their turn."""
    return sum(1 for _ in walker.steps(data))


def deflated(body: bytes) -> DeflatedWalker:
    walker = DeflatedWalker(Walker(explicit=True, order="<", before=SERIES), zlib.decompressobj(-zlib.MAX_WBITS))
    run(walker, deflate(body))
    return walker


@pytest.mark.parametrize("step", [1, 100, None])
@pytest.mark.parametrize("behind", [b"", b"\0", b"crc-size\0"])
def test_a_deflated_data_set_is_walked_too(step: int | None, behind: bytes) -> None:
    data = file(deflate(dataset() + NUMBER + element(0x7FE00010, "OW", bytes(300_000))), meta(DEFLATED)) + behind
    walk_file(data, step)


@pytest.mark.parametrize(
    ("body", "behind"),
    [
        (deflate(dataset() + PIXELS[:-2]), b""),
        (deflate(dataset() + PIXELS)[:-2], b""),
        (deflate(dataset() + PIXELS), b"ten bytes."),
    ],
    ids=["cut within", "cut", "bytes behind it"],
)
def test_a_deflated_data_set_that_is_not_whole_is_refused(body: bytes, behind: bytes) -> None:
    with pytest.raises(Refusal):
        walk_file(file(body, meta(DEFLATED)) + behind)


def test_a_bomb_is_not_inflated_to_its_end() -> None:
    with pytest.raises(Refusal) as caught:
        deflated(element(0x7FE00010, "OW", bytes(65 * 1024 * 1024)))
    assert "a deflated data set of more than" in caught.value.detail


def test_others_have_their_turn_in_what_is_slow_to_walk() -> None:
    heads = Walker(explicit=True, order="<", before=SERIES)
    assert run(heads, sequence(item(b"") * 20_000)) >= 8
    assert run(heads, PIXELS) == 0
    bomb = sequence(item(b"") * 100_000)
    packed = deflate(bomb)
    assert len(packed) < 4096
    assert (
        run(
            DeflatedWalker(Walker(explicit=True, order="<", before=SERIES), zlib.decompressobj(-zlib.MAX_WBITS)), packed
        )
        >= 40
    )
    reader = HeaderReader()
    assert reader.feed(file(deflate(dataset() + bomb), meta(DEFLATED))) is not None
    assert run(reader.rest(), b"") >= 40


def walk_file(data: bytes, step: int | None = None) -> None:
    """Walk a whole file as a store does."""
    reader, fed, header = HeaderReader(), 0, None
    while header is None and fed < len(data):
        piece = data[fed : fed + (step or len(data))]
        header = reader.feed(piece)
        fed += len(piece)
    if header is None:
        reader.finish()
    rest = reader.rest()
    run(rest, b"")
    while fed < len(data):
        piece = data[fed : fed + (step or len(data))]
        run(rest, piece)
        fed += len(piece)
    rest.finish()


def _files() -> Iterator[Path]:
    """Files that come with pydicom and have a header that a store takes."""
    for path in sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm")):
        reader = HeaderReader()
        try:
            if reader.feed(path.read_bytes()) is not None:
                yield path
        except Refusal:
            continue


def test_files_as_programs_write_them_pass() -> None:
    refused = {}
    files = list(_files())
    assert len(files) > 20
    for path in files:
        try:
            walk_file(path.read_bytes())
        except Refusal as refusal:
            refused[path.name] = refusal.detail
    assert refused == {"MR_truncated.dcm": "the file ends within an element"}
