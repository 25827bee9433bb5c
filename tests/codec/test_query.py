from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.kinds import KINDS
from leadglass.codec.query import STUDY_UID, Search, parse_search
from leadglass.limits import SEARCH_ROWS, STUDY_ROWS
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code


def search(
    *pairs: tuple[str, str], path: dict[str, str] | None = None, returned: tuple[str, ...] = (STUDY_UID,)
) -> Search:
    return parse_search(pairs, path=path or {}, returned=frozenset(returned), needed=(STUDY_UID,))


MATCHING: list[tuple[tuple[str, str], dict[str, tuple[str, ...]], str]] = [
    (("PatientID", "P001"), {"00100020": ("P001",)}, "00100020=P001"),
    (("00100020", "P001"), {"00100020": ("P001",)}, "00100020=P001"),
    (("0020000d", "1.2"), {"0020000D": ("1.2",)}, "0020000D=1.2"),
    (("StudyInstanceUID", "1.2,1.3"), {"0020000D": ("1.2", "1.3")}, "0020000D=1.2,1.3"),
    (("StudyInstanceUID", "1.2\\1.3"), {"0020000D": ("1.2", "1.3")}, "0020000D=1.2,1.3"),
    (("PatientName", "Mül*"), {"00100010": ("Mül*",)}, "00100010=M%C3%BCl*"),
    (("PatientID", "A\\B"), {"00100020": ("A", "B")}, "00100020=A%5CB"),
    (("PatientID", "A,B"), {"00100020": ("A", "B")}, "00100020=A,B"),
    (("PatientName", "A^B=C|D"), {"00100010": ("A^B=C|D",)}, "00100010=A%5EB%3DC%7CD"),
    (("PatientID", ""), {"00100020": ("",)}, "00100020="),
    (("PatientID", "a&limit=9#;"), {"00100020": ("a&limit=9#;",)}, "00100020=a%26limit%3D9%23%3B"),
    (("StudyDate", "20260101-20261231"), {"00080020": ("20260101-20261231",)}, "00080020=20260101-20261231"),
    (("00091001", "x"), {"00091001": ("x",)}, "00091001=x"),
    (
        ("RequestAttributesSequence.ScheduledProcedureStepID", "7"),
        {"00400275.00400009": ("7",)},
        "00400275.00400009=7",
    ),
    (("00400275.00400009", "7"), {"00400275.00400009": ("7",)}, "00400275.00400009=7"),
]


@pytest.mark.parametrize(("pair", "matching", "text"), MATCHING, ids=[f"{row[0]}" for row in MATCHING])
def test_a_key_is_read_as_its_tag_and_written_anew(
    pair: tuple[str, str], matching: dict[str, tuple[str, ...]], text: str
) -> None:
    found = search(pair)
    assert found.matching == matching
    assert found.text == f"{text}&limit={SEARCH_ROWS}"


def test_orthanc_gets_raw_what_it_does_not_decode() -> None:
    found = parse_search(
        [("PatientName", "A^B=*&%é ")], path={}, returned=frozenset(), needed=(), raw=KINDS["orthanc"].unencoded
    )
    assert found.text == f"00100010=A^B=*%26%25%C3%A9%20&limit={SEARCH_ROWS}"


def test_the_forwarded_query_has_one_order_and_a_limit() -> None:
    pairs = (("offset", "5"), ("StudyDate", "20260101"), ("includefield", "00081030,ModalitiesInStudy"))
    more = (("fuzzymatching", "false"), ("AccessionNumber", "A1"), ("includefield", "00080061"), ("limit", "7"))
    assert search(*pairs, *more).text == (
        "00080020=20260101&00080050=A1&includefield=00080061,00081030&fuzzymatching=false&limit=7&offset=5"
    )
    assert search(*reversed((*pairs, *more))).text == search(*pairs, *more).text


def test_orthancs_limit_counts_from_the_first_match_by_modality() -> None:
    kind = KINDS["orthanc"]
    pairs = [("ModalitiesInStudy", "CT"), ("limit", "10"), ("offset", "20")]
    found = parse_search(pairs, path={}, returned=frozenset(), needed=(), from_first=kind.from_first)
    assert found.text == "00080061=CT&limit=30&offset=20"
    assert found.page(5, 0) == "00080061=CT&limit=5"
    assert search(*pairs).text == "00080061=CT&limit=10&offset=20"
    assert found.without("00080061").text == "limit=10&offset=20"


def test_a_missing_limit_is_ours() -> None:
    assert search().text == f"limit={SEARCH_ROWS}"


def test_inside_one_study_the_page_is_as_large_as_a_study() -> None:
    found = search(path={STUDY_UID: "1.2"})
    assert found.limit == STUDY_ROWS
    assert search(("limit", "600"), path={STUDY_UID: "1.2"}).limit == 600


def test_a_limit_beyond_the_page_is_the_page() -> None:
    assert search(("limit", "5000")).limit == SEARCH_ROWS
    assert search(("limit", "99999"), path={STUDY_UID: "1.2"}).limit == STUDY_ROWS


def test_what_judging_needs_is_asked_for_and_named_to_be_cut() -> None:
    bound = {"path": {STUDY_UID: "1.2"}, "returned": ()}
    assert search(**bound).added == (STUDY_UID,)  # type: ignore[arg-type]  # one dict for three calls
    assert f"includefield={STUDY_UID}&" in search(**bound).text  # type: ignore[arg-type]  # likewise
    assert search(("includefield", "StudyInstanceUID"), **bound).added == ()  # type: ignore[arg-type]  # likewise
    assert search(("includefield", "all"), **bound).added == ()  # type: ignore[arg-type]  # likewise
    assert search(("includefield", "all"), **bound).text.startswith("includefield=all&")  # type: ignore[arg-type]  # one row of a table of keywords
    assert search().added == ()


