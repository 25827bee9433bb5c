"""Control paths leave the pipeline here: each has needs of its own, and is then relayed to the control side."""

import hashlib
from dataclasses import replace

import orjson

from leadglass.access.browser import shown
from leadglass.access.credentials import credentials
from leadglass.access.services import Services
from leadglass.audit.scope import Scope
from leadglass.codec import control
from leadglass.limits import CONTROL_BODY_BYTES
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Cause, Refusal, refuse
from leadglass.model.permit import ControlReply
from leadglass.model.ports import BodySource, Reply
from leadglass.model.reasons import REASONS, Code
from leadglass.model.request import CleanRequest, Peer

_REFUSED = 400  # and above


async def serve_control(
    services: Services, scope: Scope, request: CleanRequest, peer: Peer, body: BodySource, reply: Reply
) -> None:
    """Establish what the path needs, relay the request, and answer. Raises Refusal."""
    route = control.match(request.path, request.method)
    if route is None:
        raise refuse(Code.ROUTE_UNKNOWN, "not a path of the control side")
    if request.query and not route.browser:
        raise refuse(Code.HTTP_MALFORMED, "control paths take no query")
    if scope.trace is not None:
        scope.trace.route = route.path
    services.strangers.demand(peer.ip)
    try:
        facts = await _establish(services, scope, route, request, peer)
        answer = await services.control.ask(request, await _whole(body), facts)
    except Refusal:
        services.strangers.charge(peer.ip)
        raise
    if answer.status >= _REFUSED:
        services.strangers.charge(peer.ip)
        refusal = _told(answer)
        if (unwritten := await scope.refused(refusal)) is not refusal:
            raise unwritten
    scope.control(request.path)
    reply.answer(answer, scope.decision_id)
    scope.finished(answer.status, reply.sent)


async def _establish(
    services: Services, scope: Scope, route: control.ControlRoute, request: CleanRequest, peer: Peer
) -> PeerFacts:
    device = subject = digest = None
    if route.device:
        scope.stage("device")
        certificate = peer.device_certificate
        device = scope.device = services.registry.present(certificate, services.clock.now())
        if device is None or certificate is None:
            raise refuse(Code.DEVICE_REQUIRED)
        digest = hashlib.sha256(certificate).hexdigest()
    if route.person:
        scope.stage("identity")
        subject = scope.subject = await services.identity.authenticate(*credentials(services, request, peer))
    facts = PeerFacts(
        decision_id=scope.decision_id,
        client_ip=peer.ip,
        device_id=device.id if device else None,
        certificate=digest,
        subject=subject.id if subject else None,
        authorization=_digest(request) if route.authorization else None,
    )
    return shown(services, request, facts) if route.browser else facts


def _digest(request: CleanRequest) -> str | None:
    field = request.headers.get("authorization")
    return None if field is None else hashlib.sha256(field.encode("latin-1", "replace")).hexdigest()


def _told(answer: ControlReply) -> Refusal:
    """Return the refusal that the control side answered with, for the record: an event of its own follows only some."""
    code, _, detail = answer.told.partition(" ")
    if not code:
        try:
            code, detail = str(orjson.loads(answer.body)["reasons"][0]), ""
        except (ValueError, KeyError, IndexError, TypeError):
            code = Code.INTERNAL_FAULT
    # A rule's own reason is not among ours; the record needs its name alone.
    reason = REASONS.get(code) or replace(REASONS[Code.INTERNAL_FAULT], code=code, status=answer.status)
    return Refusal(Cause(reason), detail=detail or f"the control side answered {answer.status}")


async def _whole(body: BodySource) -> bytes:
    held = bytearray()
    async for chunk in body.chunks():
        held += chunk
        if len(held) > CONTROL_BODY_BYTES:
            raise refuse(Code.BODY_TOO_LARGE)
    return bytes(held)
