"""Security events of others about people, sessions and devices (RFC 8417, RFC 9493, OpenID CAEP 1.0).

Handed from the package that verifies them to that which keeps what they say.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from leadglass.model.errors import LeadglassError

Name: TypeAlias = tuple[Literal["sub", "email", "sid", "device", "device-name"], str]
"""One way to name somebody or something: an issuer's `sub`, a verified address in lower case, a session, a device."""

DEVICE_NAMES = frozenset({"device", "device-name"})


class Event(StrEnum):
    """The events that are understood."""

    SESSION_REVOKED = "session-revoked"
    CREDENTIAL_CHANGE = "credential-change"
    TOKEN_CLAIMS_CHANGE = "token-claims-change"  # noqa: S105 - the name of an event
    ASSURANCE_LEVEL_CHANGE = "assurance-level-change"
    DEVICE_COMPLIANCE_CHANGE = "device-compliance-change"
    RISK_LEVEL_CHANGE = "risk-level-change"
    VERIFICATION = "verification"
    STREAM_UPDATED = "stream-updated"


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom an event is about: somebody of whom every part holds, each by any of its names.

    The part of the person comes first, then session, then device. An empty one names nobody.
    """

    issuer: str
    parts: tuple[frozenset[Name], ...] = ()

    def meets(self, issuer: str, names: AbstractSet[Name]) -> bool:
        """Return whether it is about whoever goes by `names`.

        A part of a kind that nothing is known about (a token without `sid`, a session without device) counts as met when
        another part is: what cannot be told apart ends together.
        """
        if issuer != self.issuer and not self.of_devices:
            return False
        told, met = {kind for kind, _ in names}, False
        for part in self.parts:
            if not part.isdisjoint(names):
                met = True
            elif not told.isdisjoint(kind for kind, _ in part):
                return False
        return met

    @property
    def of_devices(self) -> bool:
        """Whether it names devices and nobody else; a device is the same whoever speaks of it."""
        return all(kind in DEVICE_NAMES for part in self.parts for kind, _ in part)

    def key(self) -> list[Any]:
        """Return what two events about the same share, as JSON."""
        return [None if self.of_devices else self.issuer, *(sorted(part) for part in self.parts)]


@dataclass(frozen=True, slots=True)
class Signal:
    """One verified event. `at` is when it happened, by the clock of whoever sent it; `says` is what is of use of it.

    `event` is None for one that is not understood; `type` is its URI then and always.
    """

    transmitter: str
    jti: str
    type: str
    event: Event | None
    issued: float
    at: float
    whom: Whom
    says: Mapping[str, Any] = field(default_factory=dict)


class SignalRefused(LeadglassError):
    """A SET is not taken: `error` is a code of RFC 8935 section 2.4, `cause` says why in words."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause
