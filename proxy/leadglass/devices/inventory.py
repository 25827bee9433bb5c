"""What an administrator does with devices: look at them, and withdraw one. Each act is an event in the record."""

from dataclasses import replace
from typing import Any, TypeAlias

from sqlalchemy import delete, update

from leadglass.clock import Clock, rfc3339
from leadglass.devices.registry import Registry
from leadglass.devices.tables import CERTIFICATES, DEVICES
from leadglass.model.ports import EventSink
from leadglass.store import Store

By: TypeAlias = dict[str, str | int]


class Inventory:
    """The devices as administrators see them. `by` says who acts, for the record."""

    def __init__(self, *, store: Store, registry: Registry, events: EventSink, clock: Clock) -> None:
        self._store, self._registry, self._events, self._clock = store, registry, events, clock

    async def all(self, by: By) -> list[dict[str, Any]]:
        """Return every device, by owner and name, less its checks' values."""
        await self._events.record_event("devices-listed", {"by": by})
        now = self._clock.now()
        ordered = sorted(
            self._registry, key=lambda device: (device.owner, device.owner_issuer, device.name, device.enrolled)
        )
        listed = []
        for device in ordered:
            shown = device.shown(now)
            shown["checks"] = device.posture.summary() if device.posture is not None else None
            listed.append(shown)
        return listed

    async def one(self, device_id: str, by: By) -> dict[str, Any] | None:
        """Return a device with its checks and active certificates, None when there is none of this id."""
        await self._events.record_event("device-shown", {"device": {"id": device_id}, "by": by})
        device = self._registry.get(device_id)
        if device is None:
            return None
        certificates = [
            {"sha256": digest.hex(), "not_after": rfc3339(not_after)}
            for digest, not_after in self._registry.certificates(device_id)
        ]
        return {**device.shown(self._clock.now()), "certificates": certificates}

    async def revoke(self, device_id: str, reason: str, by: By) -> bool:
        """Withdraw a device at once and for good. False when there is none of this id, or it is withdrawn already.

        Raises Refusal `store-unavailable`, `audit-unavailable`.
        """
        async with self._registry.turn:
            device = self._registry.get(device_id)
            if device is None or not device.active:
                return False
            now = self._clock.now()
            fields = {
                "device": device.named(),
                "reason": reason,
                "by": by,
            }
            async with self._store.transaction() as connection:
                row = update(DEVICES).where(DEVICES.c.id == device_id)
                await connection.execute(row.values(revoked=now, revoked_reason=reason))
                await connection.execute(delete(CERTIFICATES).where(CERTIFICATES.c.device_id == device_id))
                await self._events.record_event("device-revoked", fields)
            self._registry.withdraw(replace(device, revoked=now, revoked_reason=reason))
        return True
