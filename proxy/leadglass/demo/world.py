"""What the tour needs around it: a folder, a PACS, an identity provider, the gateway and an agent, all on loopback."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from leadglass.clock import SystemClock
from leadglass.demo.archive import Archive
from leadglass.demo.idp import AUDIENCE, CLIENT, PEOPLE, IdentityProvider
from leadglass.demo.studies import CANCER, all_instances, encode
from leadglass.hazmat.servercert import make_server_files

OWNER = PEOPLE["radiologist"].id
FORBIDDEN = "leadglass-demo-forbidden"
_ORTHANC = ("/usr/sbin/Orthanc", "/usr/local/sbin/Orthanc", "/usr/local/bin/Orthanc")
_PLUGINS = "/usr/share/orthanc/plugins"
_WAIT = 60.0

_CONFIG = """\
public_url: [{public}]
listen: {{https: 127.0.0.1:{port}, tls: {{certificate: tls/server.pem, key: tls/server.key}}}}
metrics: {{http: 127.0.0.1:{metrics}}}
admin: {{unix: var/admin.sock}}
upstreams: {{main: {{kind: {kind}, url: {pacs}}}}}
identity:
  issuers:
    - issuer: {issuer}
      audience: {audience}
      jwks: auto
      token_type: at+jwt
      claims: {{id: preferred_username, roles: roles}}
      mfa: {{acr: [mfa], amr: [otp]}}
      login: {{client_id: {client}, name: Demo sign-in}}
attributes: {{files: [facts/conditions.yaml]}}
policy: {{path: policies/}}
audit: {{file: var/decisions.jsonl}}
sessions: {{device_port: {proof}}}
store: sqlite:var/leadglass.db
"""

# A container has no disk encryption to show, so the tour asks for the one thing that it can start and stop itself.
_POSTURE = """\
max_age_seconds: 120
required: [forbidden_software]
roles: {}
remediation:
  forbidden_software: Stop the program that is named.
"""
_CONDITIONS = """\
conditions:
  - {{patient: {patient}, codes: [C71.9]}}
"""


class DemoError(Exception):
    """The tour cannot go on. `str()` says why."""


@dataclass
class World:
    """Everything that runs. `base` is the agent's loopback door, with its secret."""

    folder: Path
    public: str
    metrics: str
    pacs_name: str
    idp: IdentityProvider
    base: str = ""
    processes: list["asyncio.subprocess.Process"] = field(default_factory=list)

    @property
    def config(self) -> Path:
        """The gateway's configuration."""
        return self.folder / "leadglass.yaml"

    def sign_in(self, person: str) -> None:
        """Let the person at the machine be another one: the agent reads the token file anew."""
        self.use_token(self.idp.token(PEOPLE[person]))

    def use_token(self, token: str) -> None:
        """Put a token where the agent reads it."""
        new = self.folder / "token.new"
        new.write_text(token, encoding="ascii")
        new.rename(self.folder / "token")

    async def run(self, *arguments: str, code: int | None = 0) -> str:
        """Run one of our own commands to its end and return what it printed. Raises DemoError for another exit code."""
        process = await self.start(*arguments, pipe=True)
        output, _ = await process.communicate()
        self.processes.remove(process)
        if code is not None and process.returncode != code:
            raise DemoError(f"{' '.join(arguments[:3])} ended with {process.returncode}: {output.decode()[-500:]}")
        return output.decode("utf-8", "replace")

    async def start(self, *arguments: str, pipe: bool = False) -> "asyncio.subprocess.Process":
        """Start one of our own commands, or a program by its path."""
        program = Path(sys.executable).parent / arguments[0]
        words = [str(program), *arguments[1:]] if program.exists() else list(arguments)
        name = Path(words[0]).name + ("-" + words[1].strip("-/") if len(words) > 1 and words[1].isalpha() else "")
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if pipe else log,
                stderr=asyncio.subprocess.STDOUT if pipe else log,
            )
        self.processes.append(process)
        return process

    async def stop(self, process: "asyncio.subprocess.Process") -> None:
        """End a process and wait for it."""
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()
        if process in self.processes:
            self.processes.remove(process)


def free_port() -> int:
    """Return a port on loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _serve(app: web.Application, port: int, stack: contextlib.AsyncExitStack) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()


async def until_answers(url: str, process: "asyncio.subprocess.Process | None" = None) -> None:
    """Wait until `url` answers 200. Raises DemoError when it does not, or when its process has ended."""
    async with aiohttp.ClientSession() as session:
        for _ in range(int(_WAIT / 0.1)):
            if process is not None and process.returncode is not None:
                raise DemoError(f"the program behind {url} ended with {process.returncode}")
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url, timeout=aiohttp.ClientTimeout(total=2)) as reply:
                    if reply.status == web.HTTPOk.status_code:
                        return
            await asyncio.sleep(0.1)
    raise DemoError(f"{url} did not answer within {_WAIT:.0f} s")


def orthanc() -> tuple[str, str] | None:
    """Return Orthanc's program and its DICOMweb plugin, None when either is not installed."""
    program = next(
        (path for path in (*_ORTHANC, shutil.which("Orthanc") or "") if path and os.access(path, os.X_OK)), None
    )
    plugins = sorted(Path(_PLUGINS).glob("libOrthancDicomWeb.so*"))
    return (program, str(plugins[0])) if program and plugins else None


