"""JSON with comments: what Orthanc reads is read, and what two readers take differently is refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.codec import jsonc
from leadglass.limits import NESTING_DEPTH

READ = {
    "line comments": (b'{"a": 1} // "b": 2', {"a": 1}),
    "block comments": (b'/* { */ {"a": /* 5, */ 1\n/** x **/}', {"a": 1}),
    "slashes in strings": (b'{"a": "http://x/*y*/ // z"}', {"a": "http://x/*y*/ // z"}),
    "quotes in strings": (rb'{"a": "\" // \\"}', {"a": '" // \\'}),
    "a quote in a comment": (b'{"a": 1 // "\n}', {"a": 1}),
    "a comma too many": (b'{"a": [1, 2, ], "b": {"c": 1, // last\n },}', {"a": [1, 2], "b": {"c": 1}}),
    "commas in strings": (b'{"a": ",]"}', {"a": ",]"}),
    "byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "a default": (b'{"a": ${P:-8042}, "b": "${H:-x}y", "c": "${E:-}"}', {"a": 8042, "b": "xy", "c": ""}),
    "an unknown": (b'{"a": ${P}, "b": "u:${Q}"}', {"a": "${P}", "b": "u:${Q}"}),
    "a variable in a comment": (b"{} // ${P}", {}),
}


@pytest.mark.parametrize(("text", "value"), READ.values(), ids=READ.keys())
def test_what_orthanc_reads_is_read(text: bytes, value: object) -> None:
    assert jsonc.loads(text) == value


REFUSED = {
    "twins": (b'{\n"Name": 1, "Name": 2}', '"Name" stands twice'),
    "twins within": (b'{"a": [{"b": 1, "b": 1}]}', '"b" stands twice'),
    "an open comment": (b'{"a": 1} /* x', "a comment is never closed"),
    "an open string": (b'{"a": "x\n}', "a string is never closed"),
    "no JSON": (b"HttpPort: 8042", "is not JSON"),
    "the line of a fault": (b'{\n// x\n/* y\n */ "a" 1}', r"line 4"),
    "nothing": (b"", "is not JSON"),
    "two values": (b"{} {}", "Extra data"),
    "latin-1": '{\n"a": "\xe4"}'.encode("latin-1"),
    "too deep": (b"[" * (NESTING_DEPTH + 2) + b"]" * (NESTING_DEPTH + 2), "nested too deep"),
    "much too deep": (b"[" * 100_000, "nested too deep|is not JSON"),
    "infinity": (b'{"a": Infinity}', "Infinity"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_two_readers_take_differently_is_refused(case: bytes | tuple[bytes, str]) -> None:
    text, words = case if isinstance(case, tuple) else (case, r"is not UTF-8 \(line 2\)")
    with pytest.raises(ValueError, match=words):
        jsonc.loads(text)


def test_names_that_are_needed_are_told() -> None:
    assert jsonc.variables("${A}:${B:-x}${_C1}") == ("A", "_C1")
    assert jsonc.variables("$A {B}") == ()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_plain_json_stays_what_it_is(value: object) -> None:
    text = json.dumps(value)
    if "${" not in text:
        assert jsonc.loads(text.encode()) == value


@given(st.binary())
def test_whatever_comes_is_a_value_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        jsonc.loads(data)


@pytest.mark.parametrize(
    "text",
    [", /**/" * 100_000 + "x", '"' + "\\" * 300_000, "${" * 300_000, "/*" * 300_000, "," * 500_000, ",  " * 300_000],
)
def test_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsonc.loads(text.encode())
