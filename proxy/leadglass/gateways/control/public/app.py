"""The public control app: what devices (docs/device-protocol.md), people (docs/sign-in.md) and transmitters reach.

It listens on a unix socket that only the gateway's user can reach, and believes the sealed header alone. No middleware:
every request goes through `_Public._serve`, which is all there is around an endpoint.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from aiohttp import web

from leadglass.codec.control import DEVICE, ROUTES
from leadglass.devices import enrolment, posture, proof, renewal
from leadglass.devices.faults import Fault, StatementRefused
from leadglass.devices.forms import Malformed, members
from leadglass.devices.service import Devices
from leadglass.gateways.control.peer import HEADER, Forged, PeerSeal
from leadglass.gateways.control.problems import JSON, problem, reply
from leadglass.gateways.control.public.people import Answer, People
from leadglass.gateways.control.public.signals import Receiver
from leadglass.limits import CONTROL_BODY_BYTES, NONCE_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code

Endpoint: TypeAlias = Callable[[PeerFacts, web.Request], Awaitable[tuple[int, object]]]
Jwk: TypeAlias = Mapping[str, object]

_CREATED: Final = 201
_log = logging.getLogger("leadglass.control")


class _Public:
    """The endpoints. Each returns a status and a JSON document, or raises a Refusal."""

    def __init__(
        self, devices: Devices, seal: PeerSeal, events: EventSink, keys: Callable[[], Sequence[Jwk]], people: People
    ) -> None:
        self._devices, self._seal, self._events, self._keys = devices, seal, events, keys
        self._people = people

    async def enrol(self, peer: PeerFacts, request: web.Request) -> tuple[int, object]:
        form = await _form(request, enrolment.MEMBERS)
        return _CREATED, await self._devices.enrolment.enrol(form, peer)

    async def renew(self, peer: PeerFacts, request: web.Request) -> tuple[int, object]:
        form = await _form(request, renewal.MEMBERS)
        return 200, await self._devices.renewal.renew(form, peer)

    async def nonce(self, _peer: PeerFacts, _request: web.Request) -> tuple[int, object]:
        return 200, {"nonce": self._devices.nonces.new(), "expires_in": NONCE_SECONDS}

    async def posture(self, peer: PeerFacts, request: web.Request) -> tuple[int, object]:
        if peer.device_id is None:  # the pipeline sees to it; this is the second lock
            raise refuse(Code.DEVICE_REQUIRED)
        form = await _form(request, posture.MEMBERS)
        return 200, await self._devices.posture.take(form, peer)

    async def prove(self, peer: PeerFacts, request: web.Request) -> tuple[int, object]:
        form = await _form(request, proof.MEMBERS)
        return 200, await self._people.proving.prove(form, peer)

    async def jwks(self, _peer: PeerFacts, _request: web.Request) -> tuple[int, object]:
        return 200, {"keys": [*self._devices.rotation.jwks(), *self._keys()]}

    def handler(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return what aiohttp calls for an endpoint."""

        async def answer(peer: PeerFacts, request: web.Request) -> web.Response:
            try:
                status, document = await endpoint(peer, request)
            except Refusal as refusal:
                return await self._refuse(refusal, peer, request.path)
            return reply(document, status)

        return self.served(answer)

    def people(self, endpoint: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return what aiohttp calls for an endpoint that answers people's browsers."""

        async def answer(peer: PeerFacts, request: web.Request) -> web.Response:
            try:
                return await endpoint(peer, request)
            except Refusal as refusal:
                return self._people.refused(refusal, peer)

        return self.served(answer)

    def served(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return `answer` with what stands around every endpoint."""

        async def handle(request: web.Request) -> web.Response:
            return await self._serve(answer, request)

        return handle

    async def _serve(self, answer: Answer, request: web.Request) -> web.Response:
        try:
            peer = self._seal.open(request.headers.get(HEADER), request.method, request.path)
        except Forged:
            _log.error("a request reached the control socket past the relay")
            return web.Response(status=403)
        try:
            return await answer(peer, request)
        except Exception:  # noqa: BLE001 - a crash is a refusal, and the log has it
            _log.exception("control path %s failed", request.path)
            return problem(refuse(Code.INTERNAL_FAULT), peer.decision_id, {})

    async def _refuse(self, refusal: Refusal, peer: PeerFacts, path: str) -> web.Response:
        if not isinstance(refusal, StatementRefused):
            return problem(refusal, peer.decision_id, {})
        more: dict[str, Any] = dict(refusal.members)
        if refusal.fault is not Fault.INVALID:  # the signature was proven, so it is the device that is told
            try:
                await self._events.record_event("statement-refused", _told(refusal, peer, path))
            except Refusal as unwritten:
                return problem(unwritten, peer.decision_id, {})
            if (
                refusal.fault is not Fault.REVOKED and peer.session is None
            ):  # a page asks for a challenge of its session
                more["nonce"] = self._devices.nonces.new()
        return problem(refusal, peer.decision_id, more)


def _told(refusal: StatementRefused, peer: PeerFacts, path: str) -> dict[str, Any]:
    return {
        "path": path,
        "fault": str(refusal.fault),
        "why": refusal.detail,
        "device": {"id": peer.device_id},
        **({} if peer.session is None else {"session": {"id": peer.session}}),
        "client_ip": peer.client_ip,
        "decision_id": peer.decision_id,
    }


async def _form(request: web.Request, names: frozenset[str]) -> dict[str, Any]:
    """Return the JSON object in a request body, which has exactly these members. Raises Refusal."""
    if request.content_type != JSON:
        raise refuse(Code.HTTP_MALFORMED, "the body is not application/json")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise refuse(Code.BODY_TOO_LARGE) from None
    try:
        return members(body, names)
    except Malformed as error:
        raise refuse(Code.HTTP_MALFORMED, f"body: {error}") from None


def public_app(
    devices: Devices,
    seal: PeerSeal,
    events: EventSink,
    keys: Callable[[], Sequence[Jwk]],
    people: People,
    receiver: Receiver,
) -> web.Application:
    """Return the app. `keys` gives the gateway's other public keys (JWK), published beside the device CA's."""
    public = _Public(devices, seal, events, keys, people)
    of_people, of_others = people.endpoints(), receiver.endpoints()
    endpoints: dict[str, Endpoint] = {
        "/.leadglass/v1/enrol": public.enrol,
        "/.leadglass/v1/renew": public.renew,
        "/.leadglass/v1/nonce": public.nonce,
        "/.leadglass/v1/posture": public.posture,
        "/.leadglass/v1/jwks.json": public.jwks,
        DEVICE: public.prove,
    }
    app = web.Application(client_max_size=CONTROL_BODY_BYTES)
    for route in ROUTES:  # a row without an endpoint is a KeyError here, at start
        place = (route.method, route.path)
        if place in of_people:
            handler = public.people(of_people[place])
        elif place in of_others:
            handler = public.served(of_others[place])
        else:
            handler = public.handler(endpoints[route.path])
        app.router.add_route(route.method, route.path, handler)
    return app
