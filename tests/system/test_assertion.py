"""The archive is told on whose behalf it is asked, by nobody but the gateway."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from leadglass.hazmat.assertion import AssertionKeys
from leadglass.hazmat.jws import Profile, SigningKey, parse_key_set, read_unverified, verify_compact
from leadglass.hazmat.mac import b64u
from leadglass.upstream.assertion import Assertions
from support.clock import FakeClock
from support.device import ADMIN
from support.gateway import CT, HOST, OWNER, Running, running
from support.orthanc import Orthanc, configuration_of, free_port, installed, started
from support.tools import missing

PROFILE = Profile("assertion", "leadglass-assertion+jwt", frozenset({"ES256"}))
STUDY = f"/dicom-web/studies/{CT.uid}/metadata"
PUBLIC = f"https://{HOST}"
EXAMPLE = Path(__file__).parents[2] / "docs/examples/orthanc"
TWINS = ("Leadglass-Assertion: forged", "leadglass_assertion: forged", "LEADGLASS-ASSERTION: forged")


async def published(run: Running) -> bytes:
    reply = await run.ask("/.leadglass/v1/jwks.json", token=None)
    assert reply.status == 200
    return reply.body


@pytest.mark.parametrize("on", [True, False])
async def test_what_a_client_sends_never_gets_there(tmp_path: Path, *, on: bool) -> None:
    async with running(tmp_path, upstream_more="auth: {assertion: true}" if on else "") as run:
        told: list[str] = []
        for twin in ((), *((one,) for one in TWINS), TWINS):
            run.archive.clear()
            reply = await run.ask(STUDY, *twin)
            assert reply.status in {200, 400}, reply.body  # two of one name are refused before
            for head in run.archive.heads:
                assert "forged" not in str(head)
                told = [said for name, said in head.items() if name.lower().replace("_", "-") == "leadglass-assertion"]
                assert len(told) == on
        keys = await published(run)
        if on:
            claims = verify_compact(told[0], parse_key_set(keys), PROFILE).claims
            assert (claims["sub"], claims["sub_type"], claims["device"]) == (OWNER, "person", run.agent.id)
            assert claims["decision"] in {line.get("decision_id") for line in run.record()}
        else:
            assert len(json.loads(keys)["keys"]) == 2


# --- an Orthanc that asks for it -----------------------------------------------------------------------------------


class RealClock(FakeClock):
    """What Orthanc goes by."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@dataclass
class Guarded:
    """The gateway, the Orthanc of the example behind it, and the keys that a test may sign by."""

    run: Running
    orthanc: Orthanc
    log: Path

    def sign(self, path: str, *, method: str = "GET", age: float = 0.0, audience: str = "") -> str:
        """Return an assertion as the gateway would make it, so many seconds ago."""
        keys = AssertionKeys.load(self.run.folder / "var/assertion.key")
        assert keys is not None
        clock = FakeClock(self.run.clock.now() - age)
        made = Assertions(keys, clock, issuer=PUBLIC, audience=audience or self.orthanc.url)
        return made.make(None, method, path, "")

    def ask(self, path: str, assertion: str | None = None, method: str = "GET", body: bytes | None = None) -> int:
        """Ask Orthanc past the gateway."""
        fields = {"Content-Type": "application/dicom"} if body else {}
        if assertion is not None:
            fields["Leadglass-Assertion"] = assertion
        return self.orthanc.request(method, path, body, fields)[0]


def _configured(folder: Path, gateway: int, archive: int) -> dict[str, object]:
    """Return the example's configuration, as it stands there but for names, ports and its path."""
    for file in EXAMPLE.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    said: dict[str, Any] = json.loads((folder / "leadglass.json").read_text())
    if missing_plugins := [plugin for plugin in said["Plugins"] if not Path(plugin).exists()]:
        missing(f"Orthanc's {missing_plugins} (Debian: orthanc-dicomweb orthanc-python)")
    jwks = f"http://127.0.0.1:{gateway}/.leadglass/v1/jwks.json"
    said["Leadglass"] = {"Issuer": PUBLIC, "Audience": f"http://127.0.0.1:{archive}", "Keys": jwks}
    return said


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    folder, archive, gateway = tmp_path_factory.mktemp("guarded"), free_port(), free_port()

    def change(site: Path) -> None:
        file = site / "leadglass.yaml"
        text = file.read_text().replace("http: 127.0.0.1:0, tls", f"http: 127.0.0.1:{gateway}, tls")
        file.write_text(text.replace(f"public_url: [{PUBLIC}]", f"public_url: [{PUBLIC}, http://127.0.0.1:{gateway}]"))

    (folder / "site").mkdir()
    orthanc = Orthanc("127.0.0.1", archive, free_port(), "ORTHANC", {})
    said = configuration_of(folder, archive, orthanc.dicom_port, installed()[1])
    (folder / "orthanc.json").write_text(json.dumps({**said, **_configured(folder, gateway, archive)}))
    with started(orthanc, folder / "orthanc.json"):
        async with running(
            folder / "site", upstream=orthanc.url, kind="orthanc", clock=RealClock(), change=change,
            upstream_more="auth: {assertion: true}",
        ) as run:  # fmt: skip
            site = Guarded(run, orthanc, folder / "orthanc.log")
            for instance in CT.instances:
                assertion = site.sign("/instances", method="POST")
                assert await asyncio.to_thread(site.ask, "/instances", assertion, "POST", instance.part10) == 200
            yield site


