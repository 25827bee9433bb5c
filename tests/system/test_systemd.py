"""The systemd units: what the gateway's lets the process do, and that systemd itself takes both."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from leadglass import limits

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "proxy/systemd/leadglass.service"
AGENT = ROOT / "agent/systemd/leadglass-agent.service"


def read() -> dict[str, dict[str, list[str]]]:
    """Return section -> key -> values in order (systemd.syntax(7); no line here is continued)."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = sections.setdefault(heading[1], {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


SERVICE = read()["Service"]

HARDENED = {
    "User": "leadglass",
    "StateDirectory": "leadglass",
    "StateDirectoryMode": "0700",
    "UMask": "0077",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "LimitCORE": "0",  # a core holds patients and keys
    "Restart": "on-failure",
    "ExecReload": "/bin/kill -HUP $MAINPID",
}


@pytest.mark.parametrize(("key", "value"), HARDENED.items(), ids=HARDENED.keys())
def test_it_may_do_what_it_needs(key: str, value: str) -> None:
    assert SERVICE[key] == [value]


def test_system_calls_are_those_of_a_service() -> None:
    assert SERVICE["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_the_policy_may_be_compiled() -> None:
    assert "MemoryDenyWriteExecute" not in SERVICE, "wasmtime writes machine code"


def test_it_ends_after_its_replies_and_has_room_for_its_clients() -> None:
    assert int(SERVICE["TimeoutStopSec"][0]) > limits.DRAIN_SECONDS
    assert int(SERVICE["LimitNOFILE"][0]) >= 2 * (limits.LISTENER_CONNECTIONS + limits.UPSTREAM_CONNECTIONS_MAX)


@pytest.fixture
def systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    return program


# The agent looks at what other programs are kept from seeing, so it may be told more than the gateway.
@pytest.mark.parametrize(("unit", "exposure"), [(UNIT, 20), (AGENT, 40)], ids=["gateway", "agent"])
def test_systemd_takes_it(systemd_analyze: str, unit: Path, exposure: int, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(re.sub("^ExecStart=.*", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
    done = subprocess.run(
        [systemd_analyze, "verify", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    command = [systemd_analyze, "security", "--offline=true", f"--threshold={exposure}", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-300:]
