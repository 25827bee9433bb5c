"""Every row of Table E.1-1 filled with a canary, at every depth, under every legal set of options, in JSON and XML."""

import json
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from pydicom.datadict import DicomDictionary

from leadglass.deid.acts import Act
from leadglass.deid.jsonset import deidentify_row
from leadglass.deid.known import Known
from leadglass.deid.options import Option, contradict
from leadglass.deid.profile import Profile, standard
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from leadglass.deid.xmlset import deidentify_xml, write
from support.canaries import WORDS, fill, rows, survivors

OPTIONS = [option for option in Option if option is not Option.CLEAN_PIXELS]
LEGAL = [some for size in range(len(OPTIONS) + 1) for some in combinations(OPTIONS, size) if not contradict(some)]
# Every canary is a word that is known, so that cleaned text has to lose it.
KNOWN = Known.of({0x00100010: [f"CNRY^{word}" for word in WORDS.values()], 0x00100020: ["P-77"]})
WORD = 0  # what `survivors` calls a word that stands for no attribute


@cache
def filled(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = fill(depth=depth).to_json_dict()
    return found


def values(options: tuple[Option, ...]) -> Values:
    profile = Profile.model_validate({"title": "T", "options": options})
    return Values(Rules(profile), Pseudonyms(b"k" * 32, Patient.of(None, "P-77"), 365), KNOWN)


def kept(one: Values) -> set[int]:
    """What the options keep as it is, by the standard."""
    options = one.rules.profile.options
    stays = {tag for tag in rows() if standard(tag, DicomDictionary[tag][0], options) is Act.KEEP}
    return stays | ({WORD} if options else set())


def left(depth: int, options: tuple[Option, ...]) -> list[str]:
    one = values(options)
    found = survivors(json.dumps(deidentify_row(filled(depth), one, marked=True)).encode(), kept=kept(one))
    moved = Option.RETAIN_MODIFIED_DATES in options  # then times of day stay
    return [line for line in found if not (moved and line.endswith(": time"))]


@pytest.mark.parametrize("depth", [0, 1, 2, 5, 20])
def test_the_basic_profile_leaves_no_canary(depth: int) -> None:
    assert survivors(json.dumps(filled(depth)).encode()) != []
    assert left(depth, ()) == []


@pytest.mark.parametrize("depth", [0, 1, 2, 5, 20])
@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_leaves_more_than_it_says(depth: int, option: Option) -> None:
    assert left(depth, (option,)) == []


@pytest.mark.parametrize("part", range(8))
def test_no_set_of_options_leaves_more_than_it_says(part: int) -> None:
    for options in LEGAL[part::8]:
        assert left(1, options) == [], options


def test_a_canary_that_is_kept_is_seen() -> None:
    one = values((Option.RETAIN_INSTITUTION,))
    done = json.dumps(deidentify_row(filled(2), one)).encode()
    assert any("InstitutionName" in line for line in survivors(done))


@pytest.mark.parametrize("depth", [0, 5])
def test_xml_leaves_no_canary(depth: int) -> None:
    one = values(())
    assert survivors(deidentify_xml(write(filled(depth)), one), kept=kept(one)) == []
