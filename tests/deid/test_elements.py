"""What becomes of single elements, at the top and in items, in every encoding."""

import struct

import pytest

from leadglass.deid.handling import Replacer
from leadglass.deid.profile import parse
from leadglass.deid.values import Values
from leadglass.limits import DEID_SEQUENCES, NESTING_DEPTH
from support.deid import read, refused, rewritten, values
from support.part10files import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    ITEM_END,
    SEQUENCE_END,
    UNDEFINED,
    dataset,
    element,
    file,
    item,
    meta,
    uid,
)  # fmt: skip

SYNTAXES = [EXPLICIT, IMPLICIT]
HEIGHT = 0x00101020  # kept by the profile `research`


def even(value: bytes) -> bytes:
    return value + b" " * (len(value) % 2)


def made(more: bytes, by: Values | None = None, syntax: str = EXPLICIT, charset: bytes | None = None) -> bytes:
    changes = {0x00080005: None if charset is None else ("CS", even(charset))}
    return rewritten(file(dataset(changes, syntax) + more, meta(syntax)), by)


def profile(text: str) -> Values:
    return values(parse("ours", text.encode()))


def test_what_stays_stays_to_the_byte() -> None:
    more = (
        element(0x00280010, "US", b"\4\0")
        + element(0x00281050, "DS", b"40\\50 ")
        + element(0x00283006, "OW", bytes(range(20)))
    )
    assert made(more).endswith(
        more.replace(
            element(0x00281050, "DS", b"40\\50 "),
            element(0x00280303, "CS", b"REMOVED ") + element(0x00281050, "DS", b"40\\50 "),
        )
    )


def test_sequences_lose_their_lengths() -> None:
    more = element(0x00400260, "SQ", item(element(0x00080100, "SH", b"1234")) + item(b""))
    opened = (
        element(
            0x00400260,
            "SQ",
            item(element(0x00080100, "SH", b"1234") + ITEM_END, UNDEFINED) + item(ITEM_END, UNDEFINED),
            UNDEFINED,
        )
        + SEQUENCE_END
    )
    assert made(more).endswith(opened)
    assert made(element(0x00400260, "SQ", b"")).endswith(element(0x00400260, "SQ", b""))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_items_are_gone_into_at_every_depth(syntax: str) -> None:
    by = values()
    inner = element(0x00081155, "UI", uid("1.77"), syntax=syntax) + element(0x00100010, "PN", b"SECRET", syntax=syntax)
    order = ">" if syntax == BIG else "<"
    for _ in range(20):
        inner = element(0x00081140, "SQ", struct.pack(order + "HHI", 0xFFFE, 0xE000, len(inner)) + inner, syntax=syntax)
    changes = {0x0020000D: None, 0x0020000E: None, 0x00100010: None, 0x00100020: None, 0x00100021: None}
    found = read(rewritten(file(dataset(changes, syntax) + inner, meta(syntax)), by))
    for _ in range(20):
        (found,) = found[0x00081140].value
    assert found.ReferencedSOPInstanceUID == by.pseudonyms.uid("1.77")
    assert str(found.PatientName) in {"", by.pseudonyms.patient_id}


def test_what_is_wrapped_in_un_is_gone_into() -> None:
    by = values()
    inner = element(0x00081155, "UI", uid("1.77"), syntax=IMPLICIT) + element(
        0x0020000D, "UI", uid("1.1"), syntax=IMPLICIT
    )
    for wrapped in (
        element(0x00400260, "UN", item(inner)),
        element(0x00400260, "UN", item(inner), UNDEFINED) + SEQUENCE_END,
    ):
        (one,) = read(made(wrapped, by))[0x00400260].value
        assert (one[0x00081155].value, one[0x0020000D].value) == (by.pseudonyms.uid("1.77"), by.pseudonyms.uid("1.1"))
    assert "Big Endian" in refused(
        file(dataset(syntax=BIG) + element(0x00400260, "UN", b"", UNDEFINED, BIG), meta(BIG))
    )


def test_a_known_attribute_in_un_is_what_the_dictionary_says() -> None:
    by = values()
    out = made(
        element(0x00200052, "UN", uid("1.77"))
        + element(0x00204000, "UN", b"SECRET")
        + element(0x00280010, "UN", b"\4\0"),
        by,
    )
    found = read(out)
    assert found.FrameOfReferenceUID == by.pseudonyms.uid("1.77")
    assert b"SECRET" not in out


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_removed_is_stepped_over_however_it_is_written(syntax: str) -> None:
    inner = element(0x00100010, "PN", b"SECRET", syntax=syntax)
    icon = (
        element(0x7FE00010, "OB", item(b"") + item(b"SECRET"), UNDEFINED, syntax) + SEQUENCE_END
        if syntax == EXPLICIT
        else b""
    )
    deep = (
        element(0x00400275, "SQ", item(inner + icon, UNDEFINED) + ITEM_END + item(inner), UNDEFINED, syntax)
        + SEQUENCE_END
    )
    for hidden in (element(0x00400275, "SQ", item(inner), syntax=syntax), deep):
        out = made(hidden + element(0x00540081, "US", b"\7\0", syntax=syntax), syntax=syntax)
        assert b"SECRET" not in out
        assert read(out).NumberOfSlices == 7