@pytest.mark.system
@pytest.mark.asyncio(loop_scope="module")
class TestOrthanc:
    async def test_through_the_gateway_it_answers(self, guarded: Guarded) -> None:
        for target in (
            f"/dicom-web/studies?StudyInstanceUID={CT.uid}",
            f"/dicom-web/studies/{CT.uid}/metadata",
            f"/dicom-web/studies/{CT.uid}/series/{CT.series}/instances/{CT.instances[0].sop}/frames/1",
            f"/wado?requestType=WADO&studyUID={CT.uid}&seriesUID={CT.series}&objectUID={CT.instances[0].sop}",
        ):
            reply = await guarded.run.ask(target)
            assert reply.status == 200, (target, reply.body[:300])
        assert f"for '{OWNER}', decision 01" in guarded.log.read_text()

    @pytest.mark.parametrize(
        ("path", "method"),
        [("/", "GET"), ("/system", "GET"), ("/dicom-web/studies", "GET"), ("/studies", "GET"), ("/instances", "POST"),
         ("/app/explorer.html", "GET"), ("/wado", "GET"), ("/tools/find", "POST"), ("/patients/x", "DELETE")],
    )  # fmt: skip
    async def test_past_it_nothing_does(self, guarded: Guarded, path: str, method: str) -> None:
        assert await asyncio.to_thread(guarded.ask, path, None, method) == 403

    async def test_each_fault_is_found(self, guarded: Guarded) -> None:
        path = "/dicom-web/studies"
        stranger = SigningKey.generate()
        good = guarded.sign(path)
        head, body, _ = good.split(".")
        claims = read_unverified(good).claims
        typ = "leadglass-assertion+jwt"
        wrong = {
            "another path": guarded.sign("/dicom-web/series"),
            "another method": guarded.sign(path, method="DELETE"),
            "another archive": guarded.sign(path, audience="http://other:8042"),
            "expired": guarded.sign(path, age=40),
            "from tomorrow": guarded.sign(path, age=-86_400),
            "of a stranger": stranger.sign({**claims, "jti": "1"}, typ=typ),
            "of a stranger, under the name of the gateway's key": stranger.sign(
                {**claims, "jti": "2"}, typ=typ, header={"kid": read_unverified(good).header["kid"]}
            ),
            "unsigned": f"{b64u(json.dumps({'alg': 'none', 'typ': typ}).encode())}.{body}.",
            "cut off": f"{head}.{body}.",
            "of another kind": stranger.sign(claims, typ="at+jwt"),
            "no token": "x",
            "empty": "",
        }
        for name, assertion in wrong.items():
            assert await asyncio.to_thread(guarded.ask, path, assertion) == 403, name
        assert await asyncio.to_thread(guarded.ask, path, good) == 200, "the faults above are the only ones"
        assert await asyncio.to_thread(guarded.ask, path, good) == 403, "used before"
        assert "used before" in guarded.log.read_text()

    async def test_a_rotated_key_is_learnt(self, guarded: Guarded) -> None:
        run = guarded.run
        said = await run.gateway.signer.rotate(ADMIN)
        keys = run.gateway.signer.keys()
        fresh = AssertionKeys(run.folder / "unused", *[one for one in keys._held if one.signer.kid == said["to"]])
        made = Assertions(fresh, run.clock, issuer=PUBLIC, audience=guarded.orthanc.url)
        async with asyncio.timeout(30):
            # One that is not known is looked for every 10 seconds at most, and a program of its own has no event to wait for.
            while await asyncio.to_thread(guarded.ask, "/system", made.make(None, "GET", "/system", "")) != 200:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.2)
