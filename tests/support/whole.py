"""A gateway as its users run it: a process of its own on the real clock, an Orthanc behind it, a Keycloak beside it.

The device of the person who signs in is enrolled by the agent's own command.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from leadglass.clock import SystemClock
from leadglass.demo.idp import IdentityProvider
from leadglass.demo.world import World, start_gateway
from leadglass_agent.gateway import Gateway, tls
from leadglass_agent.keys import SoftwareKey
from leadglass_agent.member import Member
from leadglass_agent.state import KEY, Folder
from support.gateway import CONDITIONS
from support.keycloak import PERSON, SECRET, Keycloak, through_forms
from support.orthanc import Orthanc, free_port
from support.record import read

V1 = "/.leadglass/v1/"
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html,*/*;q=0.8"}
# What every machine that runs tests can show.
_POSTURE = (
    "max_age_seconds: 120\nrequired: [forbidden_software]\nroles: {}\nremediation: {forbidden_software: Stop it.}\n"
)
_CONFIG = """\
public_url: [{origin}]
listen: {{https: "127.0.0.1:{port}", tls: {{certificate: tls/server.pem, key: tls/server.key}}}}
metrics: {{http: 127.0.0.1:{metrics}}}
admin: {{unix: var/admin.sock}}
upstreams: {{main: {{kind: orthanc, url: "{archive}"}}}}
identity:
  issuers:
    - {issuer}
attributes: {{files: [facts/conditions.yaml]}}
policy: {{path: policies/}}
audit: {{file: var/decisions.jsonl, anonymous_per_minute: 10000}}
store: sqlite:var/leadglass.db
sessions: {{device_port: {proof}}}
{more}"""


@dataclass
class Whole:
    """What runs, and the hands of a person and of an administrator."""

    world: World
    keycloak: Keycloak
    orthanc: Orthanc
    context: ssl.SSLContext  # trusts the gateway, and shows the device's certificate
    forms: list[str] = field(default_factory=list)  # those that Keycloak has shown

    @property
    def origin(self) -> str:
        return self.keycloak.origin

    def session(self) -> aiohttp.ClientSession:
        """Return a browser with no cookies yet, on the enrolled device. Nothing is followed by itself."""
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(self.keycloak.url))
        return aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(ssl=self.context))

    async def sign_in(self, session: aiohttp.ClientSession, query: str = "") -> aiohttp.ClientResponse:
        """Sign the person in from begin to end and return the answer of the callback."""
        begun = await self.navigate(session, V1 + "login" + query)
        assert begun.status == 303, await begun.text()
        back = await through_forms(session, begun.headers["Location"], self.forms)
        assert back.startswith(self.origin)
        return await self.navigate(session, back.removeprefix(self.origin))

    async def navigate(self, session: aiohttp.ClientSession, path: str) -> aiohttp.ClientResponse:
        reply = await session.get(self.origin + path, headers=NAVIGATE, allow_redirects=False)
        await reply.read()
        return reply

    async def post(self, session: aiohttp.ClientSession, path: str, form: dict[str, str]) -> aiohttp.ClientResponse:
        """Send a form as a page of the gateway does."""
        fields = {**NAVIGATE, "Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        reply = await session.post(self.origin + path, data=form, headers=fields, allow_redirects=False)
        await reply.read()
        return reply

    async def get(self, session: aiohttp.ClientSession, path: str, **fields: str) -> tuple[int, list[str]]:
        """Ask as a script does, and return status and reasons."""
        reply = await session.get(self.origin + path, headers={"Accept": "*/*", **fields}, allow_redirects=False)
        body = await reply.read()
        problem = reply.content_type == "application/problem+json"
        return reply.status, json.loads(body)["reasons"] if problem else []

    async def run(self, *words: str) -> str:
        """Run one of the administrator's verbs."""
        return await self.world.run("leadglass", *words, "-c", str(self.world.config))

    def events(self, kind: str) -> list[dict[str, Any]]:
        lines = read(self.world.folder / "var")
        return [line["fields"] for line in lines if line["type"] == "event" and line["kind"] == kind]

    async def event(self, kind: str, **fields: object) -> dict[str, Any]:
        """Wait for an event whose fields are these."""
        async with asyncio.timeout(20):
            while True:
                for found in self.events(kind):
                    if fields.items() <= found.items():
                        return found
                await asyncio.sleep(0.05)


def _write(folder: Path, keycloak: Keycloak, orthanc: Orthanc, metrics: int, more: str) -> None:
    for name in ("logs", "var", "facts", "policies/data", "agent", "tls"):
        (folder / name).mkdir(mode=0o700, parents=True)
    for file in (keycloak.files.ca, keycloak.files.certificate, keycloak.files.key):
        copy = folder / "tls" / file.name
        copy.touch(mode=0o600)
        copy.write_bytes(file.read_bytes())
    (folder / "secret").touch(mode=0o600)
    (folder / "secret").write_text(SECRET)
    (folder / "facts/conditions.yaml").touch(mode=0o600)
    (folder / "facts/conditions.yaml").write_text(CONDITIONS)
    (folder / "policies/data/posture.yaml").write_text(_POSTURE)
    proof = free_port()
    (folder / "agent/agent.toml").write_text(f"proof_port = {proof}\n")
    (folder / "leadglass.yaml").write_text(
        _CONFIG.format(
            origin=keycloak.origin, port=keycloak.origin.rpartition(":")[2], metrics=metrics, archive=orthanc.url,
            issuer=keycloak.settings(), proof=proof, more=more,
        )
    )  # fmt: skip


async def _enrol(world: World, issuer: str) -> ssl.SSLContext:
    """Enrol this machine as the person's, report its posture for as long as the gateway runs."""
    state = world.folder / "agent"
    code = json.loads(
        await world.run(
            "leadglass", "device", "code", "-c", str(world.config), "--owner", PERSON, "--issuer", issuer, "--json"
        )
    )
    await world.run(
        "leadglass-agent", "enrol", "--gateway", world.public, "--code", code["code"], "--state", str(state)
    )
    await world.start("leadglass-agent", "run", "--state", str(state))
    async with asyncio.timeout(30):
        while not (state / "status.json").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.05)
    folder = Folder(state)
    shown = _Shown(world.public, tls(folder.load().trust))
    await Member(folder.load(), SoftwareKey.load(state / KEY), shown, time.monotonic).renew()
    return shown.context


class _Shown(Gateway):
    """Keeps the context that shows the device's certificate, for a browser of ours to use."""

    context: ssl.SSLContext

    async def present(self, context: ssl.SSLContext) -> None:
        self.context = context


@asynccontextmanager
async def whole(folder: Path, keycloak: Keycloak, orthanc: Orthanc, more: str = "") -> AsyncIterator[Whole]:
    """Start everything in `folder`, and end it. `more` is added to the configuration."""
    await asyncio.to_thread(keycloak.give, "radiologist")  # whoever was here before may have left others
    metrics = free_port()
    _write(folder, keycloak, orthanc, metrics, more)
    provider = IdentityProvider(keycloak.issuer, SystemClock())  # unused: people come from Keycloak
    world = World(folder, keycloak.origin, f"http://127.0.0.1:{metrics}", "Orthanc", provider)
    try:
        await start_gateway(world)
        context = await _enrol(world, keycloak.issuer)
        yield Whole(world, keycloak, orthanc, context)
    finally:
        for process in reversed(list(world.processes)):
            await world.stop(process)
