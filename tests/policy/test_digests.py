"""Remembered lease keys are the ones that would be made, and no two questions share one by accident."""

import gc
from dataclasses import replace

import pytest

from leadglass import limits
from leadglass.model.facts import Action, Resource
from leadglass.model.question import Question
from leadglass.policy.digests import Digests
from support.clock import FakeClock
from support.policy import device, question, subject


def asked_by(clock: FakeClock) -> Question:
    return replace(question(clock), device=device(clock))


def counted() -> tuple[Digests, list[Question]]:
    asked: list[Question] = []

    def of(put: Question) -> bytes:
        asked.append(put)
        return put.lease_key()

    return Digests(of), asked


def test_the_same_parts_are_digested_once() -> None:
    digests, asked = counted()
    put = asked_by(FakeClock())
    other_instance = replace(put, resource=replace(put.resource, instance_uid="1.2.3.99"), posture_age=99.0)
    assert digests.key(put) == put.lease_key()
    assert digests.key(other_instance) == other_instance.lease_key() == put.lease_key()
    assert len(asked) == 1


def _others(put: Question, clock: FakeClock) -> dict[str, Question]:
    return {
        "an equal subject of another token": replace(put, subject=subject(clock, token_hash=bytes(31) + b"1")),
        "another device": replace(put, device=device(clock, id="device-2")),
        "no device": replace(put, device=None),
        "another context": replace(put, context=replace(put.context, client_ip="192.0.2.77")),
        "another act under one transaction": replace(put, action=replace(put.action, name="export")),
        "another transaction": replace(put, action=Action(put.action.name, "wado-rs.other")),
        "another type": replace(put, resource=replace(put.resource, type="series")),
        "another study": replace(put, resource=replace(put.resource, study_uid="1.2.3.77")),
        "another archive": replace(put, resource=replace(put.resource, upstream="vna")),
        "another mount": replace(put, resource=replace(put.resource, mount="/viewer")),
        "an attribute": replace(put, resource=replace(put.resource, attribute="00100010")),
        "a query": replace(put, resource=replace(put.resource, query={"00100020": ("P1",)})),
        "an existing instance": replace(put, resource=replace(put.resource, exists=True)),
        "a class": replace(put, resource=replace(put.resource, sop_class="1.2.840.10008.5.1.4.1.1.2")),
        "something missing": replace(put, missing=("studies[0].conditions",)),
        "other facts of the study": replace(put, studies=(replace(put.studies[0], conditions=("C71.9",)),)),
        "two studies": replace(put, studies=(*put.studies, *put.studies)),
        "no study": replace(put, studies=()),
    }


@pytest.mark.parametrize("name", sorted(_others(asked_by(FakeClock()), FakeClock())))
def test_another_question_has_its_own_key(name: str) -> None:
    clock = FakeClock()
    put = asked_by(clock)
    other = _others(put, clock)[name]
    digests = Digests()
    first = digests.key(put)
    for _ in range(2):
        assert digests.key(other) == other.lease_key() != first
        assert digests.key(put) == first


def test_objects_that_are_gone_leave_no_key_to_others_in_their_place() -> None:
    clock = FakeClock()
    digests = Digests()
    put = asked_by(clock)
    for number in range(2_000):
        other = replace(put, subject=subject(clock, id=f"reader-{number}"))
        assert digests.key(other) == other.lease_key()
        del other
    gc.collect()


def test_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DIGESTS_HELD", 3)
    clock, digests = FakeClock(), Digests()
    put = asked_by(clock)
    for number in range(10):
        digests.key(replace(put, resource=Resource("study", f"1.2.{number}")))
        assert len(digests) <= 3


def test_what_json_cannot_say_is_raised() -> None:
    put = asked_by(FakeClock())
    with pytest.raises(TypeError):
        Digests().key(replace(put, subject=replace(put.subject, claims={"x": object()})))
