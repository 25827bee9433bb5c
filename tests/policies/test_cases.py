"""The shipped cases: sound questions, every reason given, and the compiled rules answer each as it says."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from leadglass.model.facts import Action, Context, Device, Resource, Study, Subject
from leadglass.model.question import Question
from leadglass.model.reasons import REASONS
from leadglass.policy import build, cases
from leadglass.policy.cases import Case
from leadglass.policy.engine import NoAnswer
from leadglass.policy.sources import PolicySet

POLICIES = Path(__file__).parents[2] / "policies"
BY_RULES = {"not-granted", "device-required", "instance-exists"}  # the gateway's own that rules give


@pytest.fixture(scope="module")
def listed(shipped: PolicySet) -> list[Case]:
    return cases.read(shipped)


def validator(name: str) -> Any:  # noqa: ANN401 - jsonschema carries no types
    return jsonschema.Draft7Validator(json.loads((POLICIES / "schemas" / name).read_text(encoding="utf-8")))


def codes(want: object) -> set[str]:
    """Return every code that an expected decision names."""
    if not isinstance(want, dict):
        return set()
    return {row["code"] for key in ("reasons", "rows") for row in want.get(key, [])}


def test_there_are_many(listed: list[Case]) -> None:
    assert len(listed) >= 80


def test_every_reason_is_produced(listed: list[Case], shipped: PolicySet) -> None:
    produced = {code for case in listed for code in codes(case.want)}
    assert produced == (set(shipped.reasons) - set(REASONS)) | BY_RULES


def test_questions_meet_the_schema(listed: list[Case]) -> None:
    check = validator("input.json")
    for case in listed:
        assert [error.message for error in check.iter_errors(json.loads(case.input))] == [], case.note


def test_the_compiled_rules_answer_each_as_it_says(listed: list[Case], shipped: PolicySet) -> None:
    run = cases.on_wasm(build.load(shipped))
    assert [str(failure) for failure in cases.run(listed, run)] == []


def test_every_answer_meets_the_schema(listed: list[Case], shipped: PolicySet) -> None:
    run, check = cases.on_wasm(build.load(shipped)), validator("decision.json")
    for case in listed:
        if case.want is not None:
            answer = run(case.input, case.data)
            assert [error.message for error in check.iter_errors(answer)] == [], case.note


def test_a_wrong_expectation_is_seen(listed: list[Case], shipped: PolicySet) -> None:
    first = dataclasses.replace(listed[0], want={"allow": "perhaps"})
    assert len(cases.run([first], cases.on_wasm(build.load(shipped)))) == 1


def test_no_question_is_answered_yes_without_its_facts(listed: list[Case], shipped: PolicySet) -> None:
    """Take each fact away from a question that is allowed: the answer may become no, never a yes by another rule."""
    run = cases.on_wasm(build.load(shipped))
    needed = ("subject.roles", "subject.mfa", "device.owner", "device.posture_age_seconds", "device.checks", "device")
    yes = next(case for case in listed if case.note == "a radiologist on a healthy device reads a study")
    assert (run(yes.input, yes.data))["allow"] is True  # type: ignore[index]  # a decision is an object
    for path in (*needed, "studies", "studies.0.modalities", "action.name", "action.transaction"):
        question = json.loads(yes.input)
        node = question
        *heads, last = path.split(".")
        for head in heads:
            node = node[int(head)] if isinstance(node, list) else node[head]
        del node[last]
        try:
            answer = run(orjson.dumps(question), yes.data)
        except NoAnswer:
            continue
        assert isinstance(answer, dict)
        assert answer["allow"] is False, path


RESOURCE = Resource(
    "frames", "1.2", "1.3", "1.4", (1, 2), "7FE00010", "1.5", exists=True, query={"0020000D": ("1.2",)}, mount="/viewer",
    upstream="main", aet="VIEWER",
)  # fmt: skip


def question(**parts: Any) -> Question:  # noqa: ANN401 - whatever a question takes
    """Return a question with every fact known."""
    whole: dict[str, Any] = {
        "subject": Subject(
            type="person",
            id="dr.demo",
            issuer="https://idp.example.org",
            token_hash=b"",
            expires=0.0,
            roles=("radiologist",),
            mfa=True,
            acr="mfa",
            auth_time=1,
            claims={"a": [1]},
        ),
        "action": Action("retrieve", "wado-rs.frames"),
        "resource": RESOURCE,
        "studies": (
            Study(
                "1.2",
                patient_id="P",
                issuer_of_patient_id="I",
                modalities=("CT",),
                body_parts=("CHEST",),
                institutions=("N",),
                date="20240101",
                description="d",
                referring_physician="r",
                conditions=("C50",),
                care_team=({"issuer": "https://idp.example.org", "id": "dr.demo"},),
                consent={"permit": []},
            ),
        ),
        "device": Device(
            "D",
            "pc",
            "dr.demo",
            "https://idp.example.org",
            "mtls",
            "software",
            0.0,
            0.0,
            {"firewall": {"status": "pass", "value": True, "reason": None}},
        ),
        "context": Context("http", "192.0.2.1", 1, 1, ("n",), "DE", "TREAT", {"reason": "x"}, ("clock",)),
        "missing": ("studies[0].x",),
    }
    return Question(**{**whole, "posture_age": 1.23456, "auth_age": 1.5, **parts})


SPARSE = {"studies": (Study("1.2"),), "resource": Resource("study"), "context": Context("http", "", 0, 7)}


@pytest.mark.parametrize(
    "parts",
    [{}, SPARSE, {"device": None, "posture_age": None}, {"posture_age": None}, {"studies": ()}],
    ids=["whole", "sparse", "no device", "no posture", "no studies"],
)
def test_what_the_gateway_asks_meets_the_schema(parts: dict[str, Any]) -> None:
    asked = json.loads(question(**parts).input())
    assert [error.message for error in validator("input.json").iter_errors(asked)] == []


def test_every_fact_is_in_the_schema_and_no_other() -> None:
    """What the gateway can ask with and what the schema knows are the same names."""
    schema = json.loads((POLICIES / "schemas" / "input.json").read_text(encoding="utf-8"))["properties"]
    asked = json.loads(question().input())
    assert set(asked) == set(schema)
    for part in ("subject", "action", "resource", "device", "context"):
        assert set(asked[part]) == set(schema[part]["properties"]), part
    assert set(asked["studies"][0]) == set(schema["studies"]["items"]["properties"])
