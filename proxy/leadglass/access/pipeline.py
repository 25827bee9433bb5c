"""The life of one request: every stage in order, in one place (laws 4 and 5).

A stage that says no raises a Refusal; a stage that crashes is a refusal too. The scope is opened first and writes on
every way out. Nothing here knows HTTP: a door hands in what it read and a Reply to answer on.
"""

import asyncio
import logging
import traceback

from leadglass.access import channel, files, read, search, store, view, workitems
from leadglass.access.browser import by_secret, by_session, invite
from leadglass.access.control import serve_control
from leadglass.access.credentials import credentials, device
from leadglass.access.elsewhere import answered
from leadglass.access.emergency import session_of
from leadglass.access.exchange import Exchange
from leadglass.access.observing import charge, nobody, passes
from leadglass.access.services import Services
from leadglass.access.signals import stand
from leadglass.access.tracing import route_of
from leadglass.access.ways import offer
from leadglass.audit.scope import Scope
from leadglass.codec import control, cookies
from leadglass.codec.head import clean
from leadglass.codec.routes import RouteMatch
from leadglass.identity.dpop import USE_NONCE
from leadglass.model.errors import ClientGone, Cut, Refusal, UpstreamBroken, refuse
from leadglass.model.facts import Subject
from leadglass.model.ports import BodySource, Reply
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Incoming, Peer

_log = logging.getLogger("leadglass.access")
_WAYS = {
    "study": read.serve, "none": read.serve, "rows": search.serve, "parts": store.serve, "file": files.serve,
    "workitem": workitems.serve, "worklist": workitems.search, "channel": channel.serve,
}  # fmt: skip


class AccessPipeline:
    """A `model.ports.Pipeline`. `services` is swapped whole on reload; a running exchange keeps the ones it began with."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def handle(self, incoming: Incoming, body: BodySource, reply: Reply) -> None:
        """Judge and answer one request. Raises nothing but a cancellation."""
        services = self.services
        scope = services.audit.scope(incoming)  # 2: before anything is read
        async with scope:
            try:
                if services.tracer is not None:
                    scope.trace = services.tracer.begin(incoming)
                await _stages(services, scope, incoming, body, reply)
            except Refusal as refusal:
                invite(services, incoming.head, refusal)
                subject = scope.subject
                offer(services, incoming.head, refusal, scope.decision_id, None if subject is None else subject.session)
                await _refuse(scope, refusal, reply)
            except ClientGone:
                scope.finished(_begun(scope, reply), reply.sent, "client-gone")
            except (Cut, UpstreamBroken) as broken:
                reply.cut()
                scope.finished(
                    _begun(scope, reply), reply.sent, broken.code if isinstance(broken, Cut) else Code.UPSTREAM_INVALID
                )
            except asyncio.CancelledError:
                scope.finished(_begun(scope, reply), reply.sent, "client-gone")
                raise
            except Exception as error:  # noqa: BLE001 - a crash is a refusal (law 2)
                # Where it happened, not what it said: messages of exceptions quote what they were given.
                frames = "".join(traceback.format_tb(error.__traceback__))
                _log.error("decision %s: %s in a stage\n%s", scope.decision_id, type(error).__name__, frames)
                await _refuse(scope, refuse(Code.INTERNAL_FAULT, type(error).__name__), reply)


async def _stages(services: Services, scope: Scope, incoming: Incoming, body: BodySource, reply: Reply) -> None:
    """Run the stages in their order (design, section 4). The numbers are those of its table."""
    scope.admit()
    scope.stage("hygiene")  # 3
    if incoming.fault is not None:
        raise incoming.fault
    request = clean(incoming.head, services.authorities, services.routes.folders, channels=services.routes.channels)
    scope.stage("route")  # 4
    if request.path.startswith(control.PREFIX):
        await serve_control(services, scope, request, incoming.peer, body, reply)
        return
    if services.cors is not None and answered(services, services.cors, scope, request, incoming.peer, reply):
        return  # a preflight: nobody's, so before identity
    match = _route(services, scope, request)
    generation = services.live.generation
    scope.stage("identity")  # 5
    refused: Refusal | None = None  # what a stage says no to, and passes while the gateway observes
    try:
        subject = scope.subject = await identify(services, request, incoming.peer)
    except Refusal as refusal:
        refused, subject = passes(services, refusal), nobody(services, request, incoming.peer.ip)
    if isinstance(match, Refusal):
        raise match  # told only to whoever is known
    scope.stage("device")  # 6
    try:
        shown = scope.device = device(services, subject, incoming.peer)
    except Refusal as refusal:
        refused, shown = refused or passes(services, refusal), None
    services.revocations.check(subject, shown)
    subject, shown, risk = stand(services, subject, shown)
    if refused is None:
        scope.subject, scope.device = subject, shown
    scope.stage("attributes")  # 7
    degraded = services.degraded()
    context = services.contexts.build(
        incoming.door, incoming.peer.ip, request.headers, degraded, risk=risk, glass=subject.glass
    )
    exchange = Exchange(
        services, scope, request, match, subject, shown, context, body, reply, incoming.peer, generation, refused
    )
    if view.concerns(match):
        await view.enter(exchange)
    await _WAYS[match.route.judged](exchange)  # 7 - 12: as the row is judged


def _route(services: Services, scope: Scope, request: CleanRequest) -> RouteMatch | Refusal:
    try:
        match = services.routes.match(request)
    except Refusal as refusal:
        return refusal
    scope.action, scope.resource = match.action, match.resource
    if scope.trace is not None:
        scope.trace.route = route_of(request, match)
    return match


async def identify(services: Services, request: CleanRequest, peer: Peer) -> Subject:
    """Return who asks. Raises Refusal, also when this source has failed too often or this subject asks too fast."""
    cookie = cookies.value(request.headers.get("cookie"), cookies.SESSION)
    subject = None if cookie is None else await by_session(services, request, cookie, peer.ip)
    if subject is None:
        subject = await _by_token(services, request, peer)
    services.subjects.spend(f"{subject.issuer} {subject.id}")
    return subject


async def _by_token(services: Services, request: CleanRequest, peer: Peer) -> Subject:
    authorization, evidence = credentials(services, request, peer)
    if (secret := session_of(authorization)) is not None:
        return await by_secret(services, secret, peer.ip, coded=True)
    subject = services.identity.cached(authorization, evidence)
    if subject is None:
        services.strangers.demand(peer.ip)
        with services.strangers.waiting(peer.ip):
            try:
                subject = await services.identity.authenticate(authorization, evidence)
            except Refusal as refusal:
                if refusal.challenge != USE_NONCE:  # token and proof are good, and the client asks again at once
                    charge(services, peer.ip)
                raise
    return subject


async def _refuse(scope: Scope, refusal: Refusal, reply: Reply) -> None:
    """Write the refusal down, then say it; a reply that has begun can only be cut."""
    said = await scope.refused(refusal)
    code = said.causes[0].reason.code
    if reply.started:
        reply.cut()
        scope.finished(_begun(scope, reply), reply.sent, code)
    else:
        reply.refuse(said, scope.decision_id)
        scope.finished(said.causes[0].reason.status, reply.sent)


def _begun(scope: Scope, reply: Reply) -> int | None:
    if not reply.started:
        return None
    return 200 if scope.messages is None else 101
