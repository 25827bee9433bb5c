import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.charset import decode, is_known, read_text, write_text


@pytest.mark.parametrize(
    ("value", "character_set", "text"),
    [
        (b"P1 ", b"", "P1"),
        (b"P1\0", b"ISO_IR 999", "P1"),
        (b"  ", b"", None),
        (b"P\xe9", b"ISO_IR 100 ", "Pé"),
        ("Pé".encode(), b"ISO_IR 192", "Pé"),
        (b"A\x1b$B;3\x1b(B", b"\\ISO 2022 IR 87", "A山"),
    ],
)
def test_bytes_are_text_in_their_character_set(value: bytes, character_set: bytes, text: str | None) -> None:
    assert decode(value, character_set) == text


@pytest.mark.parametrize(
    ("value", "character_set"),
    [
        (b"A\\B", b""),
        (b"P\xe9", b""),
        (b"P\xe9", b" \0"),
        (b"A\nB", b""),
        (b"A\x7fB", b""),
        (b"P\xe9", b"ISO_IR 999"),
        (b"P\xe9", b"ISO_IR 192"),
        (b"P\x9b", b"ISO_IR 100"),
        (b"A\x1b)ZB", b"ISO 2022 IR 6\\ISO 2022 IR 87"),
        (b"A\x1b", b"ISO_IR 192"),
    ],
)
def test_anything_else_is_an_error(value: bytes, character_set: bytes) -> None:
    with pytest.raises(ValueError, match="character"):
        decode(value, character_set)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=20),
    st.sampled_from([b"", b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 149", b"ISO 2022 IR 6\\ISO 2022 IR 87", b"x"]),
)
def test_the_answer_is_plain_text_or_an_error(value: bytes, character_set: bytes) -> None:
    try:
        text = decode(value, character_set)
    except ValueError:
        return
    assert text is None or (text.isprintable() or not any(ord(c) < 0x20 for c in text))


@pytest.mark.parametrize(
    ("text", "character_set"),
    [
        ("a\\b \r\n", b""),
        ("Größe\\b", b"ISO_IR 100"),
        ("头部", b"GB18030"),
        ("頭部", b"\\ISO 2022 IR 87"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", b"\\ISO 2022 IR 87"),
    ],
)
def test_what_is_written_is_read_again(text: str, character_set: bytes) -> None:
    assert read_text(write_text(text, character_set), character_set) == text


@pytest.mark.parametrize(
    ("text", "character_set"), [("頭部", b"ISO_IR 100"), ("Größe", b"MADE UP"), ("頭部", b"\\ISO 2022 IR 100")]
)
def test_what_a_character_set_does_not_have_is_an_error(text: str, character_set: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        write_text(text, character_set)


def test_character_sets_are_known_by_all_of_their_terms() -> None:
    assert all(map(is_known, (b"", b"ISO_IR 192", b"\\ISO 2022 IR 87 ", b"ISO 2022 IR 6\\ISO 2022 IR 87")))
    assert not any(map(is_known, (b"MADE UP ", b"ISO_IR 192\\MADE UP", b"\xff")))
