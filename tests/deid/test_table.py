import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import DicomDictionary

from leadglass.deid.options import Option, contradict
from leadglass.deid.table import KINDS, MORE, PATTERNS, ROWS, Row

REFERENCE = Path(__file__).parents[3] / "shared/data/ps3.15-table-e1-1.json"
COLUMNS = {
    "rtnUIDsOpt": Option.RETAIN_UIDS,
    "rtnDevIdOpt": Option.RETAIN_DEVICE,
    "rtnInstIdOpt": Option.RETAIN_INSTITUTION,
    "rtnPatCharsOpt": Option.RETAIN_PATIENT,
    "rtnLongFullDatesOpt": Option.RETAIN_FULL_DATES,
    "rtnLongModifDatesOpt": Option.RETAIN_MODIFIED_DATES,
    "cleanDescOpt": Option.CLEAN_DESCRIPTORS,
    "cleanStructContOpt": Option.CLEAN_STRUCTURED,
    "cleanGraphOpt": Option.CLEAN_GRAPHICS,
    "rtnSafePrivOpt": Option.RETAIN_SAFE_PRIVATE,
}


def test_the_table_is_whole() -> None:
    assert (len(ROWS), len(PATTERNS)) == (617, 4)
    assert set(PATTERNS) == {"50XXXXXX", "60XX3000", "60XX4000", "PRIVATE"}
    assert not set(ROWS) & set(MORE)


def reference() -> list[dict[str, Any]]:
    if not REFERENCE.exists():
        pytest.skip("the reference table is not there")
    rows: list[dict[str, Any]] = json.loads(REFERENCE.read_bytes())
    return rows


def test_the_table_is_that_of_the_standard() -> None:
    rows = reference()
    assert len(rows) == 621
    for said in rows:
        name = said["id"].upper()
        ours = PATTERNS["PRIVATE"] if len(name) > 8 else PATTERNS.get(name) or ROWS[int(name, 16)]
        assert ours.basic == said["basicProfile"], name
        assert ours.options == {option: said[column] for column, option in COLUMNS.items() if column in said}, name


@pytest.mark.parametrize(
    ("basic", "strongest"),
    [("X", "X"), ("X/Z", "Z"), ("X/D", "D"), ("Z/D", "D"), ("X/Z/D", "D"), ("X/Z/U*", "U"), ("U", "U")],
)
def test_a_compound_action_is_the_strongest_that_stays_valid(basic: str, strongest: str) -> None:
    assert Row(basic).strongest == strongest


def test_what_is_kept_by_one_option_and_cleaned_by_another_is_cleaned() -> None:
    row = ROWS[0x00181203]  # Calibration DateTime
    assert row.action({Option.RETAIN_DEVICE}) == "K"
    assert row.action({Option.RETAIN_DEVICE, Option.RETAIN_MODIFIED_DATES}) == "C"
    assert row.action(()) == "Z"


def legal() -> list[frozenset[Option]]:
    """All sets of options that the table knows and that do not contradict each other."""
    named = sorted(COLUMNS.values())
    sets = [frozenset(some) for size in range(len(named) + 1) for some in combinations(named, size)]
    return [one for one in sets if not contradict(one)]


def test_there_are_768_legal_sets_of_options() -> None:
    assert len(legal()) == 768


def test_no_date_uid_name_or_long_text_of_the_dictionary_is_left_unjudged() -> None:
    judged = {"UI", "DA", "DT", "TM", "PN", "AE", "LT", "ST", "UC", "UT", "AS"}
    words_of_codes = {0x00080108, 0x00080114, 0x00080115, 0x00080116, 0x00080119}
    left = {tag for tag, entry in DicomDictionary.items() if entry[0] in judged and tag not in ROWS and tag not in MORE}
    assert left - KINDS - words_of_codes == set()
