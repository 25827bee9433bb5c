"""All devices and active certificates, in memory: what a request costs is one SHA-256 and one look-up.

The store is written first and the registry follows, so what stands here survives a restart. A change of a device's
state, certificate or checks moves the epoch `device:<id>`, which ends every lease that stands on it.
"""

import asyncio
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import select

from leadglass.clock import Clock
from leadglass.devices.enrolled import Enrolled, from_row
from leadglass.devices.tables import CERTIFICATES, DEVICES
from leadglass.epochs import Epochs
from leadglass.hazmat.mac import sha256
from leadglass.hazmat.x509 import DeviceAuthority, Issued, Outcome
from leadglass.limits import CERTIFICATES_ACTIVE
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import Device
from leadglass.model.reasons import Code
from leadglass.store import Store

_log = logging.getLogger("leadglass.devices")


@dataclass(slots=True)
class _Active:
    """An active certificate and the device it stands for, as policy sees it."""

    digest: bytes
    not_before: float
    not_after: float
    device: Device


class Registry:
    """The devices of this gateway. `turn` is held by whoever changes one, from its check to its end."""

    def __init__(self, authority: DeviceAuthority, epochs: Epochs, clock: Clock) -> None:
        self._authority, self._epochs, self._clock = authority, epochs, clock
        self.turn = asyncio.Lock()
        self._devices: dict[str, Enrolled] = {}
        self._thumbprints: set[str] = set()
        self._active: dict[bytes, _Active] = {}  # SHA-256 of the DER ->
        self._held: dict[str, list[_Active]] = {}  # device id -> its certificates, oldest first
        self._proven: dict[str, Device] = {}  # device id -> what `proven` said of it

    async def load(self, store: Store) -> None:
        """Read all devices and certificates. Raises Refusal `store-unavailable`."""
        async with store.transaction() as connection:
            devices = (await connection.execute(select(DEVICES))).mappings().all()
            certificates = (
                (await connection.execute(select(CERTIFICATES).order_by(CERTIFICATES.c.not_after))).mappings().all()
            )
        for row in devices:
            device = from_row(dict(row))
            self._devices[device.id] = device
            self._thumbprints.add(device.key.thumbprint)
        now, strangers = self._clock.now(), 0
        for row in certificates:
            device = self._devices[row["device_id"]]
            judgement = self._authority.judge(row["der"], now)
            timely = {Outcome.OK, Outcome.EXPIRED, Outcome.NOT_YET_VALID}  # what time decides is judged on each request
            if judgement.outcome in timely and judgement.device_id == device.id and device.active:
                self._activate(device, row["sha256"], row["not_before"], row["not_after"], self._received(device))
            elif device.active:
                strangers += 1
        if strangers:
            _log.warning("%d stored certificates are not by this device CA; their devices must enrol again", strangers)

    def _received(self, device: Enrolled) -> float | None:
        """Return when a stored posture was received, in monotonic seconds; None when that is in the future."""
        if device.posture is None:
            return None
        age = self._clock.now() - device.posture.received
        return self._clock.monotonic() - age if age >= 0 else None  # the clock stepped back: its age is not known

    def _activate(
        self, device: Enrolled, digest: bytes, not_before: float, not_after: float, received: float | None
    ) -> None:
        active = _Active(digest, not_before, not_after, device.facts(not_after, received))
        held = self._held.setdefault(device.id, [])
        held.append(active)
        self._active[digest] = active
        for old in held[:-CERTIFICATES_ACTIVE]:
            self._active.pop(old.digest, None)
        del held[:-CERTIFICATES_ACTIVE]

    def present(self, certificate: bytes | None, now: float) -> Device | None:
        """Return the device that a client certificate (DER, proven by the handshake) stands for; None without one.

        Raises Refusal `device-certificate-expired`, or `statement-invalid` for a certificate that is not active here.
        """
        if certificate is None:
            return None
        active = self._active.get(sha256(certificate))
        if active is None:
            raise self._stranger(certificate, now)
        if now >= active.not_after:
            raise refuse(Code.DEVICE_CERTIFICATE_EXPIRED)
        if now < active.not_before:
            raise refuse(Code.STATEMENT_INVALID, "certificate: not-yet-valid")
        return active.device

    def proven(self, device_id: str) -> Device:
        """Return the device that signed for a session, for as long as the caller holds that signature good.

        The same object until something about the device changes. Raises Refusal `statement-invalid` when it was withdrawn.
        """
        known = self._proven.get(device_id)
        if known is None:
            device = self._devices.get(device_id)
            if device is None or not device.active:
                refusal = refuse(Code.STATEMENT_INVALID, "the session's device is withdrawn")
                refusal.withdrawn = True
                raise refusal
            known = self._proven[device_id] = device.facts(math.inf, self._received(device), "proof")
        return known

    def _stranger(self, certificate: bytes, now: float) -> Refusal:
        judgement = self._authority.judge(certificate, now)
        if judgement.outcome is Outcome.EXPIRED:
            refusal = refuse(Code.DEVICE_CERTIFICATE_EXPIRED)
        else:
            detail = str(judgement.outcome) if judgement.outcome is not Outcome.OK else "not-active"
            refusal = refuse(Code.STATEMENT_INVALID, f"certificate: {detail}")
        device = self._devices.get(judgement.device_id or "")
        refusal.withdrawn = device is not None and not device.active
        return refusal

    def get(self, device_id: str) -> Enrolled | None:
        """Return a device by its id."""
        return self._devices.get(device_id)

    def knows_key(self, thumbprint: str) -> bool:
        """Return whether a device with this key is or was enrolled."""
        return thumbprint in self._thumbprints

    def __iter__(self) -> Iterator[Enrolled]:
        return iter(tuple(self._devices.values()))

    def __len__(self) -> int:
        return len(self._devices)

    def certificates(self, device_id: str) -> tuple[tuple[bytes, float], ...]:
        """Return SHA-256 and end (epoch seconds) of a device's active certificates, oldest first."""
        return tuple((active.digest, active.not_after) for active in self._held.get(device_id, ()))

    def certify(self, device: Enrolled, issued: Issued) -> None:
        """Take a new device, or a new certificate of a known one."""
        held = self._held.get(device.id)
        received = held[-1].device.received if held else self._received(device)
        self._devices[device.id] = device
        self._thumbprints.add(device.key.thumbprint)
        self._activate(device, issued.sha256, issued.not_before, issued.not_after, received)
        self._epochs.bump(f"device:{device.id}")

    def report(self, device: Enrolled, *, monotonic: float, changed: bool) -> None:
        """Take a device with a new posture, received at `monotonic`. `changed` says whether any check did."""
        self._devices[device.id] = device
        for active in self._held.get(device.id, ()):
            if changed:
                active.device = device.facts(active.not_after, monotonic)
            else:
                active.device = replace(active.device, received=monotonic)
        if device.id in self._proven:
            self._proven[device.id] = device.facts(math.inf, monotonic, "proof")
        if changed:
            self._epochs.bump(f"device:{device.id}")

    def withdraw(self, device: Enrolled) -> None:
        """Take a device that was revoked: none of its certificates is active from now on."""
        self._devices[device.id] = device
        self._proven.pop(device.id, None)
        for active in self._held.pop(device.id, ()):
            self._active.pop(active.digest, None)
        self._epochs.bump(f"device:{device.id}")
