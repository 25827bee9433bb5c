import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.codec.traceparent import traceparent
from leadglass.telemetry.traces import Parent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("field", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-fe", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"01-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what.comes-later", True),
    ],
)
def test_a_well_formed_field_is_read(field: str, sampled: bool) -> None:  # noqa: FBT001 - a column of the table
    assert traceparent([field.encode()]) == Parent(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        [f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-01-more"],
        [f"00-{TRACE}-{SPAN}-01-"],
        [f"ff-{TRACE}-{SPAN}-01"],
        [f"00-{TRACE.upper()}-{SPAN}-01"],
        [f"00-{'0' * 32}-{SPAN}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"00-{TRACE[1:]}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-1"],
        [f"00-{TRACE}-{SPAN}"],
        [f" 00-{TRACE}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}-01\n"],
        [f"00_{TRACE}_{SPAN}_01"],
        [f"cc-{TRACE}-{SPAN}-01.more"],
        [f"cc-{TRACE}-{SPAN}-01-{'x' * 201}"],
        [f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"],
    ],
)
def test_anything_else_counts_as_none(lines: list[str]) -> None:
    assert traceparent([line.encode() for line in lines]) is None


@given(st.lists(st.binary(max_size=300), max_size=2))
def test_nothing_breaks_it(lines: list[bytes]) -> None:
    assert traceparent(lines) is None or lines[0][3:35].isalnum()
