import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.codec.workitem import Workitem, affected, parse_one, read_workitem
from leadglass.limits import STUDIES_JUDGED

DEEP = {"00404021": {"vr": "SQ", "Value": [{"0020000D": {"vr": "UI", "Value": ["1.2"]}}]}}


class BrokenError(Exception):
    pass


def uid(value: object) -> dict[str, object]:
    return {"vr": "UI", "Value": [value]}


def named(row: dict[str, object]) -> tuple[str, ...]:
    return read_workitem(row, BrokenError).studies


def test_a_study_is_named_wherever_its_uid_stands() -> None:
    item = {"0020000D": uid("1.3")}
    row = {
        "0020000D": uid("1.1"),
        **DEEP,
        "0040A370": {"vr": "SQ", "Value": [item, {"0020000d": uid("1.4")}, item]},
        "00741216": {"vr": "SQ", "Value": [{"00404033": {"vr": "SQ", "Value": [{"0020000D": uid("1.5")}]}}]},
    }
    assert named(row) == ("1.1", "1.2", "1.3", "1.4", "1.5")


def test_whose_it_is() -> None:
    row = {"00080018": uid("1.9"), "00100020": {"vr": "LO", "Value": ["P001 "]}, "00100021": {"vr": "LO"}}
    assert read_workitem(row, BrokenError) == Workitem(row, "1.9", (), "P001", None)


@pytest.mark.parametrize(
    "row",
    [
        {"00080018": uid("01.2")},
        {"0020000D": uid("")},
        {"0020000D": uid(7)},
        {"0020000D": {"Value": ["1.2", "x"]}},
        {"0040A370": {"Value": [{"0020000D": {"Value": [None]}}]}},
        {"0020000D": {"Value": [f"1.{n}" for n in range(STUDIES_JUDGED + 1)]}},
    ],
    ids=lambda row: repr(row)[:60],
)
def test_what_cannot_be_judged_is_a_fault(row: dict[str, object]) -> None:
    with pytest.raises(BrokenError):
        read_workitem(row, BrokenError)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[{},{}]", b"[1]", b'[{"x":1}]', b"\xff"], ids=repr)
def test_a_body_is_one_data_set(data: bytes) -> None:
    with pytest.raises(BrokenError):
        parse_one(data, BrokenError)
    assert parse_one(json.dumps([DEEP]).encode(), BrokenError).studies == ("1.2",)


HIDDEN = {"0020000D": uid("1.7")}


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "SQ", "Value": HIDDEN},
        {"vr": "SQ", "value": [HIDDEN]},
        {"vr": "SQ", "Value": [[HIDDEN]]},
        {"vr": "SQ", "Value": [{"StudyInstanceUID": uid("1.7")}]},
        {"vr": "SQ", "Value": [{"0020000D": {"vr": "UI", "Value": "1.7"}}]},
        {"vr": "SQ", "Value": [{"0020000D": "1.7"}]},
        {"vr": "UN", "InlineBinary": "IAANABQA"},
        {"vr": "SQ", "BulkDataURI": "file:///etc/passwd"},
        {"vr": "SQ", "Value": [{"00404041": {"vr": "OB", "BulkDataURI": "http://127.0.0.1/"}}]},
    ],
    ids=lambda attribute: repr(attribute)[:60],
)
def test_what_is_sent_holds_nothing_that_only_an_archive_would_find(attribute: dict[str, object]) -> None:
    with pytest.raises(BrokenError):
        parse_one(json.dumps([{**DEEP, "00404021": attribute}]).encode(), BrokenError)


def test_what_is_sent_may_name_people_and_leave_values_out() -> None:
    row = {
        **DEEP,
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Phonetic": "dou"}]},
        "00741002": {"vr": "SQ", "Value": []},
        "00741204": {"vr": "LO", "Value": ["x", None]},
        "00404041": {"vr": "CS"},
    }
    assert parse_one(json.dumps([row]).encode(), BrokenError).row == row


def test_an_event_report_names_its_workitem() -> None:
    report = {"00001000": uid("1.9"), "00001002": {"vr": "US", "Value": [1]}}
    for told in (report, [report]):
        uid_of, itself = affected(json.dumps(told).encode(), BrokenError)
        assert (uid_of, itself.studies) == ("1.9", ())
    assert affected(json.dumps({**report, **DEEP}).encode(), BrokenError)[1].studies == ("1.2",)
    for wrong in ({}, [], [report, report], {"00001000": uid("x")}, "1.9", None):
        with pytest.raises(BrokenError):
            affected(json.dumps(wrong).encode(), BrokenError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["0020000D", "Value", "vr", "00404021", "00001000"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_it_is_it_is_read_or_a_fault(value: object) -> None:
    data = json.dumps(value).encode()
    for read in (parse_one, affected):
        try:
            read(data, BrokenError)
        except BrokenError:
            continue