def test_a_key_that_repeats_the_path_adds_nothing() -> None:
    assert search(("StudyInstanceUID", "1.2"), path={STUDY_UID: "1.2"}).matching == {}


REFUSED: dict[str, tuple[list[tuple[str, str]], str]] = {
    "unknown key": ([("PatientIdentifier", "1")], "PatientIdentifier"),
    "B11 lower case": ([("patientid", "1")], "patientid"),
    "B11 brackets": ([("PatientID[]", "1")], "PatientID[]"),
    "B11 duplicate": ([("PatientID", "1"), ("PatientID", "2")], "PatientID"),
    "B11 alias": ([("PatientID", "1"), ("00100020", "2")], "00100020"),
    "alias of a nested key": (
        [("00400275.00400009", "1"), ("RequestAttributesSequence.00400009", "1")],
        "RequestAttributesSequence.00400009",
    ),
    "_method": ([("_method", "DELETE")], "_method"),
    "comma form": ([("0010,0020", "1")], "0010,0020"),
    "unknown standard tag": ([("00100021x", "1")], "00100021x"),
    "even group not in the dictionary": ([("00100007", "1")], "00100007"),
    "command group": ([("00000100", "1")], "00000100"),
    "file meta": ([("TransferSyntaxUID", "1.2")], "TransferSyntaxUID"),
    "pixel data": ([("PixelData", "1")], "PixelData"),
    "a sequence itself": ([("RequestAttributesSequence", "1")], "RequestAttributesSequence"),
    "nesting in what is no sequence": ([("PatientID.00400009", "1")], "PatientID.00400009"),
    "empty nesting": ([("00400275.", "1")], "00400275."),
    "deep nesting": ([(".".join(["00400275"] * 33), "1")], ".".join(["00400275"] * 33)[:64]),
    "accept": ([("accept", "application/dicom+xml")], "accept"),
    "orderby": ([("orderby", "PatientName")], "orderby"),
    "UID wildcard": ([("StudyInstanceUID", "*")], "StudyInstanceUID"),
    "empty UID": ([("StudyInstanceUID", "")], "StudyInstanceUID"),
    "malformed UID": ([("StudyInstanceUID", "1.02")], "StudyInstanceUID"),
    "malformed UID in a list": ([("StudyInstanceUID", "1.2,")], "StudyInstanceUID"),
    "UID listed twice": ([("StudyInstanceUID", "1.2,1.2")], "StudyInstanceUID"),
    "more UIDs than are judged": (
        [("StudyInstanceUID", ",".join(f"1.{n}" for n in range(201)))],
        "StudyInstanceUID",
    ),
    "long value": ([("PatientID", "1" * 1025)], "PatientID"),
    "control in a value": ([("PatientID", "a\nb")], "PatientID"),
    "limit zero": ([("limit", "0")], "limit"),
    "limit with a zero in front": ([("limit", "01")], "limit"),
    "limit with a sign": ([("limit", "+1")], "limit"),
    "limit empty": ([("limit", "")], "limit"),
    "limit in other digits": ([("limit", "\u0661")], "limit"),
    "limit twice": ([("limit", "1"), ("limit", "1")], "limit"),
    "offset negative": ([("offset", "-1")], "offset"),
    "offset past its bound": ([("offset", "100001")], "offset"),
    "fuzzy maybe": ([("fuzzymatching", "maybe")], "fuzzymatching"),
    "fuzzy in capitals": ([("fuzzymatching", "TRUE")], "fuzzymatching"),
    "unknown field": ([("includefield", "Bogus")], "includefield"),
    "empty field": ([("includefield", "")], "includefield"),
    "field list with a gap": ([("includefield", "PatientID,,PatientName")], "includefield"),
}


@pytest.mark.parametrize(("pairs", "key"), REFUSED.values(), ids=REFUSED.keys())
def test_what_an_archive_might_ignore_is_refused(pairs: list[tuple[str, str]], key: str) -> None:
    with pytest.raises(Refusal) as caught:
        search(*pairs)
    (cause,) = caught.value.causes
    assert cause.reason.code == Code.QUERY_REFUSED
    assert cause.params == {"key": key}


@pytest.mark.parametrize("value", ["1.3", "1.2,1.3"])
def test_a_key_that_contradicts_the_path_is_refused(value: str) -> None:
    with pytest.raises(Refusal):
        search(("StudyInstanceUID", value), path={STUDY_UID: "1.2"})


_KEYS = st.sampled_from(["PatientID", "00100020", "PatientName", "0020000D", "limit", "includefield", "StudyDate", "x"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_KEYS, st.text(alphabet="1.2,*\\&=+%é ;", max_size=8)), max_size=4))
def test_the_forwarded_query_says_what_was_understood(pairs: list[tuple[str, str]]) -> None:
    try:
        found = search(*pairs)
    except Refusal:
        return
    again: Any = dict(parse_qsl(found.text, keep_blank_values=True, strict_parsing=True))
    assert int(again.pop("limit")) == found.limit
    again.pop("includefield", None)
    split = {tag: tuple(value.replace(",", "\\").split("\\")) for tag, value in again.items()}
    assert split == found.matching
