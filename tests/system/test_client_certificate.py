"""An Orthanc behind an nginx that lets nobody in but who shows the gateway's certificate (Debian's own TLS crashes)."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gateway import running
from support.orthanc import Orthanc, free_port
from support.tools import tool
from support.upstreams import self_signed

pytestmark = pytest.mark.system
SEARCH = "/dicom-web/studies?limit=1"
CONFIG = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {folder}/archive.pem; ssl_certificate_key {folder}/archive.key;
    ssl_client_certificate {folder}/gateway.pem; ssl_verify_client on;
    location / {{ proxy_pass {orthanc}; proxy_set_header Host $host; }}
  }}
}}
"""


@pytest.fixture
def guard(tmp_path: Path, orthanc: Orthanc) -> Iterator[str]:
    """The address of an nginx before Orthanc; `gateway.pem` and its key are those it lets in."""
    self_signed(tmp_path)
    self_signed(tmp_path, "gateway")
    port = free_port()
    (tmp_path / "nginx.conf").write_text(CONFIG.format(folder=tmp_path, port=port, orthanc=orthanc.url))
    with (tmp_path / "out").open("wb") as output:
        process = subprocess.Popen([tool("nginx"), "-c", str(tmp_path / "nginx.conf")], stdout=output, stderr=output)
    try:
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


async def test_it_lets_the_gateway_in_and_nobody_without_its_certificate(guard: str, tmp_path: Path) -> None:
    files = f"certificate: {tmp_path / 'gateway.pem'}, key: {tmp_path / 'gateway.key'}"
    ca = f"ca: {tmp_path / 'archive.pem'}"
    shown = running(tmp_path / "site", upstream=guard, kind="orthanc", upstream_more=f"{ca}, auth: {{{files}}}")
    async with shown as run, asyncio.timeout(30):
        while (reply := await run.ask(SEARCH)).status == 502:
            assert reply.reasons == ["upstream-unreachable"]  # it is starting
            await asyncio.sleep(0.1)
        assert reply.status == 200, reply.body
    async with running(tmp_path / "other", upstream=guard, kind="orthanc", upstream_more=ca) as run:
        assert (await run.ask(SEARCH)).reasons == ["upstream-refused"]  # nginx answers 400
