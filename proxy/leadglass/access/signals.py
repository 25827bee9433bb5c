"""Security events and what they do: joins whoever sends them, what holds of them, the sessions, and the devices.

What an event says holds from the moment it is acknowledged: it is in the store and in the record first, then leases end
and what runs is judged again, in the same turn of the loop (law 7).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from leadglass.access.services import Services
from leadglass.clock import rfc3339
from leadglass.devices.registry import Registry
from leadglass.epochs import Epochs
from leadglass.identity.transmitters import Transmitters
from leadglass.model.control import PeerFacts
from leadglass.model.facts import Device, Subject
from leadglass.model.signals import DEVICE_NAMES, Event, Name, Signal, SignalRefused, Whom
from leadglass.sessions.sessions import Sessions
from leadglass.signals.standing import Standings
from leadglass.telemetry import metrics

_log = logging.getLogger("leadglass.access")
_ENDING: Final = frozenset({Event.SESSION_REVOKED, Event.CREDENTIAL_CHANGE})
_RENEWING: Final = frozenset({Event.TOKEN_CLAIMS_CHANGE, Event.ASSURANCE_LEVEL_CHANGE})


def stand(
    services: Services, subject: Subject, device: Device | None
) -> tuple[Subject, Device | None, Mapping[str, str]]:
    """Return subject and device as events leave them, and the risk that events report.

    Raises Refusal `user-unauthenticated` when they leave nobody.
    """
    found = services.standings.of(subject, device)
    who = services.identity.changed(found.subject, found.claims) if found.claims else found.subject
    return who, found.device, found.risk


class Signals:
    """Takes events. `transmitters` gives those in force."""

    def __init__(
        self,
        transmitters: Callable[[], Transmitters],
        standings: Standings,
        sessions: Sessions,
        registry: Registry,
        epochs: Epochs,
    ) -> None:
        self._transmitters, self._standings, self._sessions = transmitters, standings, sessions
        self._registry, self._epochs = registry, epochs
        self._heard: dict[str, dict[str, Any]] = {}

    async def receive(self, token: str, authorization: bytes | None, peer: PeerFacts) -> None:
        """Take a SET. Raises SignalRefused, and Refusal when it has to come again."""
        try:
            signal = await self._transmitters().verify(token, authorization)
        except SignalRefused as refused:
            metrics.SIGNALS.add(("other", refused.error))
            raise
        signal = replace(signal, whom=self._told_apart(signal))
        first = await self._standings.take(signal, _told(signal, peer))
        outcome = "repeated" if not first else "ignored" if signal.event is None else "taken"
        metrics.SIGNALS.add((signal.event or "other", outcome))
        self._hear(signal)
        if first and signal.event is not None:
            await self._act(signal, signal.event)

    async def _act(self, signal: Signal, event: Event) -> None:
        self._move(signal.whom)
        if event in _ENDING:
            await self._sessions.end_named(signal.whom, signal.at, f"event {event}")
        elif event in _RENEWING:
            self._sessions.renew_named(signal.whom)

    def _move(self, whom: Whom) -> None:
        """Move what leases and running exchanges of these people and devices stand on."""
        for kind, value in {name for part in whom.parts for name in part}:
            if kind == "sub":
                self._epochs.bump(f"person:{whom.issuer} {value}")
            elif kind in DEVICE_NAMES:
                for device_id in self._devices((kind, value)):
                    self._epochs.bump(f"device:{device_id}")
            else:  # who goes by an address or a session is not known from outside
                self._epochs.bump("risk")

    def _told_apart(self, signal: Signal) -> Whom:
        """Return whom it is about, less a device that nobody knows: a part that can never hold would save them all."""
        whom = signal.whom
        if whom.of_devices:
            return whom
        parts = [part for part in whom.parts if not _of_device(part) or any(self._devices(name) for name in part)]
        return replace(whom, parts=tuple(parts))

    def _devices(self, name: Name) -> list[str]:
        kind, value = name
        return [device.id for device in self._registry if value == (device.id if kind == "device" else device.name)]

    def _hear(self, signal: Signal) -> None:
        heard = self._heard.setdefault(signal.transmitter, {})
        heard["last"] = rfc3339(signal.issued)
        if signal.event is Event.VERIFICATION:
            heard["verified"] = rfc3339(signal.issued)
        if signal.event is Event.STREAM_UPDATED:
            heard["stream"] = signal.says["status"]
            if signal.says["status"] != "enabled":
                _log.warning("transmitter %s sends no more events: %s", signal.transmitter, signal.says["status"])

    def status(self) -> dict[str, dict[str, Any]]:
        """Return how each transmitter is, for administrators."""
        return {
            name: {"keys": problem or "ok", **self._heard.get(name, {})}
            for name, problem in self._transmitters().problems().items()
        }


def _of_device(part: frozenset[Name]) -> bool:
    return all(kind in DEVICE_NAMES for kind, _ in part)


def _told(signal: Signal, peer: PeerFacts) -> dict[str, Any]:
    """Return the line for the record. Values of claims stay out: they may say more of a person than is needed."""
    says = {name: sorted(value) if name == "claims" else value for name, value in signal.says.items()}
    return {
        "transmitter": signal.transmitter,
        "event": signal.event or signal.type,
        "jti": signal.jti,
        "issuer": signal.whom.issuer,
        "whom": [[list(name) for name in sorted(part)] for part in signal.whom.parts],
        "happened": rfc3339(signal.at),
        "says": says,
        "client_ip": peer.client_ip,
        "decision_id": peer.decision_id,
    }