async def _pacs(world: World, port: int, stack: contextlib.AsyncExitStack) -> None:
    found = orthanc()
    instances = [encode(dataset) for dataset in all_instances()]
    if found is None:
        await _serve(Archive(instances).app(), port, stack)
        return
    program, plugin = found
    storage = world.folder / "orthanc"
    storage.mkdir()
    configuration = {
        "Name": "Leadglass demonstration", "StorageDirectory": str(storage), "IndexDirectory": str(storage),
        "HttpPort": port, "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomServerEnabled": False,
        "Plugins": [plugin], "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado"},
    }  # fmt: skip
    file = world.folder / "orthanc.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    process = await world.start(program, str(file))
    await until_answers(f"http://127.0.0.1:{port}/system", process)
    async with aiohttp.ClientSession() as session:
        for instance in instances:
            async with session.post(f"http://127.0.0.1:{port}/instances", data=instance) as reply:
                if reply.status != web.HTTPOk.status_code:
                    raise DemoError(f"Orthanc did not take a study: {reply.status}")


def _write(world: World, *, port: int, metrics: int, pacs: int) -> None:
    proof = free_port()
    for name in ("logs", "var", "facts", "policies/data", "agent"):
        (world.folder / name).mkdir(mode=0o700, parents=True)
    make_server_files(world.folder / "tls", ("127.0.0.1", "localhost"), SystemClock().now())
    kind = "orthanc" if world.pacs_name == "Orthanc" else "generic"
    world.config.write_text(
        _CONFIG.format(
            public=world.public, port=port, metrics=metrics, kind=kind, pacs=f"http://127.0.0.1:{pacs}",
            issuer=world.idp.issuer, audience=AUDIENCE, client=CLIENT, proof=proof,
        ),
        encoding="utf-8",
    )  # fmt: skip
    (world.folder / "policies/data/posture.yaml").write_text(_POSTURE, encoding="utf-8")
    facts = world.folder / "facts/conditions.yaml"
    facts.write_text(_CONDITIONS.format(patient=CANCER.id), encoding="utf-8")
    facts.chmod(0o600)
    (world.folder / "agent/agent.toml").write_text(
        f'forbidden_software = ["{FORBIDDEN}"]\nproof_port = {proof}\n', encoding="utf-8"
    )
    shutil.copy("/bin/sleep", world.folder / FORBIDDEN)


@asynccontextmanager
async def open_world(folder: Path) -> AsyncIterator[World]:
    """Set everything up in `folder`, and end all of it. Raises DemoError."""
    port, metrics, pacs, idp = (free_port() for _ in range(4))
    public = f"https://127.0.0.1:{port}"
    provider = IdentityProvider(f"http://127.0.0.1:{idp}", SystemClock(), public)
    name = "Orthanc" if orthanc() else "the embedded archive"
    world = World(folder, public, f"http://127.0.0.1:{metrics}", name, provider)
    async with contextlib.AsyncExitStack() as stack:
        _write(world, port=port, metrics=metrics, pacs=pacs)
        try:
            await _serve(provider.app(), idp, stack)
            await _pacs(world, pacs, stack)
            yield world
        finally:
            for process in reversed(list(world.processes)):
                await world.stop(process)


async def start_gateway(world: World) -> "asyncio.subprocess.Process":
    """Start the gateway and wait until it is ready."""
    process = await world.start("leadglass", "serve", "-c", str(world.config))
    await until_answers(f"{world.metrics}/health/ready", process)
    return process


async def start_agent(world: World) -> None:
    """Enrol this machine, report its posture, and open the loopback door."""
    state = str(world.folder / "agent")
    code = json.loads(
        await world.run("leadglass", "device", "code", "-c", str(world.config), "--owner", OWNER, "--json")
    )
    await world.run("leadglass-agent", "enrol", "--gateway", world.public, "--code", code["code"], "--state", state)
    await world.start("leadglass-agent", "run", "--state", state)
    world.sign_in("radiologist")
    announced = world.folder / "door.json"
    arguments = ("--token-file", str(world.folder / "token"), "--port", "0", "--announce", str(announced))
    await world.start("leadglass-agent", "proxy", "--state", state, *arguments)
    for _ in range(int(_WAIT / 0.1)):
        if announced.exists() and (world.folder / "agent/status.json").exists():
            world.base = json.loads(announced.read_text())["base"]
            return
        await asyncio.sleep(0.1)
    raise DemoError(f"the agent did not come up within {_WAIT:.0f} s; its log is in {world.folder / 'logs'}")