def test_pixels_within_items_do_not_leave() -> None:
    by = profile("title: Ours\nconformant: false\nattributes:\n  IconImageSequence: keep\n")
    out = made(
        element(0x00880200, "SQ", item(element(0x00280010, "US", b"\1\0") + element(0x7FE00010, "OW", b"SECRET"))), by
    )
    assert b"SECRET" not in out
    assert read(out).IconImageSequence[0].Rows == 1


def test_private_attributes_go() -> None:
    private = (
        element(0x00290010, "LO", b"SECRET")
        + element(0x00291001, "UN", b"SECRET")
        + element(0x00291002, "OB", b"SECRET" * 99)
    )
    out = made(private + element(0x00540081, "US", b"\7\0"))
    assert b"SECRET" not in out
    assert read(out).NumberOfSlices == 7


SAFE = "title: Ours\noptions: [retain-safe-private]\nprivate:\n  - {creator: SAFE, group: '0029', elements: ['01', '03']}\n"


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_safe_private_block_stays(syntax: str) -> None:
    by = profile(SAFE)
    inner = element(0x00100010, "PN", b"SECRET", syntax=syntax) + element(0x00280010, "US", b"\4\0", syntax=syntax)
    private = element(0x00290010, "LO", b"SAFE", syntax=syntax) + element(
        0x00290011, "LO", b"SECRET OTHER", syntax=syntax
    )
    private += element(0x00291001, "SH", b"value!", syntax=syntax) + element(0x00291002, "SH", b"SECRET", syntax=syntax)
    private += element(0x00291003, "SQ", item(inner), syntax=syntax) + element(
        0x00291101, "SH", b"SECRET", syntax=syntax
    )
    out = made(private, by, syntax)
    assert b"SECRET" not in out
    found = read(out)
    block = found.private_block(0x0029, "SAFE")
    assert block[1].value in {"value!", b"value!"}
    assert b"\4\0" in out.partition(b"value!")[2]
    assert 0x00290011 not in found


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_creator_of_two_names_is_none(syntax: str) -> None:
    more = element(0x00290010, "LO", b"SAFE\\SECRET ", syntax=syntax) + element(
        0x00291001, "LO", b"told", syntax=syntax
    )
    assert b"SECRET" not in (out := made(more, profile(SAFE), syntax))
    assert b"told" not in out


def test_a_creator_reserves_in_its_own_item_alone() -> None:
    by = profile(SAFE)
    inner = element(0x00291001, "SH", b"SECRET")
    out = made(element(0x00290010, "LO", b"SAFE") + element(0x00400260, "SQ", item(inner)), by)
    assert b"SECRET" not in out


# --- Text ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "value", "stays"),
    [
        (b"ISO_IR 192", even("Größe".encode()), True),
        (b"ISO_IR 100", "Größe".encode("latin-1") + b" ", True),
        (b"\\ISO 2022 IR 87", even("頭部".encode("iso2022_jp")), True),
        (b"GB18030 ", "头部".encode("gb18030"), True),
        (b"ISO_IR 192", b"\xff\xfeSECRET", False),
        (None, "Größe".encode("latin-1") + b" ", False),
        (b"MADE UP ", "Größe".encode("latin-1") + b" ", False),
        (b"ISO_IR 100", even(b"\x1b$BSECRET"), False),
    ],
)
def test_text_stays_when_it_is_text(charset: bytes | None, value: bytes, *, stays: bool) -> None:
    out = made(element(0x00400260, "SQ", item(element(0x00080104, "LO", value))), charset=charset)
    assert (value in out) is stays


def test_a_character_set_is_that_of_its_item() -> None:
    word = even("頭部".encode("iso2022_jp"))
    inner = item(element(0x00080005, "CS", even(b"\\ISO 2022 IR 87")) + element(0x00080104, "LO", word)) + item(
        element(0x00080104, "LO", word)
    )
    assert made(element(0x00400260, "SQ", inner), charset=b"ISO_IR 100").count(word) == 1


def test_a_character_set_that_is_none_does_not_leave() -> None:
    assert b"SECRET" not in made(b"", charset=b"SECRET^NAME ")


def test_text_is_cleaned_in_its_character_set() -> None:
    by = values("research", {0x00100010: ["Müller^Jörg"], 0x00100020: ["P1"]})
    data = dataset({0x00080005: ("CS", b"ISO_IR 100"), 0x00081030: ("LO", "Größe von Müller".encode("latin-1"))})
    out = rewritten(file(data), by)
    assert "Größe von" in read(out).StudyDescription
    assert "Müller" not in read(out).StudyDescription


