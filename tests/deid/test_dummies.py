import warnings
from collections.abc import Iterator

import pytest
from pydicom import config
from pydicom.datadict import DicomDictionary
from pydicom.valuerep import validate_value

from leadglass.deid.acts import BINARY
from leadglass.deid.dummies import dummy, dummy_item
from leadglass.deid.element import Item
from leadglass.deid.table import ROWS

NUMBERS = {"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"}
NEED = sorted(tag for tag, row in ROWS.items() if row.strongest == "D")


def valid(vr: str, value: str) -> bool:
    if vr in NUMBERS:
        return value.isdecimal()
    if vr in BINARY:
        return len(value.encode("latin-1")) % 2 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validate_value(vr, value, config.RAISE)
    return True


@pytest.mark.parametrize("tag", NEED, ids=lambda tag: f"{tag:08X}")
def test_every_attribute_that_needs_a_dummy_has_a_valid_one(tag: int) -> None:
    vr = DicomDictionary[tag][0]
    if vr == "SQ":
        assert dummy_item(tag)
    else:
        (value,) = dummy(tag, vr)
        assert value
        assert valid(vr, value)


def inside(item: Item) -> Iterator[tuple[int, str, str]]:
    for element in item:
        yield from ((element.tag, element.vr, value) for value in element.values)
        for nested in element.items:
            yield from inside(nested)


@pytest.mark.parametrize("tag", [tag for tag in NEED if DicomDictionary[tag][0] == "SQ"], ids=lambda tag: f"{tag:08X}")
def test_dummy_items_hold_valid_values_in_the_order_of_tags(tag: int) -> None:
    item = dummy_item(tag)
    assert [one.tag for one in item] == sorted(one.tag for one in item)
    for known, vr, value in inside(item):
        assert DicomDictionary[known][0] == vr
        assert valid(vr, value)
