"""The admin app: devices, reload, status.

Whoever asks is root or the gateway's own user, by the kernel's word (SO_PEERCRED). Everything an administrator does is
an event in the record, with who did it.
"""

import logging
import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from leadglass.access.emergency import words
from leadglass.access.people import Browsers
from leadglass.devices.forms import Malformed, integer, members, text
from leadglass.devices.inventory import By
from leadglass.devices.service import Devices
from leadglass.gateways.control.admin.projects import ProjectDesk
from leadglass.gateways.control.problems import fault, problem, reply
from leadglass.gateways.control.sockets import peer_uid
from leadglass.limits import EMERGENCY_CODE_DAYS, EMERGENCY_CODES_MADE, EMERGENCY_NAME_CHARS, ISSUER_CHARS, KIB
from leadglass.model.errors import ConfigurationError, Refusal, refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.revocation.revocations import KINDS, Revocations

Endpoint: TypeAlias = Callable[[web.Request, By], Awaitable[web.Response]]
Reload: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Status: TypeAlias = Callable[[], Mapping[str, Any]]
Rotate: TypeAlias = Callable[[By], Awaitable[Mapping[str, Any]]]

_BODY_BYTES = 16 * KIB
_DAY = 86_400.0
_log = logging.getLogger("leadglass.control")


