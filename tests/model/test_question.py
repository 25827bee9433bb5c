"""The question: equal lease keys mean equal answers, so whatever a rule may read is in the key or ends the lease."""

from dataclasses import replace

import orjson
import pytest
from jsonschema import Draft202012Validator

from leadglass.model.facts import Study
from leadglass.model.question import Question
from leadglass.policy.sources import shipped
from support.record import question

BASE = question()
assert BASE.device is not None
SAME = {
    "series": replace(BASE, resource=replace(BASE.resource, series_uid="1.9")),
    "instance": replace(BASE, resource=replace(BASE.resource, instance_uid="1.9")),
    "frames": replace(BASE, resource=replace(BASE.resource, frames=(7,))),
    "hour": replace(BASE, context=replace(BASE.context, hour=23, weekday=7)),
    "age": replace(BASE, posture_age=99.0),
}
OTHER = {
    "token": replace(BASE, subject=replace(BASE.subject, token_hash=b"u" * 32)),
    "roles": replace(BASE, subject=replace(BASE.subject, roles=("oncologist",))),
    "person": replace(BASE, subject=replace(BASE.subject, id="dr.other")),
    "mfa": replace(BASE, subject=replace(BASE.subject, mfa=False)),
    "claims": replace(BASE, subject=replace(BASE.subject, claims={"a": 1})),
    "action": replace(BASE, action=replace(BASE.action, name="render")),
    "transaction": replace(BASE, action=replace(BASE.action, transaction="wado-rs.study")),
    "study": replace(BASE, resource=replace(BASE.resource, study_uid="1.9")),
    "attribute": replace(BASE, resource=replace(BASE.resource, attribute="00100010")),
    "type": replace(BASE, resource=replace(BASE.resource, type="instance")),
    "query": replace(BASE, resource=replace(BASE.resource, query={"00100020": ("P001",)})),
    "facts": replace(BASE, studies=(Study(BASE.studies[0].study_uid, patient_id="P002"),)),
    "no-studies": replace(BASE, studies=()),
    "missing": replace(BASE, missing=("studies[0].conditions",)),
    "device": replace(BASE, device=replace(BASE.device, id="dev-2")),
    "no-device": replace(BASE, device=None, posture_age=None),
    "posture": replace(BASE, device=replace(BASE.device, checks={"firewall": {"status": "fail"}})),
    "ip": replace(BASE, context=replace(BASE.context, client_ip="192.0.2.8")),
    "networks": replace(BASE, context=replace(BASE.context, networks=("guest",))),
    "purpose": replace(BASE, context=replace(BASE.context, purpose="HRESCH")),
    "break-glass": replace(BASE, context=replace(BASE.context, break_glass={"reason": "x"})),
    "degraded": replace(BASE, context=replace(BASE.context, degraded=("log-disk",))),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME.keys())
def test_what_a_lease_ranges_over_is_not_in_its_key(other: Question) -> None:
    assert other.lease_key() == BASE.lease_key()


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER.keys())
def test_what_an_answer_depends_on_is_in_the_key(other: Question) -> None:
    assert other.lease_key() != BASE.lease_key()


def test_no_two_of_them_share_a_key() -> None:
    keys = {other.lease_key() for other in OTHER.values()}
    assert len(keys) == len(OTHER)


@pytest.mark.parametrize("asked", [BASE, *SAME.values(), *OTHER.values()])
def test_every_input_is_as_its_schema_says(asked: Question) -> None:
    schema = orjson.loads((shipped() / "schemas/input.json").read_bytes())
    Draft202012Validator(schema).validate(orjson.loads(asked.input()))


def test_the_input_is_canonical() -> None:
    text = BASE.input()
    assert text == orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


def test_what_the_context_could_not_tell_is_missing_too() -> None:
    asked = replace(BASE, missing=("studies[0].consent",), context=replace(BASE.context, missing=("context.country",)))
    assert orjson.loads(asked.input())["missing"] == ["studies[0].consent", "context.country"]
    other = replace(BASE, context=replace(BASE.context, country="GB", city="London"))
    assert orjson.loads(other.input())["context"]["country"] == "GB"
    assert "London" not in other.input().decode()
