"""The bench's device: enrolled with a code over TLS as an agent is, healthy by its own report every 20 seconds."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

from leadglass.clock import SystemClock
from leadglass_agent import enrol
from leadglass_agent.checks.base import Result
from leadglass_agent.gateway import Gateway, tls
from leadglass_agent.keys import SessionKey, SoftwareKey, jws
from leadglass_agent.member import TYP as RENEWAL
from leadglass_agent.statement import boot, statement

_EVERY = 20.0
# What the shipped posture table asks of everyone.
_CHECKS = ("disk_encryption", "firewall", "malware_scan", "os_patch", "clock_sync", "forbidden_software")


class Device:
    """One enrolled device. `certificate` and `key` are PEM files for the load generator, `context` shows them too."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url
        self.certificate, self.key = folder / "device.pem", folder / "device.key"
        self._task: asyncio.Task[None] | None = None

    async def enrol(self, code: str) -> str:
        """Enrol, take a certificate, report once, and go on reporting. Return the device's id."""
        device_key = SoftwareKey.create(self._folder / "identity.key")
        self._state = await enrol.enrol(
            self._url, enrol.parse_code(code), device_key, os_name="bench", hostname="bench"
        )
        self._device_key, session = device_key, SessionKey()
        async with Gateway(self._url, tls(self._state.trust)) as gateway:
            nonce = (await gateway.call("GET", "nonce"))["nonce"]
            claims = {"nonce": nonce, "session_jwk": session.public_jwk()}
            request = jws(device_key, claims, typ=RENEWAL, kid=self._state.device_id)
            reply = await gateway.call("POST", "renew", {"request": request})
        self.certificate.write_text(reply["certificate"])
        self.key.write_bytes(session.pem)
        (self._folder / "device.der").write_bytes(ssl.PEM_cert_to_DER_cert(reply["certificate"]))
        self.context = tls(self._state.trust, (reply["certificate"], session))
        await self.report()
        self._task = asyncio.get_running_loop().create_task(self._report_on())
        return self._state.device_id

    async def report(self) -> None:
        """Send one statement in which every check passes."""
        async with Gateway(self._url, self.context) as gateway:
            nonce = (await gateway.call("GET", "nonce"))["nonce"]
            self._state = replace(self._state, seq=self._state.seq + 1)
            checks = {name: Result("pass") for name in _CHECKS}
            signed = statement(
                self._device_key, self._state, checks,
                nonce=nonce, seq=self._state.seq, now=SystemClock().now(), booted=boot(),
            )  # fmt: skip
            await gateway.call("POST", "posture", {"statement": signed})

    async def _report_on(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            await self.report()

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
