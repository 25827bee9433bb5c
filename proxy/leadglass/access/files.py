"""Requests for files of a viewer: judged like every other, by themselves, and answered by a static mount."""

from leadglass.access.exchange import Exchange
from leadglass.access.reply import judged, send, takes_gzip
from leadglass.codec import navigation
from leadglass.static.mounts import Wanted


async def serve(exchange: Exchange) -> None:
    """Stages 8 to 12. Raises Refusal, Cut, ClientGone."""
    services, scope, match, request = exchange.services, exchange.scope, exchange.match, exchange.request
    question = exchange.question()
    decision, permit = await judged(exchange, question)
    scope.stage("plan")  # 9
    plan = exchange.plan(decision, question)
    await scope.decided(question, decision)
    get = request.headers.get
    wanted = Wanted(
        match.ask.path,
        page=navigation.wants_page(request.method, get("sec-fetch-mode"), get("accept") or ""),
        gzip=takes_gzip(request),
        etags=get("if-none-match"),
    )
    async with services.live.running(exchange, question, decision) as running:
        scope.stage("upstream")  # 10
        sealed = plan.seal_file(await services.files.open(permit, wanted))  # 11
        await running.confirm()
        await send(exchange, sealed)  # 12
