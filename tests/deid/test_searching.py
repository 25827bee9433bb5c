import datetime as dt

import pytest

from leadglass.codec.dictionary import KEYWORDS
from leadglass.codec.query import STUDY_UID, Search, parse_search
from leadglass.deid.options import Option
from leadglass.deid.profile import Profile
from leadglass.deid.rules import Rules
from leadglass.deid.searching import Dates, Matching
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code

MOVED = Rules(
    Profile.model_validate(
        {
            "title": "T",
            "options": (Option.RETAIN_MODIFIED_DATES, Option.CLEAN_DESCRIPTORS, Option.RETAIN_PATIENT),
            "shift_days": 365,
            "ages_over_89": True,
        }
    )
)
BASIC = Rules(Profile.model_validate({"title": "T"}))
REAL = {"ABCD": "P*1"}


async def original(tag: int, pseudonym: str) -> str | None:
    assert tag in {0x00100020, 0x00100010, 0x00080050}
    return REAL.get(pseudonym)


def search(*pairs: tuple[str, str]) -> Search:
    return parse_search(pairs, path={}, returned=frozenset({STUDY_UID}), needed=(STUDY_UID,))


async def asked(*pairs: tuple[str, str], rules: Rules = MOVED, days: int = 365) -> str:
    came = search(*pairs)
    return (await Matching.of(came, rules).asked(came, rules, days, original)).text.removesuffix("&limit=200")


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        (("ModalitiesInStudy", "CT"), "00080061=CT"),
        (("BodyPartExamined", "H*"), "00180015=H*"),
        (("StudyInstanceUID", "1.2,1.3"), "0020000D=1.2,1.3"),
        (("StudyTime", "0800-0900"), "00080030=0800-0900"),
        (("StudyDate", "20260101"), "00080020=20250101-20270101&includefield=00080020"),
        (("StudyDate", "20260101-"), "00080020=20250101-&includefield=00080020"),
        (("StudyDate", "-20260101"), "00080020=-20270101&includefield=00080020"),
        (("StudyDate", "20260101-20261231"), "00080020=20250101-20271231&includefield=00080020"),
        (("StudyDate", "00010101-"), "includefield=00080020"),  # every date, whatever it is
        (("StudyDate", ""), "00080020="),
        (("PatientID", "ABCD"), "00100020=P*1&includefield=00100020"),
        (("PatientID", "NOBODY"), "00100020=LEADGLASS-NOBODY&includefield=00100020"),
        (("PatientName", "ABCD"), "00100020=P*1&includefield=00100010"),
        (("AccessionNumber", "ABCD"), "00080050=P*1&includefield=00080050"),
    ],
)
async def test_what_the_archive_is_asked(pair: tuple[str, str], text: str) -> None:
    assert await asked(pair) == text


async def test_where_few_can_match_the_archive_is_not_asked_by_dates() -> None:
    """How long it takes would tell whether a real date lies in a range, and so by how many days it moved."""
    dates = ("StudyDate", "20260101-20260131")
    for few, text in (
        (("PatientID", "ABCD"), "00100020=P*1&includefield=00080020,00100020"),
        (("StudyInstanceUID", "1.2"), "0020000D=1.2&includefield=00080020"),
    ):
        assert await asked(dates, few) == text
    came = search(dates)
    inside = await Matching.of(came, MOVED).asked(came, MOVED, 365, original, inside=True)
    assert "00080020=" not in inside.text


HIDDEN = [
    ("PatientBirthDate", "19700101"),  # emptied
    ("InstitutionName", "A*"),  # removed
    ("StudyDescription", "*Doe*"),  # cleaned: what it was before is not shown
    ("PatientAge", "095Y"),  # 090Y is shown
    ("ReferringPhysicianName", "A*"),
    ("RequestAttributesSequence.ScheduledProcedureStepID", "7"),
    ("00091001", "x"),  # private
]


@pytest.mark.parametrize("pair", HIDDEN)
async def test_what_is_not_shown_cannot_be_searched_by(pair: tuple[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        await asked(pair)
    assert caught.value.causes[0].reason.code == Code.SEARCH_KEY_HIDDEN


@pytest.mark.parametrize("key", ["StudyDate", "SeriesDate"])
async def test_dates_that_are_not_shown_cannot_be_searched_by(key: str) -> None:
    with pytest.raises(Refusal) as caught:
        await asked((key, "20260101-"), rules=BASIC)
    assert caught.value.causes[0].reason.code == Code.SEARCH_KEY_HIDDEN


@pytest.mark.parametrize(
    "pair",
    [
        ("PatientID", "A*"),
        ("PatientID", "ABC?"),
        ("PatientID", "ABCD,EFGH"),
        ("PatientID", "ABCD\\EFGH"),
        ("PatientName", "*"),
        ("AccessionNumber", "1*"),
        ("StudyDate", "2026*"),
        ("StudyDate", "20260101,20260102"),
        ("StudyDate", "20261301"),
        ("StudyDate", "-"),
        ("StudyDate", "2026-01-01"),
    ],
)
async def test_what_is_not_whole_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        await asked(pair)
    assert caught.value.causes[0].reason.code == Code.QUERY_REFUSED


async def test_what_the_view_removes_is_not_asked_for() -> None:
    fields = ("includefield", "PatientAddress,StudyDescription,PatientName,00091001,00101002.00100020")
    text = await asked(fields, ("fuzzymatching", "true"))
    assert text == "includefield=00081030,00100010"  # no fuzzy matching either
    assert await asked(("includefield", "all")) == "includefield=all"


def test_rows_match_as_they_are_shown() -> None:
    matching = Matching.of(search(("StudyDate", "20260101-20260131"), ("PatientID", "ABCD")), MOVED)
    row = {"00080020": {"vr": "DA", "Value": ["20260131"]}, "00100020": {"vr": "LO", "Value": ["ABCD"]}}
    assert matching.holds(row)
    assert not matching.holds({**row, "00080020": {"vr": "DA", "Value": ["20260201"]}})
    assert not matching.holds({**row, "00080020": {"vr": "DA", "Value": ["202601"]}})
    assert not matching.holds({**row, "00080020": {"vr": "DA"}})
    assert not matching.holds({**row, "00100020": {"vr": "LO", "Value": ["ABCE"]}})
    assert not matching.holds({"00080020": row["00080020"]})
    named = Matching.of(search(("PatientName", "ABCD")), MOVED)
    assert named.holds({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "ABCD"}]}})
    assert Matching.of(search(), MOVED).holds({})


def test_dates_end_with_the_calendar() -> None:
    assert str(Dates(dt.date(1, 1, 5), dt.date(9999, 12, 30)).wider(10)) == "-"
    assert str(Dates(dt.date(20, 1, 5), dt.date(9999, 1, 1)).wider(4)) == "00200101-99990105"


def test_keywords_are_those_of_the_dictionary() -> None:
    assert (KEYWORDS["PatientID"], KEYWORDS["PatientName"]) == ("00100020", "00100010")
