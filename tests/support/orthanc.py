"""A real Orthanc with its DICOMweb plugin, started once per session and seeded with four studies.

Ask for the fixture `orthanc`; tests that do are `@pytest.mark.system` and are skipped where Orthanc is not installed.
Tests share it: store under UIDs of your own and never delete the seeds.
"""

import http.client
import json
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.studies import SeededStudy, seeds
from support.tools import missing

PLUGINS = (
    Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so"),
    Path("/usr/local/share/orthanc/plugins/libOrthancDicomWeb.so"),
)
START_SECONDS = 30.0


@dataclass(frozen=True)
class Orthanc:
    """Where the archive listens and what is in it."""

    host: str
    port: int
    dicom_port: int
    ae_title: str
    studies: Mapping[str, SeededStudy]
    account: str = ""  # user:password, where it asks for one

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash. DICOMweb is at /dicom-web, WADO-URI at /wado."""
        return f"http://{self.host}:{self.port}"

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Ask Orthanc directly (blocking) and return status, lower-case header fields and body."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        shown = {"Authorization": f"Basic {b64encode(self.account.encode()).decode()}"} if self.account else {}
        try:
            connection.request(method, path, body, {**shown, **(headers or {})})
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            connection.close()

    def upload(self, part10: bytes) -> None:
        """Store one Part 10 file through Orthanc's own interface."""
        status, _, body = self.request("POST", "/instances", part10, {"Content-Type": "application/dicom"})
        assert status == 200, body


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration_of(folder: Path, http_port: int, dicom_port: int, plugin: Path) -> dict[str, object]:
    """Return the configuration of an Orthanc that keeps what it has in `folder`."""
    return {
        "Name": "leadglass-test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowStore": True,
        "RemoteAccessAllowed": True,
        "AuthenticationEnabled": False,
        "OverwriteInstances": False,
        "KeepAlive": True,
        "Plugins": [str(plugin)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": True, "WadoRoot": "/wado"},
    }


def _wait_until_up(archive: Orthanc, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if archive.request("GET", "/system")[0] in {200, 403}:  # one that asks who it is is up too
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"Orthanc did not start:\n{log.read_text(errors='replace')[-2000:]}")


def installed() -> tuple[str, Path]:
    """Return Orthanc and its DICOMweb plugin; skips where they are not."""
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    plugin = next((path for path in PLUGINS if path.exists()), None)
    if program is None or plugin is None:
        missing("Orthanc with its DICOMweb plugin (Debian: orthanc orthanc-dicomweb)")
    return program, plugin


@contextmanager
def started(archive: Orthanc, configuration: Path) -> Iterator[None]:
    """Run an Orthanc of this configuration for the time of the block."""
    folder = configuration.parent
    log = folder / "orthanc.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [installed()[0], str(configuration)], stdout=output, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        _wait_until_up(archive, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """The archive, up and seeded."""
    _, plugin = installed()
    folder = tmp_path_factory.mktemp("orthanc")
    archive = Orthanc("127.0.0.1", free_port(), free_port(), "ORTHANC", seeds())
    configuration = folder / "orthanc.json"
    configuration.write_text(json.dumps(configuration_of(folder, archive.port, archive.dicom_port, plugin)))
    with started(archive, configuration):
        for study in archive.studies.values():
            for instance in study.instances:
                archive.upload(instance.part10)
        yield archive
