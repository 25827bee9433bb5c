import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.attributes.rows import FROM_SERIES, FROM_STUDY, Found, found, listing, texts
from leadglass.limits import SERIES_PER_STUDY
from leadglass.model.facts import Study
from support.facts import instance_row, series_row, study_row
from support.orthanc import Orthanc

UID = "1.2.3"


def test_a_study_as_an_archive_describes_it() -> None:
    rows = [series_row(UID, "1.2.3.1", "MR", "HEAD", "A"), series_row(UID, "1.2.3.2", "SR", institution="B")]
    assert found(UID, [study_row(UID, modalities=["MR", "OT"])], rows, alone=True) == Found(
        Study(
            UID,
            patient_id="P001",
            issuer_of_patient_id="DEMO",
            date="20260102",
            description="CT chest",
            referring_physician="Referring^Demo",
            modalities=("MR", "OT", "SR"),
            body_parts=("HEAD",),
            institutions=("A", "B"),
            series={"1.2.3.1": "MR", "1.2.3.2": "SR"},
        ),
        1,
    )


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([], 0),
        ([study_row("9.9")], 0),  # the archive ignored the key
        ([study_row("1.2.3.4"), study_row("1.2")], 0),
        ([study_row(UID), study_row(UID, patient_id="P666")], 2),
        ([{}], 0),
        ([{"0020000D": {"vr": "UI", "Value": [UID, "9.9"]}}], 0),
        ([{"0020000D": {"vr": "UI", "Value": UID}}], 0),
        ([{"0020000D": UID}], 0),
    ],
)
def test_not_exactly_one_row_of_this_study(rows: list[dict[str, Any]], count: int) -> None:
    assert found(UID, rows, [series_row(UID)], alone=True) == Found(None, count)


def test_foreign_rows_beside_ours_change_nothing() -> None:
    ours = found(UID, [study_row(UID)], [series_row(UID)], alone=False)
    studies = [study_row("9.9"), study_row(UID), study_row("9.8")]
    series = [series_row("9.9", "9.9.1", "XA"), series_row(UID), series_row("9.8", "9.8.1", "MG", "BREAST", "C")]
    assert found(UID, studies, series, alone=False) == ours
    assert found(UID, studies, series, alone=True) == ours


def test_series_rows_without_a_study_uid_count_only_when_one_study_was_asked_for() -> None:
    row = series_row(UID)
    del row["0020000D"]
    assert found(UID, [study_row(UID)], [row], alone=True).missing == ()
    assert found(UID, [study_row(UID)], [row], alone=False).missing == FROM_SERIES


def test_what_could_not_be_had_is_missing_and_not_kept() -> None:
    no_series = found(UID, [study_row(UID)], None, alone=True)
    assert no_series.missing == FROM_SERIES
    assert no_series.study is not None
    assert no_series.study.modalities is None  # ModalitiesInStudy alone may be a part of them
    assert not no_series.whole
    nothing = found(UID, None, None, alone=True)
    assert nothing == Found(Study(UID), 1, (*FROM_STUDY, *FROM_SERIES), whole=False)
    no_study = found(UID, None, [series_row(UID)], alone=True)
    assert no_study.missing == FROM_STUDY
    assert no_study.study is not None
    assert no_study.study.modalities == ("CT",)
    assert found(UID, [], None, alone=True) == Found(None, 0, whole=False)


def test_a_series_without_modality_hides_the_modalities_but_not_the_series() -> None:
    row = series_row(UID, "1.2.3.2")
    del row["00080060"]
    answer = found(UID, [study_row(UID)], [series_row(UID), row], alone=True)
    assert answer.missing == ("modalities",)
    assert answer.whole
    assert answer.study is not None
    assert answer.study.series == {"1.2.3.1": "CT", "1.2.3.2": ""}


@pytest.mark.parametrize(
    "rows",
    [[], [{"0020000D": {"Value": [UID]}}], [series_row(UID, f"1.2.3.{n}") for n in range(SERIES_PER_STUDY + 1)]],
    ids=["none", "no uid", "too many"],
)
def test_series_that_say_too_little_are_missing(rows: list[dict[str, Any]]) -> None:
    assert found(UID, [study_row(UID)], rows, alone=True).missing == FROM_SERIES


