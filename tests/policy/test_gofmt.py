"""Expected strings are what Go 1.26's fmt prints."""

import pytest

from leadglass.policy.gofmt import sprintf
from leadglass.policy.regovalue import Set, Value

ROWS: list[tuple[str, list[Value], str]] = [
    ("", [], ""),
    ("plain", [], "plain"),
    ("%v %v", [1.5, 1e21], "1.5 1e+21"),
    ("%v %v %v", [1e20, 0.0001, 0.00001], "1e+20 0.0001 1e-05"),
    ("%g %v %v", [100000.0, 1234567.0, 123456789.5], "100000 1.234567e+06 1.234567895e+08"),
    ("%08s|%-08d|% d", ["ab", 5, 7], "000000ab|5       | 7"),
    ("%f %.2f %e", [1.5, 2.345, 12345.678], "1.500000 2.35 1.234568e+04"),
    ("%6.2f|%-8s|%8s|%08d|%+d", [3.14159, "ab", "cd", -42, 5], "  3.14|ab      |      cd|-0000042|+5"),
    ("%.3s", ["abcdef"], "abc"),
    ("%x %X", ["hi", 255], "6869 FF"),
    ("%d", [1.5], "%!d(float64=1.5)"),
    ("%s", [1], "%!s(int64=1)"),
    ("%f", [1], "%!f(int64=1)"),
    ("%t", [True], "%!t(string=true)"),
    ("%v", [Set((1, "a"))], '{1, "a"}'),
    ("%", [], "%!(NOVERB)"),
]


@pytest.mark.parametrize(("layout", "values", "text"), ROWS, ids=[row[0] or "empty" for row in ROWS])
def test_it_formats_as_go_does(layout: str, values: list[Value], text: str) -> None:
    assert sprintf(layout, values) == text


@pytest.mark.parametrize("layout", ["%U", "%p", "%[1]d", "%*d", "%c", "%T"])
def test_what_is_not_listed_is_refused(layout: str) -> None:
    with pytest.raises(ValueError, match="not offered"):
        sprintf(layout, [1])
