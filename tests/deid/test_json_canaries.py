"""Every row of Table E.1-1 filled with a canary, at every depth, under every legal set of options, in JSON and XML."""

import json
from functools import cache
from typing import Any

import pytest

from leadglass.deid.jsonset import deidentify_row
from leadglass.deid.options import Option
from leadglass.deid.xmlset import deidentify_xml, write
from support.canaries import fill, survivors
from support.optionsets import DEPTHS, LEGAL, OPTIONS, chosen, kept, more_than_said


@cache
def filled(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = fill(depth=depth).to_json_dict()
    return found


def left(depth: int, options: tuple[Option, ...]) -> list[str]:
    one = chosen(options)
    found = survivors(json.dumps(deidentify_row(filled(depth), one, marked=True)).encode(), kept=kept(one))
    return more_than_said(found, options)


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_basic_profile_leaves_no_canary(depth: int) -> None:
    assert survivors(json.dumps(filled(depth)).encode()) != []
    assert left(depth, ()) == []


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_leaves_more_than_it_says(depth: int, option: Option) -> None:
    assert left(depth, (option,)) == []


@pytest.mark.parametrize("part", range(8))
def test_no_set_of_options_leaves_more_than_it_says(part: int) -> None:
    for options in LEGAL[part::8]:
        assert left(1, options) == [], options


def test_a_canary_that_is_kept_is_seen() -> None:
    one = chosen((Option.RETAIN_INSTITUTION,))
    done = json.dumps(deidentify_row(filled(2), one)).encode()
    assert any("InstitutionName" in line for line in survivors(done))


@pytest.mark.parametrize("depth", [0, 5])
def test_xml_leaves_no_canary(depth: int) -> None:
    one = chosen(())
    assert survivors(deidentify_xml(write(filled(depth)), one), kept=kept(one)) == []
