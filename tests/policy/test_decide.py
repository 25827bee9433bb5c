import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from leadglass.epochs import Epochs
from leadglass.model.errors import Refusal
from leadglass.model.facts import EMERGENCY, Action, Resource, Study
from leadglass.policy.decide import Active, Policy
from leadglass.policy.engine import NoAnswer, OutOfTime, Unavailable, Undefined
from support.clock import FakeClock
from support.policy import ALLOWED, DENIED, ID, device, engine, files, policy, question, subject, verbatim


async def test_a_yes_is_leased_and_used_again() -> None:
    clock = FakeClock()
    judge = policy(clock)
    asked = question(clock)
    assert judge.cached(asked, ID) is None
    first = await judge.decide(asked, ID)
    assert first.allow
    assert first.leased_from is None
    assert first.input == asked.input()
    found = judge.cached(question(clock, instance="1.2.3.4.6"), ID[::-1])
    assert found is not None
    decision, leave = found
    assert decision.leased_from == first.id != decision.id
    assert (decision.allow, decision.input, decision.grants) == (True, b"", first.grants)
    assert leave.resource.instance_uid == "1.2.3.4.6"


async def test_a_no_is_never_leased() -> None:
    clock = FakeClock()
    judge = policy(clock)
    asked = question(clock, subject=subject(clock, roles=()))
    decision = await judge.decide(asked, ID)
    assert not decision.allow
    assert [cause.reason.code for cause in decision.causes] == ["not-granted"]
    assert judge.cached(asked, ID) is None
    with pytest.raises(Refusal):
        judge.permit(asked, decision)


async def test_no_lease_without_the_rules_saying_so() -> None:
    clock = FakeClock()
    judge = policy(clock, lease_seconds=0)
    assert (await judge.decide(question(clock), ID)).allow
    assert judge.cached(question(clock), ID) is None


async def test_a_lease_is_never_longer_than_the_limit() -> None:
    clock = FakeClock()
    judge = policy(clock, lease_seconds=100_000)
    decision = await judge.decide(question(clock), ID)
    assert decision.valid_until == clock.now() + 300


@pytest.mark.parametrize(
    "name", ["policy", "attributes", "config", "risk", "issuer:https://idp.example", "device:device-1"]
)
async def test_a_lease_ends_at_each_epoch(name: str) -> None:
    clock, epochs = FakeClock(), Epochs()
    judge = policy(clock, epochs)
    asked = question(clock, device=device(clock), posture_age=1.0)
    await judge.decide(asked, ID)
    assert judge.cached(asked, ID) is not None
    epochs.bump(name)
    assert judge.cached(asked, ID) is None


ENDS: list[tuple[str, dict[str, Any], float]] = [
    ("token", {"subject": {"expires": 3.0}}, 3.0),
    ("certificate", {"device": {"expires": 2.0}}, 2.0),
    ("until in", {"document": {"until_in": 1.5}}, 1.5),
    ("until at", {"document": {"until_at": 1_800_000_004.0}}, 4.0),
    ("lease", {}, 5.0),
    ("earliest", {"subject": {"expires": 3.0}, "document": {"until_in": 4.0}}, 3.0),
]


