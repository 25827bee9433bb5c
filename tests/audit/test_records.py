import hashlib
import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from leadglass.audit import records
from leadglass.limits import RECORD_LINE_BYTES, RECORD_VALUES
from leadglass.model.decision import Decision, Obligation, RowDenial
from leadglass.model.errors import Cause, refuse
from leadglass.model.facts import Resource, Study
from leadglass.model.reasons import REASONS, Code
from support import record

ULID = "01JD0000000000000000000000"
WHERE = records.Where(ULID, 1_800_000_000.123456, "http", "192.0.2.7", {"identity": 12})
NASTY = [
    'a","allow":true,"x":"',
    "nul \x00 in it",
    "line\r\nbreak\u2028\u2029\x85",
    "\x1b[2J\x1b]0;title\x07",
    "lone \udc80 surrogate \ud83d",
    "Müller^Jürgen 山田 😀",
    "\\",
    ',"hash":"0"}',
]


def parsed(body: bytes) -> dict[str, Any]:
    assert b"\n" not in body
    document: dict[str, Any] = json.loads(b"{" + body + b"}")
    return document


def test_a_decision_holds_every_field_of_the_design() -> None:
    asked = record.question()
    document = parsed(records.decision(WHERE, asked, record.allow(ULID, asked=asked)))
    assert list(document) == [
        *("type", "decision_id", "timestamp", "door", "subject", "device", "action", "resource", "patient", "client"),
        *("decision", "policy", "timing_us", "valid_until", "input"),
    ]
    assert document["timestamp"] == "2027-01-15T08:00:00.123456Z"
    assert document["device"]["posture"] == {"pass": ["firewall", "vpn"], "fail": ["os_patch"]}
    assert document["device"]["posture_age_seconds"] == 10.0
    assert document["patient"] == {"id": "P001", "issuer": "HOSPITAL"}
    assert document["client"] == {"ip": "192.0.2.7", "country": "DE"}
    assert document["policy"] == {"engine": "wasm", "revision": "r1"}
    assert document["input"] == json.loads(asked.input())


def test_a_refusal_before_policy_tells_the_place_too() -> None:
    refused = refuse(Code.USER_UNAUTHENTICATED)
    for place, told in [
        (("GB", "London"), {"country": "GB", "city": "London"}),
        (("SE", None), {"country": "SE"}),
        ((None, None), {}),
    ]:
        document = parsed(records.refusal(replace(WHERE, place=place), records.Known(), refused))
        assert document["client"] == {"ip": "192.0.2.7", **told}


def test_the_input_stands_there_byte_for_byte() -> None:
    asked = record.question()
    assert asked.input() in records.decision(WHERE, asked, record.allow(ULID, asked=asked))


def test_a_denial_tells_the_true_reasons_and_rows() -> None:
    cause = Cause(REASONS[Code.STUDY_AMBIGUOUS], {"count": "2"})
    answer = Decision(
        ULID, allow=True, valid_until=float("inf"), revision="r", engine="opa", rows=(RowDenial(3, cause),),
        obligations=(Obligation("deidentify", {"profile": "basic"}),),
    )  # fmt: skip
    document = parsed(records.decision(WHERE, record.question(), answer))
    assert document["decision"]["rows"] == [{"row": 3, "code": "study-ambiguous", "params": {"count": "2"}}]
    assert document["decision"]["obligations"] == [{"type": "deidentify", "profile": "basic"}]
    assert document["valid_until"] is None


def test_a_refusal_before_policy_has_its_detail_and_no_query() -> None:
    known = records.Known(method="GET", path="/dicom-web/studies")
    document = parsed(records.refusal(WHERE, known, refuse(Code.QUERY_REFUSED, "key twice", key="PatientID")))
    assert document["decision"]["reasons"] == [{"code": "query-refused", "params": {"key": "PatientID"}}]
    assert document["decision"]["detail"] == "key twice"
    assert document["subject"] is None


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    known = records.Known(
        record.subject(text), method=text, path=text, resource=Resource("study", query={"k": (text,)})
    )
    document = parsed(records.refusal(WHERE, known, refuse(Code.HTTP_MALFORMED, text, key=text)))
    assert document["decision"]["allow"] is False
    told = text.encode("utf-8", "backslashreplace").decode()
    assert document["subject"]["id"] == document["request"]["path"] == document["decision"]["detail"] == told


