"""Requests judged by the study in their address, or by themselves: retrieve, render, delete, worklists."""

from leadglass.access.exchange import Exchange
from leadglass.access.observing import passes
from leadglass.access.reply import judged, opened, send, takes_gzip
from leadglass.model.decision import Decision
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Study
from leadglass.model.permit import Permit
from leadglass.model.question import Question
from leadglass.model.reasons import Code

_CHANGING = frozenset({"delete", "update", "store"})


async def serve(exchange: Exchange) -> None:
    """Stages 7 to 12. Raises Refusal, Cut, UpstreamBroken, ClientGone."""
    while True:
        study, missing = await _study(exchange)
        question = exchange.question(() if study is None else (study,), missing)
        decision, permit = await judged(exchange, question)
        if decision.view is not None or exchange.project is not None:
            exchange.plan(decision, question)  # a wrong UID is refused before what is there could make a difference
        if await _placed(exchange, study) is study:
            await _answer(exchange, question, decision, permit)
            return
        # It changed meanwhile: what was judged is not what is there, so it is judged again.


async def _study(exchange: Exchange) -> tuple[Study | None, tuple[str, ...]]:
    uid = exchange.match.resource.study_uid
    if uid is None:
        return None, ()
    studies = exchange.archive.studies
    study = studies.cached(uid)
    if study is not None:
        return study, ()
    try:
        found, missing = await studies.gather((uid,))
    except Refusal as refusal:
        exchange.refused = passes(exchange.services, refusal)
        return None, ()
    # One that does not exist is judged like one of which nothing is known, so that both are refused alike.
    return found.get(uid) or Study(uid, exists=False), missing


async def _placed(exchange: Exchange, study: Study | None) -> Study | None:
    """Make sure that the study exists and that series and instance are its own.

    Only for who may see the study: it comes after the decision, because for anybody else none of it is their business.
    Raises Refusal `study-not-visible`.
    """
    if study is None:
        return None
    resource, studies = exchange.match.resource, exchange.archive.studies
    if not study.exists:
        raise refuse(Code.STUDY_NOT_VISIBLE, "no such study")
    if resource.series_uid is None or studies.placed(study, resource.series_uid, resource.instance_uid):
        return study
    return await studies.hierarchy(study, resource.series_uid, resource.instance_uid)


async def _answer(exchange: Exchange, question: Question, decision: Decision, permit: Permit) -> None:
    services, scope, match = exchange.services, exchange.scope, exchange.match
    scope.stage("plan")  # 9
    plan = exchange.plan(decision, question)
    await scope.decided(question, decision)
    ask = (await plan.ask()).ask if plan.changes else match.ask
    changed = match.resource.study_uid if match.action.name in _CHANGING else None
    body = exchange.body.chunks() if match.body is not None else None
    async with services.live.running(exchange, question, decision) as running:
        try:
            reply = await opened(exchange, running, permit, ask, body)  # 10
        finally:
            if changed is not None:
                exchange.archive.studies.drop(changed)
        gzip = takes_gzip(exchange.request)
        sealed = await plan.treat(reply, gzip=gzip) if plan.changes else plan.seal(reply, gzip=gzip)  # 11
        await send(exchange, sealed)  # 12
