"""The first week, as docs/deploying.md tells it: an Orthanc that is there, observed through the gateway, then enforced.

Every step is a command of the product, run as a process of its own.
"""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from leadglass.clock import SystemClock
from leadglass.hazmat.jws import SigningKey
from support.device import ISSUER
from support.orthanc import Orthanc, free_port, installed, started
from support.studies import SeededStudy, seeds

pytestmark = pytest.mark.system
VIEWER = "Weasis/4.5"
# As Debian has it, with an account and another port: comments, a Host that links begin with, two files.
ORTHANC = """\
{
  /** What the PACS administrator wrote, years ago **/
  "StorageDirectory": "FOLDER/storage", "IndexDirectory": "FOLDER/storage",
  "HttpPort": HTTP, "DicomPort": DIMSE, // not 8042
  "RemoteAccessAllowed": false, "AuthenticationEnabled": true,
  "Plugins": ["PLUGIN",],
}
"""
DICOMWEB = '{"DicomWeb": {"Root": "/dicom-web/", "Host": "localhost", "Ssl": false}, "RegisteredUsers": {"leadglass": "pa:ss w"}}'
ISSUERS = """\
identity:
  issuers:
    - {issuer: ISSUER, audience: leadglass, jwks: keys.json, token_type: at+jwt, claims: {id: preferred_username, roles: roles}, mfa: {amr: [otp]}}
"""


def leadglass(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "leadglass", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def edited(file: Path, port: int, metrics: int, idp: SigningKey) -> None:
    """Do what the page tells: the address, and who issues tokens."""
    text = file.read_text().replace("https://localhost:8443", f"https://localhost:{port}")
    text = text.replace("https: 127.0.0.1:8443", f"https: 127.0.0.1:{port}").replace(
        "127.0.0.1:9080", f"127.0.0.1:{metrics}"
    )
    before, _, rest = text.partition("identity:\n")
    text = before + ISSUERS.replace("ISSUER", ISSUER) + "\ntime_zone:" + rest.partition("\ntime_zone:")[2]
    file.write_text(text)
    (file.parent / "keys.json").write_text(json.dumps({"keys": [idp.public_jwk()]}))


@asynccontextmanager
async def served(folder: Path, metrics: int) -> AsyncIterator["subprocess.Popen[bytes]"]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "leadglass", "serve"], cwd=folder, stdout=log, stderr=log)  # noqa: ASYNC220 - it outlives the call
    try:
        await mode(metrics, None)
        yield process
    finally:
        process.terminate()
        process.wait(20)


async def mode(metrics: int, wanted: str | None) -> dict[str, Any]:
    """Wait until the gateway is ready, and in this mode."""
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{metrics}/health/ready") as reply:
                    said: dict[str, Any] = await reply.json()
            except aiohttp.ClientError:
                said = {}
            if said.get("ready") and wanted in {None, said["mode"]}:
                return said
            await asyncio.sleep(0.1)


def token(idp: SigningKey) -> dict[str, str]:
    now = int(SystemClock().now())
    claims = {
        "iss": ISSUER, "aud": "leadglass", "sub": "1", "preferred_username": "dr.demo", "roles": ["radiologist"],
        "iat": now, "exp": now + 600, "auth_time": now, "amr": ["otp"],
    }  # fmt: skip
    return {"Authorization": f"Bearer {idp.sign(claims, typ='at+jwt')}"}


async def looked_at(viewer: aiohttp.ClientSession, origin: str, ct: SeededStudy, shown: dict[str, str]) -> str:
    """Use the archive as a viewer did before, without a token, and as one person who has one but no device."""
    rows = await (await viewer.get(f"{origin}/dicom-web/studies")).json(content_type=None)
    assert [row["0020000D"]["Value"][0] for row in rows] == [ct.uid]
    assert rows[0]["00081190"]["Value"][0] == f"{origin}/dicom-web/studies/{ct.uid}"
    first = ct.instances[0]
    address = f"{origin}/dicom-web/studies/{ct.uid}/series/{first.series}/instances/{first.sop}"
    answer = await viewer.get(address, headers={"Accept": 'multipart/related; type="application/dicom"'})
    assert answer.status == 200
    assert first.part10 in await answer.read()
    assert (await viewer.get(f"{address}/metadata", headers=shown)).status == 200
    return address


def reported(site: Path) -> None:
    """Read who would notice."""
    told = leadglass(site, "audit", "readiness", "--json")
    assert told.returncode == 1, told.stderr
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    people = {line["name"]: line for line in lines if line["type"] == "person"}
    assert people["nobody at 127.0.0.1"]["reasons"] == {"user-unauthenticated": 2}
    assert people["nobody at 127.0.0.1"]["viewers"] == {VIEWER: 2}
    assert "device-required" in people[f"dr.demo ({ISSUER})"]["reasons"]
    assert all(line["fix"] for line in lines if line["type"] == "reason")


async def test_the_first_week(tmp_path: Path) -> None:
    _, plugin = installed()
    etc, site = tmp_path / "etc", tmp_path / "site"
    etc.mkdir()
    archive = Orthanc("127.0.0.1", free_port(), free_port(), "ORTHANC", seeds(), "leadglass:pa:ss w")
    text = ORTHANC.replace("FOLDER", str(tmp_path)).replace("PLUGIN", str(plugin))
    (etc / "orthanc.json").write_text(
        text.replace("HTTP,", f"{archive.port},").replace("DIMSE", str(archive.dicom_port))
    )
    (etc / "dicomweb.json").write_text(DICOMWEB)
    ct, idp, port, metrics = archive.studies["ct"], SigningKey.generate(), free_port(), free_port()
    with started(archive, etc):
        for instance in ct.instances:
            archive.upload(instance.part10)

        made = leadglass(tmp_path, "init", "site", "--from-orthanc", "etc", "--observe", "14")
        assert made.returncode == 0, made.stderr
        assert "pa:ss" not in made.stdout + (site / "leadglass.yaml").read_text()
        file = site / "leadglass.yaml"
        edited(file, port, metrics, idp)
        checked = leadglass(site, "config", "check")
        assert checked.returncode == 0, checked.stdout
        assert "nothing is enforced" in checked.stdout

        context = ssl.create_default_context(cafile=str(site / "tls/ca.pem"))
        origin = f"https://localhost:{port}"
        async with (
            served(site, metrics) as gateway,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context), headers={"User-Agent": VIEWER}
            ) as viewer,
        ):
            said = await mode(metrics, "observe")
            assert said["observe_until"] > said["observing_since"]
            shown = token(idp)
            address = await looked_at(viewer, origin, ct, shown)
            reported(site)

            file.write_text(file.read_text().partition("mode: {observe_until")[0])
            gateway.send_signal(signal.SIGHUP)
            await mode(metrics, "enforce")
            assert (await viewer.get(f"{origin}/dicom-web/studies")).status == 401
            refused = await viewer.get(f"{address}/metadata", headers=shown)
            assert "device-required" in (await refused.json(content_type=None))["reasons"]
        assert leadglass(site, "audit", "verify").returncode == 0
        log = (site / "log").read_text()
        assert "OBSERVING, NOT ENFORCING" in log
        assert "the gateway enforces from now on" in log
