"""The proxies of docs/examples/proxies, run as they stand there but for addresses, ports and files."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from leadglass.gateways.http.settings import Address
from support.orthanc import free_port
from support.tools import missing

FOLDER: Final = Path(__file__).parents[2] / "docs/examples/proxies"
_GATEWAY: Final = ("192.0.2.5:8443", "address: 192.0.2.5, port_value: 8443")
_START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Example:
    """One file. `port` is how it says where it listens; `speaks` what the gateway is told of it."""

    file: str
    speaks: str
    port: str

    @property
    def passes(self) -> bool:
        """Whether TLS passes through it."""
        return self.speaks == "proxy-v2"


EXAMPLES: Final = (
    Example("nginx-passthrough.conf", "proxy-v2", "listen 443;"),
    Example("nginx-terminating.conf", "x-forwarded-for", "listen 443 ssl;"),
    Example("haproxy-passthrough.cfg", "proxy-v2", "bind :443"),
    Example("haproxy-terminating.cfg", "x-forwarded-for", "bind :443"),
    Example("Caddyfile", "x-forwarded-for", "example.org:443"),
    Example("envoy-passthrough.yaml", "proxy-v2", "address: 0.0.0.0, port_value: 443"),
    Example("envoy-terminating.yaml", "x-forwarded-for", "address: 0.0.0.0, port_value: 443"),
)


def _program(name: str) -> str:
    packaged = sorted(Path(sys.prefix).glob("lib/python3*/site-packages/envoy/_bin/envoy")) if name == "envoy" else []
    found = str(packaged[0]) if packaged else shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        missing(name)
    return found


def _command(example: Example, folder: Path, file: Path) -> list[str]:
    if example.file.startswith("nginx"):
        if example.passes and not Path("/usr/lib/nginx/modules/ngx_stream_js_module.so").exists():
            missing("nginx with its stream and njs modules (Debian: libnginx-mod-stream-js)")
        more = f"daemon off; pid {folder}/pid;" + (" user root;" if os.geteuid() == 0 else "")
        return [_program("nginx"), "-p", str(folder), "-c", str(file), "-e", str(folder / "error.log"), "-g", more]
    if example.file.startswith("haproxy"):
        return [_program("haproxy"), "-db", "-f", str(file)]
    if example.file == "Caddyfile":
        return [_program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]
    return [_program("envoy"), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]


def _replace(text: str, old: str, new: str) -> str:
    assert old in text, f"the example does not say {old}"
    return text.replace(old, new)


def write(example: Example, folder: Path, gateway: Address, port: int, files: Mapping[str, Path]) -> Path:
    """Write the example for these addresses; `files` maps the end of a path in it to the file to read."""
    text = (FOLDER / example.file).read_text()
    text = _replace(text, example.port, example.port.replace("443", str(port)))
    old = next(way for way in _GATEWAY if way in text)
    text = text.replace(old, old.replace("192.0.2.5", gateway.host).replace("8443", str(gateway.port)))
    for name, file in files.items():
        for base in ("nginx", "haproxy", "caddy", "envoy"):
            text = text.replace(f"/etc/{base}/{name}", str(file))
    text = text.replace("js_path /etc/nginx;", f"js_path {FOLDER};")
    text = text.replace("modules/ngx", "/usr/lib/nginx/modules/ngx")
    assert "/etc/" not in text, text
    file = folder / example.file
    file.write_text(text)
    return file


@contextmanager
def proxy(example: Example, folder: Path, gateway: Address, files: Mapping[str, Path]) -> Iterator[Address]:
    """Run the program of an example before `gateway`, and give where it listens."""
    folder.mkdir()
    port = free_port()
    command = _command(example, folder, write(example, folder, gateway, port, files))
    log = folder / "output.log"
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PATH": ""}
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=home)
    try:
        _wait(process, port, log)
        yield Address("127.0.0.1", port)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until it listens, without a connection: one would be a client's."""
    end, listening = time.monotonic() + _START_SECONDS, f":{port:04X}"
    while time.monotonic() < end and process.poll() is None:
        sockets = (Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()).splitlines()
        if any(line.split()[1].endswith(listening) and line.split()[3] == "0A" for line in sockets):
            return
        time.sleep(0.05)
    pytest.fail(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-2000:]}")
