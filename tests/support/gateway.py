"""A whole gateway in process: its real settings, policy, store, record and door, with a clock that tests move.

The archive behind it is the tour's own, in which every request is written down and any answer can be replaced; the
people come from an identity provider that is a file of keys; the device is enrolled by the real enrolment.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from aiohttp import web

from leadglass.app import Gateway
from leadglass.demo.archive import Archive
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.settings import Address
from leadglass.hazmat.jws import SigningKey
from leadglass.hazmat.servercert import make_server_files
from support.clock import FakeClock
from support.device import ADMIN, ISSUER, Agent, peer
from support.door import QUICK, RawClient, parse_head
from support.quick import quick_prepare, quickly
from support.record import read
from support.studies import SeededStudy, seeds

HOST = "pacs.example.org"
OWNER = "dr.demo"
SEEDS = seeds()
CT, MR, US, SR = (SEEDS[name] for name in ("ct", "mr", "us", "sr"))
# Every check that the agent of tests reports is one that is required, and no other.
POSTURE = """\
max_age_seconds: 120
required: [firewall]
roles: {}
remediation: {firewall: Switch on the firewall of this computer.}
"""
CONDITIONS = """\
conditions:
  - {patient: P002, issuer: DEMO, codes: [C71.9]}
"""
_CONFIG = """\
public_url: [https://pacs.example.org]
listen: {{https: 127.0.0.1:0, http: 127.0.0.1:0, tls: {{certificate: tls/server.pem, key: tls/server.key}}}}
metrics: {{http: 127.0.0.1:0}}
admin: {{unix: var/admin.sock}}
upstreams: {{main: {{kind: {kind}, url: "{upstream}", links: {links}{upstream_more}}}}}
identity:
  issuers:
    - issuer: {issuer}
      audience: leadglass
      jwks: keys.json
      token_type: at+jwt
      claims: {{id: preferred_username, roles: roles}}
      mfa: {{acr: [mfa], amr: [otp]}}
attributes: {{files: [facts/conditions.yaml]}}
policy: {policy}
audit: {{file: var/decisions.jsonl, anonymous_per_minute: 10000}}
limits: {{per_subject: {per_subject}, per_source_unauthenticated: {strangers}}}
store: sqlite:var/leadglass.db
"""

Answering: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FakeArchive:
    """The tour's archive, watched. `replaced` maps the start of a path to what answers in its place."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    heads: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    replaced: dict[str, Answering] = field(default_factory=dict)

    def clear(self) -> None:
        self.asked.clear()
        self.heads.clear()
        self.bodies.clear()

    @property
    def relayed(self) -> list[str]:
        """What was asked for but for the facts that the gateway looks up by itself."""
        return [asked for asked in self.asked if "includefield=" not in asked]

    def answer(self, start: str, body: bytes | object, status: int = 200, **fields: str) -> None:
        """Answer paths that begin with `start` so; anything but bytes is sent as DICOM JSON."""
        told = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Type": "application/dicom+json", **{k.replace("_", "-"): v for k, v in fields.items()}}

        async def say(_: web.Request) -> web.Response:
            return web.Response(body=told, status=status, headers=fields)

        self.replaced[start] = say

    @web.middleware
    async def _watch(self, request: web.Request, handler: Answering) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        self.heads.append(dict(request.headers))
        for start in sorted(self.replaced, key=len, reverse=True):
            if request.path.startswith(start):
                return await self.replaced[start](request)
        return await handler(request)


@asynccontextmanager
async def fake_archive(
    instances: Iterable[bytes] | None = None, *, more: Callable[[web.Application], None] = lambda _: None
) -> AsyncIterator[FakeArchive]:
    """Listen on a free port of loopback for the time of the block. `more` adds routes."""
    fake = FakeArchive()
    held = [item.part10 for study in SEEDS.values() for item in study.instances] if instances is None else instances
    app = Archive(held).app()
    app.middlewares.append(fake._watch)
    more(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Answer:
    """One reply as it came. `whole` says that it ended as its framing promised."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    @property
    def json(self) -> Any:  # noqa: ANN401 - as JSON is
        return json.loads(self.body)

    @property
    def reasons(self) -> list[str]:
        reasons: list[str] = self.json["reasons"]
        return reasons

    @property
    def decision_id(self) -> str:
        return self.headers["leadglass-decision-id"]


class Client(RawClient):
    """A raw client that can also read one whole reply in any framing."""

    async def answer(self) -> Answer:
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, fields = parse_head(head)
        body = bytearray()
        try:
            if fields.get("transfer-encoding") == "chunked":
                while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                    body += await self.reader.readexactly(size + 2)
                    del body[-2:]
                await self.reader.readexactly(2)
            else:
                want = int(fields.get("content-length", "0"))
                while len(body) < want:
                    if not (piece := await self.reader.read(want - len(body))):
                        return Answer(status, fields, bytes(body), whole=False)
                    body += piece
        except (asyncio.IncompleteReadError, ConnectionError):
            return Answer(status, fields, bytes(body), whole=False)
        return Answer(status, fields, bytes(body))


@dataclass
class Running:
    """A gateway that listens, and the hands that move what is around it."""

    gateway: Gateway
    folder: Path
    clock: FakeClock
    archive: FakeArchive
    idp: SigningKey
    agent: Agent
    context: ssl.SSLContext  # shows the device's certificate
    bare: ssl.SSLContext  # shows none
    doors: dict[str, Address] = field(default_factory=dict)  # where clients go instead: a proxy's `https` and `http`
    issuer: Callable[..., str] | None = None  # who makes tokens of these roles, instead of `idp`

    @property
    def https(self) -> Address:
        return self.doors.get("https") or self.gateway.listener.addresses["https"]

    @property
    def plain(self) -> Address:
        return self.doors.get("http") or self.gateway.listener.addresses["http"]

    def claims(self, *roles: str, mfa: bool = True, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - claims
        now = int(self.clock.now())
        claims: dict[str, Any] = {
            "iss": ISSUER, "aud": "leadglass", "sub": OWNER, "preferred_username": OWNER, "roles": list(roles),
            "iat": now, "exp": now + 3600, "auth_time": now, "acr": "mfa" if mfa else "pwd",
            "amr": ["pwd", "otp"] if mfa else ["pwd"], **more,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, *roles: str, mfa: bool = True, **more: Any) -> str:  # noqa: ANN401 - claims
        """Return an access token; a claim of ... is left out."""
        if self.issuer is not None and mfa and not more:
            return self.issuer(*(roles or ("radiologist",)))
        return self.idp.sign(self.claims(*(roles or ("radiologist",)), mfa=mfa, **more), typ="at+jwt")

    async def tell(self, status: str = "pass", **changes: Any) -> None:  # noqa: ANN401 - claims of a statement
        """Let the device report its posture."""
        checks = {"firewall": {"status": status, "value": status == "pass", "reason": "as the test says"}}
        statement = self.agent.statement(self.clock.now(), **{"checks": checks, **changes})
        self.agent.nonce = (await self.gateway.devices.posture.take(statement, peer(self.agent.id)))["nonce"]

    @asynccontextmanager
    async def client(self, *, device: bool = True, plain: bool = False) -> AsyncIterator[Client]:
        if plain:
            streams = await asyncio.open_connection(self.plain.host, self.plain.port)
        else:
            streams = await asyncio.open_connection(
                self.https.host, self.https.port, ssl=self.context if device else self.bare, server_hostname=HOST
            )
        client = Client(*streams)
        try:
            yield client
        finally:
            await client.close()

    async def ask(
        self,
        target: str,
        *fields: str,
        method: str = "GET",
        token: str | None = "",
        body: bytes | None = None,
        device: bool = True,
        plain: bool = False,
    ) -> Answer:
        """Ask on a connection of its own; `token` is a radiologist's when empty, and none when None."""
        given = [] if token is None else [f"Authorization: Bearer {token or self.token()}"]
        if body is not None:
            given.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {HOST}", *given, *fields, "", ""])
        async with asyncio.timeout(20), self.client(device=device, plain=plain) as client:
            await client.send(head.encode("latin-1") + (body or b""))
            return await client.answer()

    def record(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the lines of the record of one type; without it those about exchanges, each by its decision id."""
        lines = read(self.folder / "var")
        if kind is not None:
            return [line for line in lines if line["type"] == kind]
        return [line for line in lines if "decision_id" in line]

    def about(self, answer: Answer) -> list[dict[str, Any]]:
        """Return the lines about one exchange."""
        return [line for line in self.record() if line["decision_id"] == answer.decision_id]

    async def alive(self) -> bool:
        """Return whether a good request is still served."""
        return (await self.ask(f"/dicom-web/studies/{CT.uid}/metadata")).status == 200


def multipart(*parts: bytes, boundary: str = "BOUNDARY") -> tuple[str, bytes]:
    """Return the Content-Type field and the body of a store."""
    joined = b"".join(
        b"--" + boundary.encode() + b"\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts
    )
    kind = f'Content-Type: multipart/related; type="application/dicom"; boundary={boundary}'
    return kind, joined + b"--" + boundary.encode() + b"--\r\n"


def write_site(
    folder: Path,
    upstream: str,
    idp: SigningKey,
    now: float,
    *,
    kind: str = "generic",
    links: str = "forwarded",
    upstream_more: str = "",
    per_subject: str = "10000/s",
    strangers: str = "10000/s",
    policy: str = "{path: policies/}",
) -> Path:
    """Write everything that a gateway reads, and return its configuration file."""
    for name in ("var", "facts", "policies/data"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    make_server_files(folder / "tls", (HOST, "127.0.0.1"), now)
    (folder / "keys.json").write_text(json.dumps({"keys": [idp.public_jwk()]}))
    (folder / "facts/conditions.yaml").write_text(CONDITIONS)
    (folder / "facts/conditions.yaml").chmod(0o600)
    (folder / "policies/data/posture.yaml").write_text(POSTURE)
    file = folder / "leadglass.yaml"
    file.write_text(
        _CONFIG.format(
            upstream=upstream, kind=kind, links=links, issuer=ISSUER, per_subject=per_subject, strangers=strangers, policy=policy,
            upstream_more=upstream_more and f", {upstream_more}",
        )
    )  # fmt: skip
    return file


def contexts(folder: Path, agent: Agent) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return TLS contexts of a client that shows the device's certificate, and of one that shows none."""
    (folder / "client.pem").write_text(ssl.DER_cert_to_PEM_cert(agent.certificate))
    (folder / "client.key").write_bytes(agent.session.pem)
    made = []
    for shown in (True, False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the clock of the certificate is the test's
        if shown:
            context.load_cert_chain(folder / "client.pem", folder / "client.key")
        made.append(context)
    return made[0], made[1]


@cache
def idp_key() -> SigningKey:
    return SigningKey.generate()


@asynccontextmanager
async def running(
    folder: Path,
    *,
    archive: FakeArchive | None = None,
    instances: Iterable[bytes] | None = None,
    upstream: str | None = None,
    clock: FakeClock | None = None,
    bounds: Bounds = QUICK,
    owner: str = OWNER,
    owner_issuer: str = ISSUER,
    quick: bool = True,
    change: Callable[[Path], None] = lambda _: None,
    **site: str,
) -> AsyncIterator[Running]:
    """Open a gateway in `folder`, enrol a healthy device of `owner`, and serve until the block ends.

    `quick` takes the compiled rules from one test to the next. `change` gets the folder before anything is read.
    """
    clock = clock or FakeClock()
    async with AsyncExitStack() as stack:
        if quick:
            stack.enter_context(quickly())
        if archive is None and upstream is None:
            archive = await stack.enter_async_context(fake_archive(instances))
        watched = archive or FakeArchive(upstream or "")
        file = write_site(folder, upstream or watched.url, idp_key(), clock.now(), **site)
        change(folder)
        gateway = await Gateway.open(file, clock=clock, bounds=bounds)
        stack.push_async_callback(gateway.stop)
        await gateway.start()
        agent = Agent()
        code = await gateway.devices.codes.make(owner, owner_issuer, ADMIN)
        agent.enrolled(await gateway.devices.enrolment.enrol(agent.enrolment(code["code"]), peer()))
        run = Running(gateway, folder, clock, watched, idp_key(), agent, *contexts(folder, agent))
        await run.tell()
        yield run


__all__ = ["CT", "HOST", "ISSUER", "MR", "OWNER", "SEEDS", "SR", "US", "Answer", "Client", "FakeArchive", "Running", "SeededStudy", "contexts", "fake_archive", "idp_key", "multipart", "quick_prepare", "running", "write_site"]  # fmt: skip
