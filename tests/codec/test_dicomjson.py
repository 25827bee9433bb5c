import orjson
import pytest

from leadglass.codec.dicomjson import Row, cut, parse_rows, write_rows
from leadglass.limits import NESTING_DEPTH
from leadglass.model.errors import FactsUnavailable, Refusal
from leadglass.model.reasons import Code

ROW: Row = {
    "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
    "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Ä^\u0000\u001b[31m<b>", "Ideographic": "山"}]},
    "00200011": {"vr": "IS", "Value": [7]},
    "00080050": {"vr": "SH"},
    "00080020": {"vr": "DA", "Value": []},
    "00081030": {"vr": "LO", "Value": [None, "second"]},
    "00400275": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["x"]}}]},
}


def test_rows_are_read_and_written() -> None:
    data = orjson.dumps([ROW, ROW])
    assert parse_rows(data) == [ROW, ROW]
    assert write_rows(parse_rows(data)) == data
    assert parse_rows(b"") == []
    assert parse_rows(b" [ ] ") == []


def test_a_member_that_came_twice_is_one_after_judging() -> None:
    data = b'[{"0020000D":{"vr":"UI","Value":["1.2"]},"0020000D":{"vr":"UI","Value":["9.9"]}}]'
    rows = parse_rows(data)
    assert rows[0]["0020000D"]["Value"] == ["9.9"]
    assert b"1.2" not in write_rows(rows)


def test_tags_are_cut_whether_there_or_not() -> None:
    row = dict(ROW)
    cut(row, ("0020000D", "00100020"))
    assert set(row) == set(ROW) - {"0020000D"}


def nested(depth: int) -> Row:
    row: Row = {}
    for _ in range(depth):
        row = {"00081140": {"vr": "SQ", "Value": [row]}}
    return row


BAD = {
    "not JSON": b"<xml/>",
    "NaN": b'[{"00100020":{"Value":[NaN]}}]',
    "truncated": b'[{"0020000D":{"vr":"UI"',
    "trailing": b"[]]",
    "not UTF-8": b'[{"00100020":{"Value":["\xe9"]}}]',
    "object": b"{}",
    "string": b'"[]"',
    "row is a list": b"[[]]",
    "row is a string": b'["x"]',
    "attribute is a string": b'[{"00100020":"x"}]',
    "nested too deep": orjson.dumps([nested(NESTING_DEPTH + 2)]),
    "deep lists": b'[{"00100020":{"Value":' + b"[" * 500 + b"]" * 500 + b"}}]",
    "deeper than any parser goes": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_a_reply_that_cannot_be_judged_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_rows(data)
    assert caught.value.causes[0].reason.code == Code.UPSTREAM_INVALID
    with pytest.raises(FactsUnavailable):
        parse_rows(data, FactsUnavailable)


def test_nesting_up_to_the_bound_is_read() -> None:
    assert parse_rows(orjson.dumps([nested(NESTING_DEPTH)]))


def test_what_cannot_be_written_is_refused() -> None:
    rows = parse_rows(b'[{"00100020":{"junk":' + b"[" * 500 + b"]" * 500 + b"}}]")
    with pytest.raises(Refusal):
        write_rows(rows)
