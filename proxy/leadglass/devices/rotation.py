"""Rotating the device CA: the new one issues from now on; what the old one issued is good until it ends.

Devices need nothing: they renew within the hour, and learn the new CA with that. Open enrolment codes carry the old one
and are void.
"""

import logging
from collections.abc import Callable
from typing import Any

from leadglass.clock import Clock, rfc3339
from leadglass.devices.codes import Codes
from leadglass.devices.inventory import By
from leadglass.devices.registry import Registry
from leadglass.hazmat.authority import following, rotate
from leadglass.hazmat.x509 import DeviceAuthority
from leadglass.limits import DEVICE_CERTIFICATE_SECONDS
from leadglass.model.errors import refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.store import Store

_log = logging.getLogger("leadglass.devices")


class CaRotation:
    """Rotates the device CA. `changed` is called before anybody gets a certificate of the new one."""

    def __init__(
        self,
        *,
        authority: DeviceAuthority,
        store: Store,
        registry: Registry,
        codes: Codes,
        events: EventSink,
        clock: Clock,
    ) -> None:
        self._authority, self._store, self._registry = authority, store, registry
        self._codes, self._events, self._clock = codes, events, clock
        self.changed: Callable[[], object] = lambda: None

    def jwks(self) -> list[dict[str, object]]:
        """Return the public keys of the CAs whose certificates may be good."""
        return self._authority.jwks(self._clock.now())

    async def rotate(self, by: By) -> dict[str, Any]:
        """Let a new CA follow. Raises Refusal `store-unavailable`, `audit-unavailable`."""
        now = self._clock.now()
        new = following(now)
        async with self._registry.turn, self._store.transaction() as connection:  # nobody gets a certificate meanwhile
            said = {
                "from": self._authority.fingerprint.hex(),
                "to": new.fingerprint.hex(),
                "until": rfc3339(now + DEVICE_CERTIFICATE_SECONDS),
                "codes_void": await self._codes.void(connection),
            }
            await self._events.record_event("device-ca-rotated", {**said, "by": by})
            try:
                rotate(self._authority, new, now)
            except OSError as error:
                raise refuse(Code.STORE_UNAVAILABLE, f"the device CA: {error.strerror}") from None
            self.changed()
        _log.warning("the device CA was rotated; certificates of the one before are good until %s", said["until"])
        return said