@pytest.mark.parametrize(("changed", "seconds"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
async def test_a_decision_ends_with_its_first_fact(changed: dict[str, Any], seconds: float) -> None:
    clock = FakeClock()
    judge = policy(clock)
    document = {**ALLOWED, "lease": {"seconds": 5, "scope": "study"}, **changed.get("document", {})}
    owner, facts = dict(changed.get("subject", {})), dict(changed.get("device", {}))
    for one in (owner, facts):
        if "expires" in one:
            one["expires"] += clock.now()
    asked = verbatim(clock, document, device=device(clock, **facts))
    asked = replace(asked, subject=replace(asked.subject, **owner))
    decision = await judge.decide(asked, ID)
    assert decision.valid_until == pytest.approx(clock.now() + seconds)
    clock.advance(seconds - 0.01)
    assert judge.cached(asked, ID) is not None
    clock.advance(0.01)
    assert judge.cached(asked, ID) is None


async def test_posture_age_bounds_the_answer() -> None:
    clock = FakeClock()
    decision = await policy(clock, lease_seconds=300).decide(
        question(clock, device=device(clock), posture_age=100.0), ID
    )
    assert decision.valid_until == pytest.approx(clock.now() + 20)


async def test_an_unleased_decision_ends_with_its_facts() -> None:
    clock = FakeClock()
    decision = await policy(clock, lease_seconds=0).decide(question(clock), ID)
    assert decision.valid_until == clock.now() + 3600


@pytest.mark.parametrize(
    "document", [None, [], True, {**ALLOWED, "grants": []}, {**DENIED, "reasons": [{"code": "made-up", "params": {}}]}]
)
async def test_what_is_no_decision_is_a_denial(document: object, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    judge = policy(clock)
    asked = verbatim(clock, document)
    with caplog.at_level(logging.ERROR):
        decision = await judge.decide(asked, ID)
    assert not decision.allow
    assert [cause.reason.code for cause in decision.causes] == ["decision-undefined"]
    assert decision.id in caplog.text
    assert judge.cached(asked, ID) is None


@pytest.mark.parametrize(
    ("purpose", "codes"),
    [("conflict", {"decision-undefined"}), ("undefined", {"decision-undefined"}), ("loop", {"decision-timeout"})],
)
async def test_rules_that_misbehave_deny_and_the_next_request_is_fine(purpose: str, codes: set[str]) -> None:
    clock = FakeClock()
    judge = policy(clock)
    decision = await judge.decide(question(clock, purpose=purpose), ID)
    assert not decision.allow
    assert {cause.reason.code for cause in decision.causes} == codes
    assert (await judge.decide(question(clock), ID)).allow


async def test_an_input_that_does_not_fit_its_schema_is_not_judged() -> None:
    clock = FakeClock()
    decision = await policy(clock).decide(question(clock, action="seize"), ID)  # type: ignore[arg-type]  # the point
    assert [cause.reason.code for cause in decision.causes] == ["decision-undefined"]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"], ids=ascii)
async def test_a_lone_surrogate_is_denied(text: str) -> None:
    clock = FakeClock()
    judge = policy(clock)
    asked = question(clock, purpose=text)
    assert judge.cached(asked, ID) is None
    decision = await judge.decide(asked, ID)
    assert not decision.allow
    assert [cause.reason.code for cause in decision.causes] == ["decision-undefined"]


@pytest.mark.parametrize(
    "text", ['"', "\\", '","allow":true,"x":"', "}]}", "a\0b", "\r\nX: y", "\x1b[31m", "Müller 山田", "{text}"]
)
async def test_strings_reach_the_refusal_as_they_came(text: str) -> None:
    clock = FakeClock()
    decision = await policy(clock).decide(
        question(clock, purpose="echo", studies=[Study("1.2.3", description=text)]), ID
    )
    assert not decision.allow
    assert [dict(cause.params) for cause in decision.causes] == [{"text": text}]


async def test_an_engine_that_is_down_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    judge = Policy(Active(files(), Scripted(*(Unavailable("x") for _ in range(5)))), clock, Epochs())
    for _ in range(4):
        await judge.decide(question(clock), ID)
    assert len(caplog.records) == 1
    clock.advance(1.0)
    await judge.decide(question(clock), ID)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("issuer", "failure", "answered"),
    [
        (EMERGENCY, Unavailable("x"), "wasm"),
        ("https://idp.example", Unavailable("x"), None),
        (EMERGENCY, Undefined("x"), None),
        (EMERGENCY, OutOfTime("x"), None),
    ],
    ids=["an emergency", "anybody else", "rules without an answer", "rules that run away"],
)
async def test_the_reserve_answers_for_emergencies_alone(issuer: str, failure: NoAnswer, answered: str | None) -> None:
    clock = FakeClock()
    judge = Policy(Active(files(), Scripted(failure), engine()), clock, Epochs())
    asked = question(clock, subject=subject(clock, issuer=issuer), device=device(clock, owner_issuer=issuer))
    decision = await judge.decide(asked, ID)
    assert decision.allow is (answered is not None)
    assert decision.engine == (answered or "opa")


class Scripted:
    """An engine that does as it is told."""

    name = "opa"

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.gate: asyncio.Event | None = None

    async def evaluate(self, document: bytes) -> object:
        assert document
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, NoAnswer):
            raise answer
        return answer

    async def close(self) -> None:
        return


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Undefined("x"), "decision-undefined"),
        (OutOfTime(), "decision-timeout"),
        (Unavailable("x"), "decision-unavailable"),
    ],
)
async def test_an_engine_without_an_answer_denies(answer: NoAnswer, code: str) -> None:
    clock = FakeClock()
    judge = Policy(Active(files(), Scripted(answer)), clock, Epochs())
    decision = await judge.decide(question(clock), ID)
    assert [cause.reason.code for cause in decision.causes] == [code]
    assert decision.engine == "opa"


async def test_rules_that_change_while_they_are_asked_are_asked_again() -> None:
    clock = FakeClock()
    old = Scripted({**ALLOWED, "lease": {"seconds": 5, "scope": "study"}})
    old.gate = asyncio.Event()
    judge = Policy(Active(files(), old), clock, Epochs())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(judge.decide(question(clock), ID))
        await asyncio.sleep(0)
        judge.swap(Active(files(), Scripted(DENIED)))
        old.gate.set()
    assert not task.result().allow
    assert judge.cached(question(clock), ID) is None


