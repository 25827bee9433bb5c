"""One exchange: the question it puts, and the look at who asks that a long one takes again."""

from dataclasses import fields, replace
from typing import Any

import pytest

from leadglass.access import pipeline
from leadglass.access.exchange import Exchange
from leadglass.model.errors import Refusal
from leadglass.model.facts import Study
from support.gateway import CT, Running

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


@pytest.fixture
async def exchange(run: Running, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """Return the exchange of a real request, taken where the pipeline hands it on."""
    taken: list[Exchange] = []
    serve = pipeline._WAYS["study"]

    async def keep(exchange: Exchange) -> None:
        taken.append(exchange)
        await serve(exchange)

    monkeypatch.setitem(pipeline._WAYS, "study", keep)
    await run.ask(METADATA)
    return taken[0]


async def test_the_question_is_about_what_the_route_names(run: Running, exchange: Exchange) -> None:
    question = exchange.question((Study(CT.uid),), ("studies[0].conditions",))
    assert (question.action.transaction, question.resource.study_uid) == ("wado-rs.study-metadata", CT.uid)
    assert (question.subject.id, question.device.id if question.device else None) == ("dr.demo", run.agent.id)
    assert question.missing == ("studies[0].conditions",)


async def test_the_age_of_the_posture_is_that_of_the_moment(run: Running, exchange: Exchange) -> None:
    assert exchange.question().posture_age == 0
    run.clock.advance(7)
    assert exchange.question().posture_age == 7


async def test_the_age_of_the_sign_in_is_that_of_the_moment(run: Running, exchange: Exchange) -> None:
    exchange.subject = replace(exchange.subject, auth_time=int(run.clock.now()))
    run.clock.advance(7)
    assert exchange.question().auth_age == 7
    exchange.subject = replace(exchange.subject, auth_time=None)
    assert exchange.question().auth_age is None


async def test_without_a_device_there_is_no_age(exchange: Exchange) -> None:
    exchange.device = None
    question = exchange.question()
    assert (question.device, question.posture_age) == (None, None)


async def test_a_long_exchange_is_looked_at_again(run: Running, exchange: Exchange) -> None:
    exchange.renew()
    run.clock.advance(3600)
    with pytest.raises(Refusal) as caught:
        exchange.renew()
    assert caught.value.causes[0].reason.code in {"user-unauthenticated", "device-certificate-expired"}


async def test_a_long_exchange_sees_the_posture_that_came_meanwhile(run: Running, exchange: Exchange) -> None:
    await run.tell("fail")
    exchange.renew()
    device = exchange.device
    assert device is not None
    assert device.checks["firewall"]["status"] == "fail"


async def test_a_device_that_shows_itself_meanwhile_must_not_be_a_revoked_one(run: Running, exchange: Exchange) -> None:
    exchange.device = None  # as that of a session whose proof was over
    await run.gateway.revocations.revoke("device", run.agent.id, "lost", 60, {})
    with pytest.raises(Refusal, match="access-revoked"):
        exchange.renew()


def test_an_exchange_holds_what_it_began_with() -> None:
    names: Any = {field.name for field in fields(Exchange)}
    assert {"services", "scope", "request", "match", "subject", "device", "context", "body", "reply"} <= names
