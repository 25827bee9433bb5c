import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.policy.regovalue import Object, Set, parse, quote, show

VALUES = [
    (b"null", None),
    (b"true", True),
    (b"12", 12),
    (b"123456789123456789123", 123456789123456789123),
    (b".5", 0.5),
    (b"-1.5e3", -1500.0),
    (b'"a\\"b\\u0000"', 'a"b\0'),
    (b"[]", []),
    (b"[1, [2]]", [1, [2]]),
    (b"set()", Set(())),
    (b"{1, 2}", Set((1, 2))),
    (b"{}", Object(())),
    (b'{"a": {1}}', Object((("a", Set((1,))),))),
    (b"{1: null}", Object(((1, None),))),
    (b"{null}", Set((None,))),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=lambda value: repr(value)[:30])
def test_values_are_read(text: bytes, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text", [b"", b"1 2", b"[1", b"[1 2]", b"{1: 2, 3}", b"{,}", b"set(1)", b"nul", b'"open', b"[" * 200 + b"]" * 200]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
@settings(max_examples=100, deadline=None)
def test_json_without_objects_is_read_as_json(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_bytes_do_anything_but_parse_or_fail(text: bytes) -> None:
    try:
        parse(text)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a", '"a"'),
        ('"\\', '"\\"\\\\"'),
        ("\n\x01", '"\\n\\x01"'),
        ("é", '"é"'),
        ("\u2028", '"\\u2028"'),
        ("\U000e0001", '"\\U000e0001"'),
    ],
)
def test_text_is_quoted_as_go_quotes_it(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_values_are_shown_as_rego_shows_them() -> None:
    value = Object((("a", Set((1, 2))), ("b", [None, True, Set(())])))
    assert show(value) == '{"a": {1, 2}, "b": [null, true, set()]}'
