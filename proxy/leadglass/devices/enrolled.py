"""A device as the gateway knows it, and the row it is kept in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import orjson

from leadglass.clock import rfc3339
from leadglass.hazmat.statement import DeviceKey
from leadglass.model.facts import Device

KeyProtection: TypeAlias = Literal["tpm", "software"]
Checks: TypeAlias = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Posture:
    """The newest statement of a device. `received` is epoch seconds by the gateway's clock, `uptime` seconds."""

    received: float
    seq: int
    boot_id: str
    uptime: float
    agent: str
    checks: Checks

    def summary(self) -> dict[str, str]:
        """Return the status of each check."""
        return {name: check["status"] for name, check in sorted(self.checks.items())}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device, enrolled with a code issued for `owner`, the id that `owner_issuer` gives. `revoked` is when it was withdrawn, None while active."""

    id: str
    name: str
    owner: str
    owner_issuer: str
    os: str
    key_protection: KeyProtection
    key: DeviceKey
    enrolled: float
    revoked: float | None = None
    revoked_reason: str | None = None
    posture: Posture | None = None

    @property
    def active(self) -> bool:
        """Whether the device may be used."""
        return self.revoked is None

    def named(self) -> dict[str, str]:
        """Return the device as events name it."""
        return {"id": self.id, "name": self.name, "owner": self.owner, "owner_issuer": self.owner_issuer}

    def row(self) -> dict[str, Any]:
        """Return the columns of `devices` that never change but by revocation."""
        return {
            "id": self.id,
            "name": self.name,
            "owner": self.owner,
            "owner_issuer": self.owner_issuer,
            "os": self.os,
            "key_protection": self.key_protection,
            "jwk": orjson.dumps(self.key.jwk).decode(),
            "thumbprint": self.key.thumbprint,
            "enrolled": self.enrolled,
        }

    def facts(self, expires: float, received: float | None, binding: Literal["mtls", "proof"] = "mtls") -> Device:
        """Return the device as policy sees it. `expires` is epoch seconds, `received` monotonic seconds."""
        checks = self.posture.checks if self.posture is not None else {}
        return Device(
            id=self.id,
            name=self.name,
            owner=self.owner,
            owner_issuer=self.owner_issuer,
            binding=binding,
            key_protection=self.key_protection,
            expires=expires,
            received=received,
            checks=checks,
        )

    def shown(self, now: float) -> dict[str, Any]:
        """Return the device as an administrator sees it."""
        posture = self.posture
        return {
            "id": self.id,
            "name": self.name,
            "owner": self.owner,
            "owner_issuer": self.owner_issuer,
            "os": self.os,
            "state": "active" if self.active else "revoked",
            "key_protection": self.key_protection,
            "thumbprint": self.key.thumbprint,
            "enrolled": rfc3339(self.enrolled),
            "revoked": None if self.revoked is None else rfc3339(self.revoked),
            "revoked_reason": self.revoked_reason,
            "agent": None if posture is None else posture.agent,
            "posture_received": None if posture is None else rfc3339(posture.received),
            "posture_age_seconds": None if posture is None else round(max(0.0, now - posture.received), 1),
            "checks": None if posture is None else posture.checks,
        }


def posture_row(posture: Posture) -> dict[str, Any]:
    """Return the columns of `devices` that a statement sets."""
    return {
        "received": posture.received,
        "seq": posture.seq,
        "boot_id": posture.boot_id,
        "uptime": posture.uptime,
        "agent": posture.agent,
        "checks": orjson.dumps(posture.checks).decode(),
    }


def from_row(row: Mapping[str, Any]) -> Enrolled:
    """Return the device that a row of `devices` holds."""
    posture = None
    if row["received"] is not None:
        posture = Posture(
            received=row["received"],
            seq=row["seq"],
            boot_id=row["boot_id"],
            uptime=row["uptime"],
            agent=row["agent"],
            checks=orjson.loads(row["checks"]),
        )
    return Enrolled(
        id=row["id"],
        name=row["name"],
        owner=row["owner"],
        owner_issuer=row["owner_issuer"],
        os=row["os"],
        key_protection=cast("KeyProtection", row["key_protection"]),
        key=DeviceKey(orjson.loads(row["jwk"])),
        enrolled=row["enrolled"],
        revoked=row["revoked"],
        revoked_reason=row["revoked_reason"],
        posture=posture,
    )