def test_numbers_that_are_called_text_do_not_leave() -> None:
    for written in (
        element(0x00280010, "UT", b"SECRET"),
        element(0x00280010, "OB", b"SECRET"),
        element(0x00280010, "SQ", item(b"")),
    ):
        assert b"SECRET" not in made(written + element(0x00540081, "US", b"\7\0"))


def test_the_reserved_bytes_of_a_head_do_not_leave() -> None:
    hidden = element(0x00283006, "OW", b"\1\0").replace(b"OW\0\0", b"OWHI")
    assert b"HI" not in made(hidden)


def test_group_lengths_go() -> None:
    assert (
        b"UL"
        not in made(element(0x00280000, "UL", b"\4\0\0\0") + element(0x00280010, "US", b"\4\0")).partition(b"CS")[2]
    )


BROKEN = {
    "odd": element(0x00204000, "LT", b"abc"),
    "odd, though it is removed": element(0x00291001, "UN", b"abc"),
    "longer than its item": element(0x00400260, "SQ", item(element(0x00080100, "SH", b"1234", 40), 12)),
    "no end of a sequence": element(0x00400260, "SQ", item(b""), UNDEFINED),
    "no end of an item in a sequence that ends": element(
        0x00400260, "SQ", item(element(0x00080100, "SH", b"1234"), UNDEFINED)
    ),
    "no end of an empty item in a sequence that ends": element(0x00400260, "SQ", item(b"", UNDEFINED))
    + element(0x00540081, "US", b"\7\0"),
    "no end of what is removed": element(0x00400275, "SQ", item(b""), UNDEFINED),
    "text of undefined length": element(0x00204000, "UT", b"", UNDEFINED),
    "bytes of undefined length that are removed": element(0x00400275, "UT", b"", UNDEFINED),
    "a delimiter at the top": ITEM_END,
    "a delimiter with a length": element(0x00400260, "SQ", item(b"") + SEQUENCE_END[:4] + b"\2\0\0\0", UNDEFINED),
    "an element among items": element(0x00400260, "SQ", element(0x00080100, "SH", b"1234")),
    "no such VR": element(0x00204000, "ZZ", b"abcd"),
    "out of order in an item": element(
        0x00400260, "SQ", item(element(0x00080104, "LO", b"ab") + element(0x00080100, "SH", b"ab"))
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_hold_together_is_refused(name: str) -> None:
    assert refused(file(dataset() + BROKEN[name] + element(0x60010010, "US", b"\0\0")))


@pytest.mark.parametrize("tag", [0x0040A730, 0x00400275])
def test_nesting_has_an_end(tag: int) -> None:
    content = b""
    for _ in range(NESTING_DEPTH):
        content = element(tag, "SQ", item(content, UNDEFINED) + ITEM_END, UNDEFINED) + SEQUENCE_END
    by = profile("title: Ours\noptions: [clean-structured-content]\n")
    assert made(content, by)
    deeper = element(tag, "SQ", item(content, UNDEFINED) + ITEM_END, UNDEFINED) + SEQUENCE_END
    assert "nested deeper" in refused(file(dataset() + deeper), by)


def test_a_profile_may_take_the_pixels_out() -> None:
    by = profile("title: Ours\nattributes:\n  PixelData: remove\n")
    assert b"SECRET" not in made(element(0x7FE00010, "OW", b"SECRET"), by)


def test_a_uid_in_un_that_stays_is_that_of_the_file_meta() -> None:
    by = profile("title: Ours\noptions: [retain-uids]\n")
    found = read(rewritten(file(dataset({0x00080018: ("UN", uid("1.3"))})), by))
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID == "1.3"


@pytest.mark.parametrize("shift", [b"\x0e", b"\x0f"])
def test_text_that_shifts_to_another_set_does_not_leave(shift: bytes) -> None:
    data = dataset({0x00081030: ("LO", shift + b"ECRET")})
    assert b"ECRET" not in rewritten(file(data), values("research"))


def test_the_name_of_a_creator_has_an_end() -> None:
    by = profile(SAFE)
    assert b"SAFE" not in made(element(0x00290010, "UT", b"SAFE".ljust(300)), by)


def test_a_small_sequence_is_remembered_with_the_character_set_around_it() -> None:
    by, word = values(), "Größe".encode("latin-1") + b" "
    more = element(0x00400260, "SQ", item(element(0x00080104, "LO", word) + element(0x00081155, "UI", uid("1.77"))))
    latin = made(more, by, charset=b"ISO_IR 100")
    assert word in latin
    assert made(more, by, charset=b"ISO_IR 100") == latin == made(more, charset=b"ISO_IR 100")
    for charset in (None, b"ISO_IR 192"):
        assert word not in made(more, by, charset=charset)
    assert b"1.77" not in latin


def test_sequences_remembered_have_a_bound() -> None:
    by = values()
    for number in range(DEID_SEQUENCES + 3):
        made(element(0x00400260, "SQ", item(element(0x00081155, "UI", uid(f"1.{number + 1000}")))), by)
    assert 0 < len(Replacer(by, "<", cleaned=False).sequences) <= DEID_SEQUENCES
