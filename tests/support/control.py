"""The control side on sockets, as the gateway runs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from leadglass.access.glass import BreakGlass
from leadglass.access.people import Browsers
from leadglass.access.reidentify import Reidentify
from leadglass.access.services import Services
from leadglass.access.signals import Signals
from leadglass.access.why import Why
from leadglass.gateways.control.admin.app import admin_app
from leadglass.gateways.control.admin.projects import ProjectDesk
from leadglass.gateways.control.peer import PeerSeal
from leadglass.gateways.control.public.app import public_app
from leadglass.gateways.control.public.confirming import Confirming
from leadglass.gateways.control.public.people import People
from leadglass.gateways.control.public.signals import Receiver
from leadglass.gateways.control.public.urgent import Urgent
from leadglass.gateways.control.relay import ControlRelay
from leadglass.gateways.control.sockets import UnixServer
from leadglass.hazmat.aead import Box
from leadglass.hazmat.mac import new_key
from leadglass.identity.identity import Identity
from leadglass.identity.providers import Providers
from leadglass.identity.settings import IdentitySettings
from leadglass.identity.transmitters import Transmitters
from leadglass.model.control import PeerFacts
from leadglass.model.errors import ConfigurationError, refuse
from leadglass.model.permit import ControlReply
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, Headers
from leadglass.projects.keys import Keys
from leadglass.projects.projects import Projects
from leadglass.signals.standing import Standings
from leadglass.tasks import Tasks
from support.device import Site, device_site, peer
from support.policy import policy

V1 = "/.leadglass/v1/"


def request(path: str, method: str = "POST", **changes: Any) -> CleanRequest:  # noqa: ANN401 - fields of any type
    fields: dict[str, Any] = {
        "method": method,
        "path": path,
        "segments": tuple(path.strip("/").split("/")),
        "query": (),
        "authority": "pacs.test",
        "headers": Headers({"content-type": "application/json"}),
        **changes,
    }
    return CleanRequest(**fields)


@dataclass
class Control:
    """A site whose control side listens."""

    site: Site
    seal: PeerSeal
    relay: ControlRelay
    public: Path
    admin: Path
    reloads: list[str | ConfigurationError]

    async def post(self, name: str, form: object, facts: PeerFacts | None = None) -> tuple[int, dict[str, Any]]:
        body = form if isinstance(form, bytes) else orjson.dumps(form)
        return read(await self.relay.ask(request(V1 + name), body, facts or peer()))

    async def get(self, name: str) -> tuple[int, dict[str, Any]]:
        return read(await self.relay.ask(request(V1 + name, "GET", headers=Headers({})), b"", peer()))


def read(reply: ControlReply) -> tuple[int, dict[str, Any]]:
    document: dict[str, Any] = orjson.loads(reply.body)
    return reply.status, document


async def open_browsers(site: Site, folder: Path, tasks: Tasks) -> Browsers:
    """Open sessions and sign-in at a gateway where nobody can sign in."""
    issuer = {"issuer": "https://idp.example.org", "audience": "leadglass", "jwks": str(folder / "keys.json")}
    settings = IdentitySettings.model_validate_json(orjson.dumps({"issuers": [issuer]}))
    identity = Identity(settings, clock=site.clock, epochs=site.epochs)
    providers = Providers(settings, identity, clock=site.clock)
    return await Browsers.open(
        site.store, folder / "session.key", site.events,
        clock=site.clock, epochs=site.epochs, tasks=tasks, providers=lambda: providers, devices=site.devices,
    )  # fmt: skip


async def open_receiver(site: Site, browsers: Browsers) -> Receiver:
    """Open what takes events, at a gateway to which nobody may send any."""
    settings = IdentitySettings.model_validate_json(
        b'{"issuers":[{"issuer":"https://idp.example.org","audience":"x"}]}'
    )
    transmitters = Transmitters(settings, clock=site.clock, epochs=site.epochs)
    standings = await Standings.open(site.store, site.events, site.clock)
    return Receiver(Signals(lambda: transmitters, standings, browsers.sessions, site.devices.registry, site.epochs))


def people(site: Site, browsers: Browsers, reidentify: Reidentify | None = None) -> People:
    """Return what browsers reach, under the shipped policy."""
    if reidentify is None:
        keys = Keys(Box(new_key()), Path())
        projects = Projects(site.store, keys, site.events, site.clock, site.epochs)
        reidentify = Reidentify(projects, no_services, site.events)
    judge = policy(site.clock, site.epochs)
    glass, why = BreakGlass(browsers.sessions, judge, site.clock), Why(judge, site.clock)
    return People(browsers.sign_in, browsers.proving, Urgent(browsers.emergency, glass, why), Confirming(reidentify))


def no_services() -> Services:
    """Stand for a gateway that serves nobody."""
    raise refuse(Code.USER_UNAUTHENTICATED)


@asynccontextmanager
async def control_site(folder: Path) -> AsyncIterator[Control]:
    """Open a device side in `folder` and let its control side listen."""
    async with device_site(folder) as site:
        seal, reloads = PeerSeal(), list[str | ConfigurationError]()

        async def reload() -> dict[str, Any]:
            told = reloads.pop(0)
            if isinstance(told, ConfigurationError):
                raise told
            return {"revision": told}

        async def rotate_record(_by: dict[str, str | int]) -> dict[str, Any]:
            return {"from": "a", "to": "b", "public": "c"}

        tasks = Tasks()
        browsers = await open_browsers(site, folder, tasks)
        projects = await Projects.open(site.store, folder, site.events, clock=site.clock, epochs=site.epochs)
        reidentify = Reidentify(projects, no_services, site.events)
        public, admin = folder / "run" / "public.sock", folder / "admin.sock"
        servers = [
            UnixServer(
                public_app(
                    site.devices,
                    seal,
                    site.events,
                    lambda: [{"kty": "OKP", "kid": "record"}],
                    people(site, browsers, reidentify),
                    await open_receiver(site, browsers),
                ),
                public,
            ),
            UnixServer(
                admin_app(
                    site.devices,
                    site.revocations,
                    browsers,
                    site.events,
                    ProjectDesk(projects, reidentify, lambda: ("basic", "research")),
                    reload=reload,
                    status=lambda: {"version": "0.1.0"},
                    rotations={"record": rotate_record},
                ),
                admin,
            ),
        ]
        for server in servers:
            await server.start()
        try:
            async with ControlRelay(public, seal) as relay:
                yield Control(site, seal, relay, public, admin, reloads)
        finally:
            for server in servers:
                await server.close()
            await tasks.close()
