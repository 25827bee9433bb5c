"""What all ways through the pipeline share: asking policy, and sending what the plan sealed."""

import re
from collections.abc import AsyncIterator

from leadglass.access.exchange import Exchange
from leadglass.access.live import Running
from leadglass.model.ask import Ask
from leadglass.model.decision import Decision
from leadglass.model.permit import Permit, Sealed
from leadglass.model.ports import UpstreamReply
from leadglass.model.question import Question
from leadglass.model.request import CleanRequest

_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:$|,|;\s*q=(?!0(?:\.0*)?\s*(?:$|,)))")


def takes_gzip(request: CleanRequest) -> bool:
    """Return whether the client takes a gzipped reply (RFC 9110 section 12.5.3)."""
    value = request.headers.get("accept-encoding")
    return value is not None and _GZIP.search(value) is not None


async def judged(exchange: Exchange, question: Question) -> tuple[Decision, Permit]:
    """Stage 8: the lease in force, or a new decision. Raises Refusal when it is a no, with the record written."""
    policy, scope = exchange.services.policy, exchange.scope
    scope.stage("decision")
    known = policy.cached(question, scope.decision_id) if exchange.refused is None else None
    if known is not None:
        return known
    decision = await exchange.decide(question)
    if not decision.allow:
        await scope.decided(question, decision)
        exchange.services.why.keep(question, decision)
        raise decision.refusal()
    return decision, policy.permit(question, decision)


async def opened(
    exchange: Exchange, running: Running, permit: Permit, ask: Ask, body: AsyncIterator[bytes] | None = None
) -> UpstreamReply:
    """Stage 10: ask the archive. Raises Refusal, also when what moved while it worked ends the exchange (law 7)."""
    exchange.scope.stage("upstream")
    reply = await exchange.archive.upstream.open(permit, ask, body)
    try:
        await running.confirm()
    except BaseException:
        reply.abort()
        raise
    return reply


async def send(exchange: Exchange, sealed: Sealed) -> None:
    """Stage 12. Raises ClientGone, UpstreamBroken, Cut; the pipeline then cuts and records."""
    scope, reply = exchange.scope, exchange.reply
    scope.stage("forward")
    await reply.forward(sealed, scope.decision_id)
    scope.finished(sealed.status, reply.sent)