def test_an_empty_attribute_is_absent_and_not_an_empty_fact() -> None:
    row = {**study_row(UID), "00100020": {"vr": "LO"}, "00081030": {"vr": "LO", "Value": [""]}}
    answer = found(UID, [row], [series_row(UID)], alone=True)
    assert answer.study is not None
    assert answer.study.patient_id is None
    assert answer.study.description is None
    assert answer.missing == ()


@pytest.mark.parametrize(
    ("element", "values"),
    [
        ({"vr": "LO", "Value": ["P1"]}, ("P1",)),
        ({"vr": "LO", "Value": [" P1 \0"]}, ("P1",)),
        ({"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "x"}]}, ("A^B",)),
        ({"vr": "PN", "Value": [{"Ideographic": "x"}]}, ()),
        ({"vr": "CS", "Value": ["A", None, "B", 5, ["C"]]}, ("A", "B")),
        ({"vr": "LO", "Value": "P1"}, ()),
        ({"vr": "LO", "Value": None}, ()),
        ({"vr": "LO"}, ()),
        ([], ()),
        (None, ()),
        ("P1", ()),
    ],
    ids=str,
)
def test_values_of_the_wrong_shape_are_not_given(element: object, values: tuple[str, ...]) -> None:
    assert texts({"00100020": element}, "00100020") == values


@pytest.mark.parametrize(
    ("rows", "uids"),
    [
        ([], frozenset()),
        ([instance_row(UID, "1.2.3.1", "5"), instance_row(UID, "1.2.3.1", "6")], {"5", "6"}),
        ([{"00080018": {"Value": ["5"]}}], {"5"}),  # the path says which series it is
        ([instance_row(UID, "1.2.3.1", "5"), instance_row(UID, "9", "6")], None),
        ([instance_row("9", "1.2.3.1", "5")], None),
        ([{}], None),
        ([{"00080018": {"Value": ["5", "6"]}}], None),
    ],
    ids=str,
)
def test_a_listing_is_of_this_series_alone(rows: list[dict[str, Any]], uids: set[str] | None) -> None:
    assert listing(rows, UID, "1.2.3.1") == uids


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Value", "Alphabetic", "vr"]), inner, max_size=3)
    ),
    max_leaves=8,
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["0020000D", "0020000E", "00080018", "00080060", "00100020"]), JSON, max_size=4),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(ROWS, ROWS)
def test_no_row_makes_the_reader_fail(studies: list[dict[str, Any]], series: list[dict[str, Any]]) -> None:
    answer = found(UID, studies, series, alone=True)
    assert answer.study is None or answer.count == 1
    listing(series, UID, "1")


@pytest.mark.system
def test_rows_of_a_real_archive_are_understood(orthanc: Orthanc) -> None:
    def rows(path: str) -> list[dict[str, Any]]:
        status, _, body = orthanc.request("GET", f"/dicom-web{path}", headers={"Accept": "application/dicom+json"})
        assert status == 200
        answer: list[dict[str, Any]] = json.loads(body)
        return answer

    seeds = list(orthanc.studies.values())
    page = ",".join(seed.uid for seed in seeds)
    fields = "&includefield=00081030&includefield=00100021"
    studies = rows(f"/studies?StudyInstanceUID={page}{fields}")
    series = rows(f"/series?StudyInstanceUID={page}&includefield=00180015&includefield=00080080")
    for seed in seeds:
        answer = found(seed.uid, studies, series, alone=False)
        assert answer.missing == ()
        assert answer.study is not None
        assert (answer.study.patient_id, answer.study.issuer_of_patient_id) == (seed.patient_id, "DEMO")
        assert answer.study.modalities == (seed.modality,)
        assert answer.study.institutions == ("Demo Hospital",)
        assert answer.study.series == {seed.series: seed.modality}
        alone = rows(f"/studies/{seed.uid}/series?includefield=00180015&includefield=00080080")
        assert found(seed.uid, studies, alone, alone=True) == answer
        listed = listing(rows(f"/studies/{seed.uid}/series/{seed.series}/instances"), seed.uid, seed.series)
        assert listed == frozenset(instance.sop for instance in seed.instances)
