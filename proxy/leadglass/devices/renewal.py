"""Renewal: the device key asks for the next certificate. The certificate before is not looked at: it may have ended."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import delete, insert

from leadglass.clock import Clock, rfc3339
from leadglass.devices.enrolled import Enrolled
from leadglass.devices.enrolment import Trust, certificate_row
from leadglass.devices.faults import Fault, StatementRefused
from leadglass.devices.nonces import Nonces
from leadglass.devices.registry import Registry
from leadglass.devices.signed import opened, spend
from leadglass.devices.tables import CERTIFICATES
from leadglass.hazmat.statement import DeviceKey, InvalidStatement
from leadglass.hazmat.x509 import DeviceAuthority, Issued
from leadglass.limits import CERTIFICATES_ACTIVE
from leadglass.model.control import PeerFacts
from leadglass.model.ports import EventSink
from leadglass.store import Store

TYPE: Final = "leadglass-renewal+jwt"
MEMBERS: Final = frozenset({"request"})
_CLAIMS: Final = frozenset({"nonce", "session_jwk"})


class Renewal:
    """Issues the certificates after the first."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        authority: DeviceAuthority,
        nonces: Nonces,
        events: EventSink,
        clock: Clock,
        trust: Trust,
    ) -> None:
        self._store, self._registry, self._authority, self._nonces = store, registry, authority, nonces
        self._events, self._clock, self._trust = events, clock, trust

    async def renew(self, form: Mapping[str, Any], peer: PeerFacts) -> dict[str, Any]:
        """Answer a renewal.

        Raises StatementRefused, Refusal `store-unavailable`, `audit-unavailable`, `rate-limited`.
        """
        async with self._registry.turn:
            device, claims = opened(form["request"], TYPE, _CLAIMS, self._registry)
            spend(self._nonces, claims["nonce"])
            try:
                session = DeviceKey(claims["session_jwk"])
            except InvalidStatement as error:
                raise StatementRefused(Fault.CLAIMS, f"session_jwk: {error}") from None
            if session == device.key:
                raise StatementRefused(Fault.CLAIMS, "the session key is the device key")
            issued = self._authority.issue(session, device.id, self._clock.now())
            await self._keep(device, issued, peer)
            self._registry.certify(device, issued)
        return {
            "certificate": issued.pem,
            "ca": self._authority.pem,
            "trust": self._trust(),
            "not_after": rfc3339(issued.not_after),
            "nonce": self._nonces.new(),
        }

    async def _keep(self, device: Enrolled, issued: Issued, peer: PeerFacts) -> None:
        held = [digest for digest, _ in self._registry.certificates(device.id)]
        kept = held[-(CERTIFICATES_ACTIVE - 1) :]
        fields = {
            "device": device.named(),
            "certificate": issued.sha256.hex(),
            "not_after": rfc3339(issued.not_after),
            "client_ip": peer.client_ip,
            "decision_id": peer.decision_id,
        }
        mine = CERTIFICATES.c.device_id == device.id
        async with self._store.transaction() as connection:
            await connection.execute(delete(CERTIFICATES).where(mine, CERTIFICATES.c.sha256.not_in(kept)))
            await connection.execute(insert(CERTIFICATES).values(**certificate_row(device.id, issued)))
            await self._events.record_event("device-certificate-renewed", fields)
