"""wrk, and what it says. TLS through a shim that shows the device's certificate and pins one cipher suite."""

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.rig import BenchError, Rig

_HERE = Path(__file__).parent
CIPHER: Final = "TLS_AES_256_GCM_SHA384"


@dataclass(frozen=True, slots=True)
class Result:
    """One run: rates a second, latencies in milliseconds."""

    requests: int
    rate: float
    bytes_rate: float
    p50: float
    p99: float
    max: float


class Wrk:
    """The load generator against one rig. `shim` is None where it cannot be built, and `why` says why."""

    def __init__(self, rig: Rig) -> None:
        if shutil.which("wrk") is None:
            raise BenchError("wrk is not installed")
        self._rig, self.shim, self.why = rig, None, ""
        self.negotiated: dict[str, str] = {}
        compiler = shutil.which("cc")
        if compiler is None:
            self.why = "no C compiler (cc), so wrk cannot show a client certificate"
            return
        shim = rig.folder / "clientcert.so"
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(shim), str(_HERE / "clientcert.c"), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            self.why = f"the shim does not build: {done.stderr.strip()[:200]}"
        else:
            self.shim = shim

    async def run(
        self,
        peer: str,
        path: str,
        accept: str,
        *,
        seconds: float,
        connections: int,
        tls: bool = False,
        credentials: Path | None = None,
    ) -> Result:
        """Run once; `credentials` are the people's tokens when not given. Raises BenchError when anything but 2xx came back."""
        port = self._rig.ports[peer][tls] if peer != "direct" else self._rig.archive_port
        environment, log = dict(os.environ), self._rig.folder / "tls.log"
        if tls:
            assert self.shim is not None
            assert self._rig.device is not None
            environment |= {"LD_PRELOAD": str(self.shim), "BENCH_CIPHER": CIPHER, "BENCH_TLS_LOG": str(log)}
            if peer in {"gateway", "behind"}:
                device = self._rig.device
                environment |= {"BENCH_CERTIFICATE": str(device.certificate), "BENCH_KEY": str(device.key)}
        process = await asyncio.create_subprocess_exec(
            "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "60s",
            "-s", str(_HERE / "requests.lua"), f"http{'s' if tls else ''}://127.0.0.1:{port}{path}",
            "--", accept, str(credentials or self._rig.tokens),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment,
        )  # fmt: skip
        output = (await process.communicate())[0].decode()
        line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
        if process.returncode or line is None:
            raise BenchError(f"wrk against {peer}: {output[-500:]}")
        if tls:
            self.negotiated[peer] = log.read_text().strip()
        said = json.loads(line.removeprefix("RESULT "))
        if said["errors"] or not said["bytes"]:  # a large reply need not end within a round
            raise BenchError(f"wrk against {peer}{path}: {said['errors']} errors, {said['bytes']} bytes")
        spent = said["seconds"]
        return Result(
            said["requests"], said["requests"] / spent, said["bytes"] / spent,
            said["p50"] / 1e3, said["p99"] / 1e3, said["max"] / 1e3,
        )  # fmt: skip