@examples(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None)), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_any_event_is_one_line_of_json(text: str, value: object) -> None:
    assert parsed(records.event(text, {text: value}, 0.0))["type"] == "event"


def test_values_json_has_no_form_for_are_told_as_text() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    fields = {"huge": 2**70, "bytes": b"\xff", "set": {1}, "nan": float("nan"), 7: "key", "deep": deep}
    document = parsed(records.event("x", fields, 0.0))["fields"]  # type: ignore[arg-type] # a key that is no text
    assert document["huge"] == str(2**70)
    assert document["nan"] is None
    assert document["7"] == "key"


def test_an_input_with_line_breaks_becomes_one_line_and_a_huge_one_its_digest() -> None:
    asked = record.question()
    wide = b'{"a":\n1}'
    answer = Decision(ULID, allow=True, valid_until=0.0, revision="r", engine="wasm", input=wide)
    assert parsed(records.decision(WHERE, asked, answer))["input"] == {"a": 1}
    huge = b'"' + b"x" * RECORD_LINE_BYTES + b'"'
    answer = Decision(ULID, allow=True, valid_until=0.0, revision="r", engine="wasm", input=huge)
    assert parsed(records.decision(WHERE, asked, answer))["input"] == {
        "sha256": hashlib.sha256(huge).hexdigest(),
        "bytes": len(huge),
    }


def test_a_use_is_compact() -> None:
    line = records.use(ULID, ULID, "wado-rs.frames", record.question().resource)
    assert parsed(line) == {
        "type": "use", "decision_id": ULID, "leased_from": ULID, "transaction": "wado-rs.frames",
        "sop_uid": record.INSTANCE, "frames": [1],
    }  # fmt: skip
    longest = records.use(ULID, ULID, "wado-rs.instance", Resource("instance", "1", "2", "1." + "2" * 62))
    frame = len('{"seq":123456789,"v":1,"chain":"abcdefgh",')
    assert len(longest) + frame <= 250  # the two hashes add 149


def test_a_use_without_an_instance_names_the_series() -> None:
    assert parsed(records.use(ULID, ULID, "wado-rs.series", Resource("series", "1", "2")))["series_uid"] == "2"
    assert "series_uid" not in parsed(records.use(ULID, ULID, "wado-rs.study", Resource("study", "1")))


def test_what_a_list_showed_is_bounded_and_then_a_digest() -> None:
    few = records.disclosure({"1.2": "P1"})
    assert few == {"count": 1, "studies": [{"study_uid": "1.2", "patient_id": "P1"}]}
    many = {f"1.{number}": f"P{number}" for number in range(RECORD_VALUES + 1)}
    told = records.disclosure(many)
    assert len(told["studies"]) == RECORD_VALUES
    lines = "".join(f"{uid}\t{many[uid]}\n" for uid in sorted(many))
    assert told["sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_several_patients_are_not_told_as_one() -> None:
    two = (Study("1.1", patient_id="A"), Study("1.2", patient_id="B"))
    assert parsed(records.decision(WHERE, record.question(studies=two), record.allow(ULID)))["patient"] is None


def test_a_completion_and_a_sum() -> None:
    ended = records.Ended(200, 5, 17, "session-ended")
    document = parsed(records.completion(ULID, 0.0, ended, refuse(Code.UPSTREAM_INVALID), ("stored", {"1.2": "P"})))
    assert (document["status"], document["bytes"], document["ms"], document["cut_by"]) == (200, 5, 17, "session-ended")
    assert document["reasons"][0]["code"] == "upstream-invalid"
    assert document["stored"]["count"] == 1
    assert orjson.loads(b"{" + records.lease_sum(ULID, 0.0, 3, 4, 5) + b"}")["uses"] == 3
