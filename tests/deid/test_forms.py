import pytest

from leadglass.deid.element import Element
from leadglass.deid.forms import Form, values_of
from support.part10files import BIG, EXPLICIT, IMPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, element, item

FORMS = {
    EXPLICIT: Form(explicit=True, order="<"),
    IMPLICIT: Form(explicit=False, order="<"),
    BIG: Form(explicit=True, order=">"),
}


@pytest.mark.parametrize("syntax", FORMS)
@pytest.mark.parametrize(("vr", "value"), [("LO", b"ab"), ("UI", b"1.2\0"), ("OB", b"abcd"), ("UT", b""), ("SQ", b"")])
def test_elements_are_written_as_the_encoding_has_them(syntax: str, vr: str, value: bytes) -> None:
    assert FORMS[syntax].element(0x00080100, vr.encode(), value) == element(0x00080100, vr, value, syntax=syntax)


@pytest.mark.parametrize(
    ("vr", "values", "little", "big"),
    [
        (b"LO", ["a", "bc"], b"a\\bc", b"a\\bc"),
        (b"PN", ["abc"], b"abc ", b"abc "),
        (b"UI", ["1.2"], b"1.2\0", b"1.2\0"),
        (b"US", ["258", "1"], b"\2\1\1\0", b"\1\2\0\1"),
        (b"SL", ["-2"], b"\xfe\xff\xff\xff", b"\xff\xff\xff\xfe"),
        (b"FL", ["1"], b"\0\0\x80\x3f", b"\x3f\x80\0\0"),
        (b"OB", ["\0\0"], b"\0\0", b"\0\0"),
        (b"LO", None, b"", b""),
        (b"LO", [""], b"", b""),
        (b"US", ["many"], b"", b""),
        (b"US", ["70000"], b"", b""),
        (b"CS", ["Ö"], b"", b""),
        (b"LO", ["x" * 70_000], b"", b""),
    ],
)
def test_values_are_written_or_left_out(vr: bytes, values: list[str] | None, little: bytes, big: bytes) -> None:
    assert FORMS[EXPLICIT].written(0x00080100, vr, values, b"") == FORMS[EXPLICIT].element(0x00080100, vr, little)
    assert FORMS[BIG].written(0x00080100, vr, values, b"") == FORMS[BIG].element(0x00080100, vr, big)


@pytest.mark.parametrize(
    ("raw", "vr", "character_set", "values"),
    [
        (b"a \\b ", b"LO", b"", ["a", "b"]),
        (b"a\\b ", b"LT", b"", ["a\\b"]),
        (b"1.2\0", b"UI", b"", ["1.2"]),
        (b"", b"LO", b"", [""]),
        ("ä".encode(), b"LO", b"ISO_IR 192", ["ä"]),
        ("ä".encode(), b"CS", b"ISO_IR 192", None),
        ("ä".encode(), b"LO", b"", None),
        (b"\x1b$B", b"DA", b"ISO 2022 IR 87", None),
    ],
)
def test_values_are_read_or_are_none(raw: bytes, vr: bytes, character_set: bytes, values: list[str] | None) -> None:
    assert values_of(raw, vr, character_set) == values


def test_a_sequence_is_written_with_delimiters() -> None:
    added = Element(0x00400260, "SQ", items=((Element(0x00080100, "SH", ("abcd",)),), ()))
    items = item(element(0x00080100, "SH", b"abcd"), UNDEFINED) + ITEM_END + item(b"", UNDEFINED) + ITEM_END
    assert FORMS[EXPLICIT].added(added) == element(0x00400260, "SQ", items, UNDEFINED) + SEQUENCE_END
