"""The event channel (PS3.18 section 8.10.4): a WebSocket, judged when it opens and message by message as long as it runs.

A report goes to the client only if it could be judged: it names a workitem, that one names studies, and each of them may
be seen. The rest is withheld, and counted. What ends a reply ends a channel, with the code 1008.
"""

from dataclasses import replace

from leadglass.access.exchange import Exchange
from leadglass.access.live import Running
from leadglass.access.reply import judged
from leadglass.access.workitems import gather, look_up
from leadglass.codec import cookies
from leadglass.codec.workitem import affected
from leadglass.model.errors import Refusal, UpstreamBroken, refuse
from leadglass.model.ports import ClientChannel
from leadglass.model.reasons import Code

_SWITCHING = 101
_FAILED = 1011  # RFC 6455 section 7.4.1


async def serve(exchange: Exchange) -> None:
    """Stages 7 to 12. Raises Refusal, ClientGone."""
    services, scope, request = exchange.services, exchange.scope, exchange.request
    _same_origin(exchange)
    question = exchange.question()
    decision, permit = await judged(exchange, question)  # 8: may they open it at all?
    scope.stage("plan")  # 9
    exchange.plan(decision, question)
    await scope.decided(question, decision)
    async with services.live.running(exchange, question, decision) as running:
        scope.stage("upstream")
        events = await exchange.archive.upstream.channel(permit, exchange.match.ask)  # 10
        cut_by = None
        try:
            await running.confirm()
            scope.stage("forward")
            client = exchange.reply.switch(request.websocket or "", scope.decision_id, events.hang_up)
            told: dict[str, str] = {}
            scope.messages = {"passed": 0, "withheld": 0}
            scope.disclose(told)
            try:
                async for text in events.messages():
                    await _pass_on(exchange, running, client, text, told)  # 11, 12
                code = events.code
            except UpstreamBroken:
                code, cut_by = _FAILED, Code.UPSTREAM_INVALID
            await client.part(code)
        finally:
            events.close()
    scope.finished(_SWITCHING, exchange.reply.sent, cut_by)


def _same_origin(exchange: Exchange) -> None:
    """Browsers let every page open a WebSocket and read it, so whose page asks is for us to look at."""
    services, request = exchange.services, exchange.request
    ours, said = services.authorities[request.authority], request.headers.get("origin")
    by_cookie = cookies.value(request.headers.get("cookie"), cookies.SESSION) is not None
    if said == ours or (said is None and not by_cookie):
        return
    if by_cookie or services.cors is None or not services.cors.lists(request):
        raise refuse(Code.ORIGIN_REFUSED, "a WebSocket that a page of another origin opens")


async def _pass_on(
    exchange: Exchange, running: Running, client: ClientChannel, text: bytes, told: dict[str, str]
) -> None:
    """Send a report on if all of the studies behind it may be seen. Raises Refusal, which ends the channel, ClientGone."""
    await running.confirm()
    counts = exchange.scope.messages or {}
    seen = await _visible(exchange, text)
    if seen is None:
        counts["withheld"] += 1
        return
    counts["passed"] += 1
    told.update(seen)
    await client.send(text)


async def _visible(exchange: Exchange, text: bytes) -> dict[str, str] | None:
    """Return the studies that a report is about and whose they are; None when it must not be seen."""
    services, scope = exchange.services, exchange.scope
    try:
        uid, told = affected(text, _invalid)
        item = await look_up(exchange, uid)
        if item is None or not item.studies:
            return None
        named = await gather(exchange, [item, told])  # it goes as it is, so what else it names is judged too
    except Refusal:
        return None  # it cannot be judged
    resource = replace(exchange.match.resource, instance_uid=uid)
    question = exchange.question(named.studies, named.missing, resource)
    decision = await services.policy.decide(question, scope.decision_id)
    if not decision.allow:
        return None
    exchange.plan(decision, question)
    await scope.decided(question, decision)
    return named.patients


def _invalid(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_INVALID, detail)
