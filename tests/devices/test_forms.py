"""Shapes of what agents send."""

import json
from typing import Any

import pytest

from leadglass.devices import forms

GOOD: dict[str, Any] = {
    "status alone": {"status": "unknown"},
    "value null": {"status": "pass", "value": None},
    "value number": {"status": "pass", "value": 2.5},
    "value list": {"status": "fail", "value": ["a", 1, True, None]},
    "value object": {"status": "fail", "value": {"a.b-c_D": "x"}},
    "reason empty": {"status": "pass", "reason": ""},
    "reason beyond ASCII": {"status": "fail", "reason": "Größe: 3 日"},
    "longest": {"status": "fail", "reason": "x" * 256, "value": ["x" * 256] * 64},
}
BAD: dict[str, Any] = {
    "no status": {"value": 1},
    "status upper case": {"status": "PASS"},
    "status no text": {"status": ["pass"]},
    "another member": {"status": "pass", "severity": 1},
    "no object": "pass",
    "reason no text": {"status": "fail", "reason": 1},
    "reason too long": {"status": "fail", "reason": "x" * 257},
    "reason with a line": {"status": "fail", "reason": "a\nb"},
    "reason with ANSI": {"status": "fail", "reason": "\x1b[31m"},
    "reason with NUL": {"status": "fail", "reason": "\0"},
    "reason with a line separator": {"status": "fail", "reason": "\u2028"},
    "value too deep": {"status": "fail", "value": [["a"]]},
    "member too deep": {"status": "fail", "value": {"a": [["a"]]}},
    "object in an object": {"status": "fail", "value": {"a": {"b": 1}}},
    "value object too deep": {"status": "fail", "value": {"a": {}}},
    "value list too long": {"status": "fail", "value": [1] * 65},
    "value object too large": {"status": "fail", "value": {f"a{n}": 1 for n in range(33)}},
    "value member name": {"status": "fail", "value": {"a b": 1}},
    "value text too long": {"status": "fail", "value": "x" * 257},
    "value with a control": {"status": "fail", "value": "a\x7f"},
    "value infinite": {"status": "fail", "value": float("inf")},
}


@pytest.mark.parametrize("check", GOOD.values(), ids=GOOD)
def test_checks_within_bounds_are_taken(check: Any) -> None:  # noqa: ANN401 - rows of any JSON type
    assert forms.checks({"checks": {"a": check}}, "checks") == {"a": check}


@pytest.mark.parametrize("check", BAD.values(), ids=BAD)
def test_checks_out_of_bounds_are_refused(check: Any) -> None:  # noqa: ANN401 - rows of any JSON type
    with pytest.raises(forms.Malformed, match="checks"):
        forms.checks({"checks": {"a": check}}, "checks")


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a.b", "a" * 65, "ä"])
def test_ids_of_checks_are_plain(name: str) -> None:
    with pytest.raises(forms.Malformed, match="an id"):
        forms.checks({"checks": {name: {"status": "pass"}}}, "checks")


@pytest.mark.parametrize("value", [None, [], "x", {f"c{n}": {"status": "pass"} for n in range(65)}], ids=range(4))
def test_checks_are_one_bounded_object(value: Any) -> None:  # noqa: ANN401 - rows of any JSON type
    with pytest.raises(forms.Malformed, match="checks"):
        forms.checks({"checks": value}, "checks")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'{"a":1}',
        b'{"a":1,"b":2,"c":3}',
        b'{"a":1,"a":1,"b":2}',
        b'{"a":1,"b":NaN}',
        b"\xff",
        b"[" * 9999,
    ],
    ids=range(9),
)
def test_an_object_has_exactly_its_members(data: bytes) -> None:
    with pytest.raises(forms.Malformed):
        forms.members(data, frozenset({"a", "b"}))
    assert forms.members(json.dumps({"a": 1, "b": []}).encode(), frozenset({"a", "b"})) == {"a": 1, "b": []}
