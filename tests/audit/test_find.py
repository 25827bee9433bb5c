from pathlib import Path

import orjson
import pytest

from leadglass.audit.find import find


def line(seq: int, **members: object) -> bytes:
    return b'{"seq":%d,"v":1,"chain":"aaaa",' % seq + orjson.dumps(members)[1:] + b"\n"


def decision(seq: int, name: str, *, allow: bool, **more: object) -> bytes:
    return line(seq, type="decision", decision_id=name, decision={"allow": allow}, **more)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(
        decision(1, "A", allow=True)
        + line(2, type="use", decision_id="B", leased_from="A")
        + b"not JSON, and names B\n"
        + line(3, type="completion", decision_id="B", cut_by="access-revoked")
        + decision(4, "S", allow=True)
        + decision(5, "S", allow=False, part=1)
        + decision(6, "S", allow=False, part=2)
        + line(7, type="event", kind="revoked", fields={"reason": "A"})
        + line(8, type="use", decision_id="L", leased_from="gone")
    )
    return file


def test_a_decision_by_its_id(record: Path) -> None:
    found = find(record, "A")
    assert found is not None
    assert (found.decision["seq"], found.leased, found.judgements, found.cut_by) == (1, False, 1, None)


def test_a_use_leads_to_what_it_was_leased_from(record: Path) -> None:
    found = find(record, "B")
    assert found is not None
    assert (found.decision["decision_id"], found.leased, found.cut_by) == ("A", True, "access-revoked")


def test_of_several_judgements_the_first_refusal(record: Path) -> None:
    found = find(record, "S")
    assert found is not None
    assert (found.decision["seq"], found.judgements) == (5, 3)


@pytest.mark.parametrize("name", ["unknown", "L", "", "seq"], ids=["unknown", "origin gone", "empty", "a key"])
def test_none(record: Path, name: str) -> None:
    assert find(record, name) is None
