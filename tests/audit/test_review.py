from pathlib import Path

import orjson

from leadglass.audit.review import cases
from leadglass.model.facts import EMERGENCY


def event(seq: int, kind: str, **fields: object) -> bytes:
    document = {"type": "event", "kind": kind, "timestamp": f"2026-11-23T20:00:{seq:02}.000000Z", "fields": fields}
    return b'{"seq":%d,"v":1,"chain":"aaaa",' % seq + orjson.dumps(document)[1:] + b"\n"


def broken(
    seq: int, name: str, subject: str = "dr.a", reason: str = "trauma", study: str = "1.2", **more: str
) -> bytes:
    return event(
        seq, "glass-broken", decision_id=name, subject=subject, reason=reason, studies=[study], count=1, **more
    )


def reviewed(seq: int, name: str, subject: str = "dr.a", reason: str = "trauma") -> bytes:
    return event(seq, "glass-reviewed", decision_id=name, subject=subject, reason=reason, note="right", by={"uid": 0})


def read(folder: Path, *lines: bytes) -> list[tuple[str, str, list[str], bool]]:
    file = folder / "decisions.jsonl"
    file.write_bytes(b"".join(lines))
    return [(case.subject, case.reason, case.decisions, case.signed is not None) for case in cases(file)]


def test_decisions_of_one_person_for_one_reason_are_one_case(tmp_path: Path) -> None:
    lines = (broken(1, "A"), broken(2, "B", study="1.3"), broken(3, "C", reason="stroke"), broken(4, "D", "dr.b"))
    assert read(tmp_path, *lines) == [
        ("dr.a", "trauma", ["A", "B"], False),
        ("dr.a", "stroke", ["C"], False),
        ("dr.b", "trauma", ["D"], False),
    ]
    first = cases(tmp_path / "decisions.jsonl")[0].document()
    assert (first["decision_id"], first["decisions"], first["studies"]) == ("A", 2, ["1.2", "1.3"])
    assert first["since"] < first["last"]


def test_a_sign_off_closes_a_case_as_it_stands(tmp_path: Path) -> None:
    lines = (broken(1, "A"), broken(2, "B"), reviewed(3, "B"), broken(4, "C"))
    assert read(tmp_path, *lines) == [("dr.a", "trauma", ["A", "B"], True), ("dr.a", "trauma", ["C"], False)]
    signed = cases(tmp_path / "decisions.jsonl")[0].document()["signed"]
    assert signed == {"at": "2026-11-23T20:00:03.000000Z", "note": "right", "by": {"uid": 0}}


def test_a_sign_off_of_something_else_closes_nothing(tmp_path: Path) -> None:
    lines = (
        broken(1, "A"),
        reviewed(2, "other"),
        reviewed(3, "A", reason="stroke"),
        b'{"kind":"glass-broken, torn\n',
        b'{"type":"event","kind":"glass-reviewed","fields":null}\n',
        b'{"type":"decision","kind":"glass-reviewed","fields":{}}\n',
    )
    assert read(tmp_path, *lines) == [("dr.a", "trauma", ["A"], False)]


def begun(seq: int, name: str, subject: str = "Dr A", reason: str = "idp down") -> bytes:
    fields = {"decision_id": name, "code": "K7Q2M", "subject": subject, "issuer": EMERGENCY, "reason": reason}
    return event(seq, "emergency-begun", **fields)


def test_an_emergency_code_is_a_case_read_or_not(tmp_path: Path) -> None:
    assert read(tmp_path, begun(1, "A")) == [("Dr A", "idp down", ["A"], False)]
    lines = (begun(1, "A"), broken(2, "B", "Dr A", "idp down", issuer=EMERGENCY), reviewed(3, "B", "Dr A", "idp down"))
    assert read(tmp_path, *lines) == [("Dr A", "idp down", ["A", "B"], True)]
    assert cases(tmp_path / "decisions.jsonl")[0].document()["issuer"] == EMERGENCY


def test_the_same_name_of_another_issuer_is_another_case(tmp_path: Path) -> None:
    lines = (broken(1, "A", issuer="https://a.example"), broken(2, "B", issuer=EMERGENCY), reviewed(3, "A"))
    assert read(tmp_path, *lines) == [("dr.a", "trauma", ["A"], True), ("dr.a", "trauma", ["B"], False)]
