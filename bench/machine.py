"""What the figures were taken on."""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from bench.peers import envoy_program

_PACKAGES = ("leadglass", "uvloop", "httptools", "orjson", "wasmtime", "cryptography")


def _first(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "not there"
    return (done.stdout + done.stderr).strip().splitlines()[0] if done.stdout or done.stderr else "unknown"


def facts() -> dict[str, str]:
    """Return the machine and the versions, by name."""
    cpus = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpus, re.MULTILINE)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    envoy = envoy_program()
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory[1]) // 1024 // 1024} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "load before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "python": platform.python_version(),
        "nginx": _first(["nginx", "-v"]).removeprefix("nginx version: "),
        "envoy": _first([envoy, "--version"]).rpartition("version: ")[2] if envoy else "not installed",
        "wrk": _first(["wrk", "-v"]).partition(" Copyright")[0],
        **{name: metadata.version(name) for name in _PACKAGES},
    }
