"""Only JSON that every reader understands alike is read."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.strictjson import INTEGER_MAX, loads

REFUSED = {
    "twin members": b'{"a":1,"a":1}',
    "twin by escape": b'{"a":1,"\\u0061":1}',
    "twin below": b'[{"a":{"b":1,"b":2}}]',
    "NaN": b"NaN",
    "infinity": b"[-Infinity]",
    "overflow": b"1e999",
    "large integer": b"9007199254740993",
    "very large integer": b"1" * 5000,
    "lone surrogate": b'"\\ud800"',
    "lone surrogate in a name": b'{"\\udfff":1}',
    "not UTF-8": b'"\xff"',
    "UTF-16": '"a"'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf1",
    "two values": b"1 2",
    "trailing comma": b"[1,]",
    "single quotes": b"{'a':1}",
    "empty": b"",
    "too deep": b"[" * 40 + b"]" * 40,
    "far too deep": b"[" * 60_000,
    "control character": b'"\x01"',
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_ambiguity_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        loads(data)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_the_rest_comes_back(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value


def test_depth_is_counted_exactly() -> None:
    assert loads(b"[[1]]", depth=2) == [[1]]
    with pytest.raises(ValueError, match="deep"):
        loads(b"[[1]]", depth=1)