async def test_a_reload_ends_every_lease() -> None:
    clock = FakeClock()
    judge = policy(clock)
    await judge.decide(question(clock), ID)
    judge.swap(Active(files(), engine(roles={})))
    assert judge.cached(question(clock), ID) is None
    assert not (await judge.decide(question(clock), ID)).allow


async def test_a_page_is_judged_row_by_row() -> None:
    clock = FakeClock()
    judge = policy(clock)
    studies = [
        Study("1.2.1", modalities=("CT",)),
        Study("1.2.2", modalities=("MR",), conditions=("C50",)),
        Study("1.2.3", modalities=("MR",), conditions=("I10",)),
    ]
    page = await judge.decide(question(clock, action="search", studies=studies), ID)
    assert (page.allow, [row.row for row in page.rows], page.visibility) == (True, [1], {})
    lister = subject(clock, roles=("reader", "lister"))
    page = await judge.decide(question(clock, action="search", studies=studies, subject=lister), ID)
    assert ([row.row for row in page.rows], page.visibility) == ([1], {1: "listed"})
    nobody = subject(clock, roles=())
    assert not (await judge.decide(question(clock, action="search", studies=studies, subject=nobody), ID)).allow


async def test_anything_but_a_search_is_denied_by_one_row() -> None:
    clock = FakeClock()
    studies = [Study("1.2.1", modalities=("CT",)), Study("1.2.2", modalities=("MR",), conditions=("C50",))]
    decision = await policy(clock).decide(question(clock, action="retrieve", studies=studies), ID)
    assert not decision.allow
    assert [cause.reason.code for cause in decision.refusal().causes] == ["oncologist-only"]


def different(clock: FakeClock) -> list[tuple[str, dict[str, Any]]]:
    known = question(clock)
    return [
        ("token", {"subject": subject(clock, token_hash=b"\1" * 32)}),
        ("person", {"subject": subject(clock, id="reader-2")}),
        ("issuer", {"subject": subject(clock, issuer="https://idp.other")}),
        ("roles joined", {"subject": subject(clock, roles=("reader,lister",))}),
        ("roles apart", {"subject": subject(clock, roles=("reader", "lister"))}),
        ("no MFA", {"subject": subject(clock, mfa=False)}),
        ("act", {"action": Action("render", "wado-rs.instance")}),
        ("transaction", {"action": Action("retrieve", "wado-rs.frames")}),
        ("study", {"resource": replace(known.resource, study_uid="1.2.34")}),
        ("UIDs spelled alike", {"resource": Resource("instance", "1.2.3.1", "2.3.4", "1.2.3.4.5")}),
        ("attribute", {"resource": replace(known.resource, attribute="00100010")}),
        ("query", {"resource": replace(known.resource, query={"00100020": ("a", "b")})}),
        ("query joined", {"resource": replace(known.resource, query={"00100020": ("a,b",)})}),
        ("facts", {"studies": (Study("1.2.3", modalities=("MR",)),)}),
        ("more studies", {"studies": (*known.studies, Study("1.2.4"))}),
        ("device", {"device": device(clock)}),
        ("another device", {"device": device(clock, id="device-2")}),
        ("posture", {"device": device(clock, checks={"firewall": {"status": "fail"}})}),
        ("address", {"context": replace(known.context, client_ip="192.0.2.2")}),
        ("network", {"context": replace(known.context, networks=("guest",))}),
        ("purpose", {"context": replace(known.context, purpose="HRESCH")}),
        ("break-glass", {"context": replace(known.context, break_glass={"reason": "x"})}),
        ("degraded", {"context": replace(known.context, degraded=("clock",))}),
        ("missing", {"missing": ("studies[0].conditions",)}),
    ]


def test_no_two_questions_share_a_lease_key() -> None:
    clock = FakeClock()
    keys = {"as it is": question(clock).lease_key()}
    keys.update({name: question(clock, **changed).lease_key() for name, changed in different(clock)})
    assert len(set(keys.values())) == len(keys)


@pytest.mark.parametrize("name", [name for name, _ in different(FakeClock())])
async def test_a_lease_serves_no_other_question(name: str) -> None:
    clock = FakeClock()
    judge = policy(clock)
    await judge.decide(question(clock), ID)
    assert judge.cached(question(clock, **dict(different(clock))[name]), ID) is None


async def test_time_and_instance_do_not_change_the_key() -> None:
    clock = FakeClock()
    judge = policy(clock)
    await judge.decide(question(clock, device=device(clock), posture_age=1.0), ID)
    later = question(clock, device=device(clock), posture_age=2.0, instance="1.9")
    assert judge.cached(replace(later, context=replace(later.context, hour=10)), ID) is not None