def administrator(uid: int | None) -> By | None:
    """Return who acts, None when this uid may not: only root and the gateway's own user may."""
    if uid is None or uid not in {0, os.geteuid()}:
        return None
    try:
        return {"uid": uid, "user": pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {"uid": uid, "user": str(uid)}


class _Admin:
    """The endpoints."""

    def __init__(
        self,
        devices: Devices,
        revocations: Revocations,
        browsers: Browsers,
        events: EventSink,
        *,
        reload: Reload,
        status: Status,
        rotations: Mapping[str, Rotate],
    ) -> None:
        self._rotations: Mapping[str, Rotate] = {
            **rotations,
            "device-ca": devices.rotation.rotate,
            "session": browsers.key.rotate,
        }
        self._devices, self._revocations, self._browsers, self._events = devices, revocations, browsers, events
        self._reload, self._status = reload, status

    async def make_code(self, request: web.Request, by: By) -> web.Response:
        form = members(await request.read(), frozenset({"owner", "issuer"}))
        issuer = text(form, "issuer", ISSUER_CHARS)
        return reply(await self._devices.codes.make(text(form, "owner"), issuer, by), 201)

    async def list_devices(self, _request: web.Request, by: By) -> web.Response:
        return reply({"devices": await self._devices.inventory.all(by)})

    async def show_device(self, request: web.Request, by: By) -> web.Response:
        device = await self._devices.inventory.one(request.match_info["id"], by)
        return _no_device() if device is None else reply(device)

    async def revoke_device(self, request: web.Request, by: By) -> web.Response:
        form = members(await request.read(), frozenset({"reason"}))
        device_id = request.match_info["id"]
        if not await self._devices.inventory.revoke(device_id, text(form, "reason"), by):
            return _no_device()
        return reply({"id": device_id, "state": "revoked"})

    async def revoke(self, request: web.Request, by: By) -> web.Response:
        form = members(await request.read(), frozenset({"kind", "value", "reason", "seconds"}))
        kind = next((known for known in KINDS if known == form["kind"]), None)
        if kind is None:
            raise Malformed("kind")
        seconds = None if form["seconds"] is None else float(integer(form, "seconds", low=1))
        value, reason = text(form, "value"), text(form, "reason")
        if kind == "session":
            return await self._revoke_session(value, reason, seconds, by)
        made = await self._revocations.revoke(kind, value, reason, seconds, by)
        return reply(made.document(), 201)

    async def _revoke_session(self, value: str, reason: str, seconds: float | None, by: By) -> web.Response:
        """Refuse a session for `seconds`, else end it. Its id never comes again, so neither outlives the session."""
        session = self._browsers.sessions.one(value)
        if session is None:
            return fault(404, "No such session", "no session has this id", "`leadglass session list` shows all")
        left = self._browsers.sessions.left(session)
        lasts = left if seconds is None else min(seconds, left)
        made = await self._revocations.revoke("session", value, reason, lasts, by)
        if seconds is None:
            await self._browsers.sessions.end(value, reason, by, withdrawn=True)
        return reply(made.document(), 201)

    async def list_revocations(self, _request: web.Request, _by: By) -> web.Response:
        return reply({"revocations": [held.document() for held in self._revocations.all()]})

    async def lift(self, request: web.Request, by: By) -> web.Response:
        lifted = await self._revocations.lift(request.match_info["id"], by)
        if lifted is None:
            return fault(404, "No such revocation", "no revocation has this id", "`leadglass revoke list` shows all")
        return reply(lifted.document())

    async def list_sessions(self, _request: web.Request, _by: By) -> web.Response:
        device = self._browsers.bindings.shown
        held = self._browsers.sessions.all()
        return reply({"sessions": [{**session, "device": device(session["id"])} for session in held]})

    async def make_emergency_codes(self, request: web.Request, by: By) -> web.Response:
        form = members(await request.read(), frozenset({"count", "name", "days"}))
        count, days = integer(form, "count", low=1), integer(form, "days", low=1)
        if count > EMERGENCY_CODES_MADE or days > EMERGENCY_CODE_DAYS:
            raise Malformed("count or days")
        name = None if form["name"] is None else words(text(form, "name"), EMERGENCY_NAME_CHARS)
        if name is None and form["name"] is not None:
            raise Malformed("name")
        return reply({"codes": await self._browsers.codes.make(count, name, days * _DAY, by)}, 201)

    async def list_emergency_codes(self, _request: web.Request, _by: By) -> web.Response:
        return reply({"codes": await self._browsers.codes.all()})

    async def withdraw_emergency_code(self, request: web.Request, by: By) -> web.Response:
        form = members(await request.read(), frozenset({"reason"}))
        withdrawn = await self._browsers.codes.withdraw(request.match_info["id"], text(form, "reason"), by)
        if withdrawn is None:
            return fault(404, "No such code", "no open code has this id", "`leadglass emergency list` shows all")
        return reply(withdrawn)

    async def review_glass(self, request: web.Request, by: By) -> web.Response:
        form = members(await request.read(), frozenset({"subject", "reason", "note"}))
        said = {name: text(form, name) for name in ("subject", "reason", "note")}
        decision_id = request.match_info["id"]
        await self._events.record_event("glass-reviewed", {"decision_id": decision_id, **said, "by": by})
        return reply({"decision_id": decision_id, **said})

    async def rotate_key(self, request: web.Request, by: By) -> web.Response:
        rotate = self._rotations.get(request.match_info["kind"])
        if rotate is None:
            return fault(404, "No such key", "no key is called so", f"there are {', '.join(self._rotations)}")
        try:
            return reply(await rotate(by))
        except ConfigurationError as error:
            return fault(409, "Not rotated", str(error), error.hint)

    async def reload(self, _request: web.Request, by: By) -> web.Response:
        await self._events.record_event("reload-asked", {"by": by})
        try:
            return reply(await self._reload())
        except ConfigurationError as error:
            return fault(409, "Not reloaded", str(error), error.hint or "what was in force stays in force")

    async def status(self, _request: web.Request, _by: By) -> web.Response:
        return reply(self._status())

    def handler(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Return what aiohttp calls for an endpoint."""

        async def handle(request: web.Request) -> web.Response:
            return await self._serve(endpoint, request)

        return handle

    async def _serve(self, endpoint: Endpoint, request: web.Request) -> web.Response:
        by = administrator(peer_uid(request))
        if by is None:
            _log.warning("another user asked the admin socket for %s", request.path)
            return fault(403, "Not you", "only root and the gateway's own user may ask", "use sudo")
        try:
            return await endpoint(request, by)
        except Malformed as error:
            return fault(400, "Malformed", f"the request is malformed: {error}")
        except Refusal as refusal:
            return problem(refusal, None, {"hint": refusal.detail})
        except web.HTTPException:
            raise
        except Exception:  # noqa: BLE001 - a crash is a refusal, and the log has it
            _log.exception("admin path %s failed", request.path)
            return problem(refuse(Code.INTERNAL_FAULT), None, {})


def _no_device() -> web.Response:
    return fault(404, "No such device", "no such device, or it is revoked already", "`leadglass device list` shows all")


def admin_app(
    devices: Devices,
    revocations: Revocations,
    browsers: Browsers,
    events: EventSink,
    projects: ProjectDesk,
    *,
    reload: Reload,
    status: Status,
    rotations: Mapping[str, Rotate],
) -> web.Application:
    """Return the app. `reload` reads everything anew (raises ConfigurationError); `status` says how the gateway is.

    `rotations` let another key follow the one of that name.
    """
    admin = _Admin(devices, revocations, browsers, events, reload=reload, status=status, rotations=rotations)
    app = web.Application(client_max_size=_BODY_BYTES)
    app.router.add_post("/devices/codes", admin.handler(admin.make_code))
    app.router.add_get("/devices", admin.handler(admin.list_devices))
    app.router.add_get("/devices/{id}", admin.handler(admin.show_device))
    app.router.add_post("/devices/{id}/revoke", admin.handler(admin.revoke_device))
    app.router.add_post("/revocations", admin.handler(admin.revoke))
    app.router.add_get("/revocations", admin.handler(admin.list_revocations))
    app.router.add_delete("/revocations/{id}", admin.handler(admin.lift))
    app.router.add_get("/sessions", admin.handler(admin.list_sessions))
    app.router.add_post("/emergency/codes", admin.handler(admin.make_emergency_codes))
    app.router.add_get("/emergency/codes", admin.handler(admin.list_emergency_codes))
    app.router.add_post("/emergency/codes/{id}/withdraw", admin.handler(admin.withdraw_emergency_code))
    app.router.add_post("/glass/{id}/review", admin.handler(admin.review_glass))
    app.router.add_post("/keys/{kind}/rotate", admin.handler(admin.rotate_key))
    app.router.add_post("/reload", admin.handler(admin.reload))
    app.router.add_get("/status", admin.handler(admin.status))
    for (method, path), endpoint in projects.endpoints().items():
        app.router.add_route(method, path, admin.handler(endpoint))
    return app
