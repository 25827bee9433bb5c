"""Posture statements (claims named after EAT, RFC 9711): verified and stored with the gateway's own time, not judged.

What a statement says is reported by the device. The signature proves the device key, the nonce that it is fresh, `seq`
and the boot that it follows the one before; nothing here proves that a check told the truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import update

from leadglass.clock import Clock, rfc3339
from leadglass.devices import forms
from leadglass.devices.enrolled import Checks, Enrolled, Posture, posture_row
from leadglass.devices.faults import Fault, StatementRefused
from leadglass.devices.nonces import Nonces
from leadglass.devices.registry import Registry
from leadglass.devices.signed import opened, spend
from leadglass.devices.tables import DEVICES
from leadglass.limits import BOOT_LEEWAY_SECONDS, STATEMENT_LEEWAY_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.ports import EventSink
from leadglass.store import Store

TYPE: Final = "leadglass-posture+jwt"
PROFILE: Final = "urn:leadglass:posture:1"
MEMBERS: Final = frozenset({"statement"})
_CLAIMS: Final = frozenset(
    {"eat_profile", "eat_nonce", "ueid", "iat", "swname", "swversion", "seq", "boot_id", "uptime", "checks"}
)
_NAME_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class _Statement:
    """The claims of a proven statement, each of its type and within its bounds."""

    iat: int
    seq: int
    boot_id: str
    uptime: float
    agent: str
    checks: Checks


def _read(claims: Mapping[str, Any], device: Enrolled) -> _Statement:
    try:
        forms.literal(claims, "eat_profile", PROFILE)
        forms.literal(claims, "ueid", device.id)
        return _Statement(
            iat=forms.integer(claims, "iat"),
            seq=forms.integer(claims, "seq", low=1),
            boot_id=forms.boot_id(claims, "boot_id"),
            uptime=forms.seconds(claims, "uptime"),
            agent=f"{forms.text(claims, 'swname', _NAME_CHARS)} {forms.text(claims, 'swversion', _NAME_CHARS)}",
            checks=forms.checks(claims, "checks"),
        )
    except forms.Malformed as error:
        raise StatementRefused(Fault.CLAIMS, str(error)) from None


def _follows(statement: _Statement, before: Posture | None, now: float) -> None:
    """Check a statement against the clock and the one before. Raises StatementRefused."""
    if abs(statement.iat - now) > STATEMENT_LEEWAY_SECONDS:
        raise StatementRefused(Fault.CLOCK, f"iat is off by {statement.iat - now:.0f} s")
    if before is None:
        return
    if statement.seq <= before.seq:
        raise StatementRefused(Fault.SEQUENCE, last_seq=before.seq)
    if statement.boot_id == before.boot_id:
        if statement.uptime < before.uptime:
            raise StatementRefused(Fault.BOOT, "uptime ran backwards")
    elif now - statement.uptime < before.received - BOOT_LEEWAY_SECONDS:
        raise StatementRefused(Fault.BOOT, "another boot, older than the statement before")


class PostureDesk:
    """Takes posture statements."""

    def __init__(self, *, store: Store, registry: Registry, nonces: Nonces, events: EventSink, clock: Clock) -> None:
        self._store, self._registry, self._nonces = store, registry, nonces
        self._events, self._clock = events, clock

    async def take(self, form: Mapping[str, Any], peer: PeerFacts) -> dict[str, str]:
        """Answer a statement that came over a connection with the certificate of `peer.device_id`.

        Raises StatementRefused, Refusal `store-unavailable`, `audit-unavailable`, `rate-limited`.
        """
        async with self._registry.turn:
            device, claims = opened(form["statement"], TYPE, _CLAIMS, self._registry)
            if device.id != peer.device_id:
                raise StatementRefused(Fault.INVALID, "the connection's certificate is another device's")
            statement = _read(claims, device)
            spend(self._nonces, claims["eat_nonce"])
            now, monotonic = self._clock.now(), self._clock.monotonic()
            _follows(statement, device.posture, now)
            await self._keep(device, statement, now=now, monotonic=monotonic, peer=peer)
        return {"received": rfc3339(now), "nonce": self._nonces.new()}

    async def _keep(
        self, device: Enrolled, statement: _Statement, *, now: float, monotonic: float, peer: PeerFacts
    ) -> None:
        posture = Posture(now, statement.seq, statement.boot_id, statement.uptime, statement.agent, statement.checks)
        changed = device.posture is None or device.posture.checks != posture.checks
        statuses = _changed_statuses(device.posture, posture)
        async with self._store.transaction() as connection:
            row = update(DEVICES).where(DEVICES.c.id == device.id).values(**posture_row(posture))
            await connection.execute(row)
            if statuses:
                fields = {
                    "device": device.named(),
                    "seq": posture.seq,
                    "changed": statuses,
                    "decision_id": peer.decision_id,
                }
                await self._events.record_event("posture-changed", fields)
        self._registry.report(replace(device, posture=posture), monotonic=monotonic, changed=changed)


def _changed_statuses(before: Posture | None, now: Posture) -> dict[str, dict[str, str | None]]:
    """Return id -> status before and now, for the checks whose status changed. Values stay out of the record."""
    old, new = before.summary() if before is not None else {}, now.summary()
    return {
        name: {"from": old.get(name), "to": new.get(name)}
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }
