"""The gateway's own paths: one table that says what each needs before it is relayed to the control side."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

PREFIX: Final = "/.leadglass/"
DEVICE: Final = "/.leadglass/v1/session/device"  # where the device of a browser's session is proven
EMERGENCY: Final = "/.leadglass/v1/emergency"
BREAK_GLASS: Final = "/.leadglass/v1/break-glass"
REIDENTIFY: Final = "/.leadglass/v1/reidentify"
WHY: Final = "/.leadglass/v1/why"

TRANSACTIONS: Final = frozenset({"project.reidentify"})
"""What policy is asked beside the transactions of archives (`codec.routes`); roles may name them likewise."""


class Needs(StrEnum):
    """What the pipeline must have established before a control request is relayed."""

    NOTHING = "nothing"
    DEVICE = "device"
    PERSON = "person"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ControlRoute:
    """One path of the control side.

    `browser`: people's browsers come here. It may have a query, is told the sign-in cookie and whose session it is, and
    may redirect and set cookies; what changes something needs a same-origin proof. `authorization`: it is told the digest of
    an Authorization field of its own kind. `waits`: it may have to wait, for an identity provider or its turn, so it takes no
    place of those that need not.
    """

    path: str
    method: str
    needs: Needs
    browser: bool = False
    authorization: bool = False
    waits: bool = False

    @property
    def device(self) -> bool:
        """Whether an active device certificate is needed."""
        return self.needs in {Needs.DEVICE, Needs.BOTH}

    @property
    def person(self) -> bool:
        """Whether a signed-in person is needed."""
        return self.needs in {Needs.PERSON, Needs.BOTH}


ROUTES: Final = (
    ControlRoute("/.leadglass/v1/enrol", "POST", Needs.NOTHING),  # the code is the credential
    ControlRoute("/.leadglass/v1/renew", "POST", Needs.NOTHING),  # the device key signs; the certificate may be over
    ControlRoute("/.leadglass/v1/nonce", "GET", Needs.NOTHING),
    ControlRoute("/.leadglass/v1/posture", "POST", Needs.DEVICE),
    ControlRoute("/.leadglass/v1/jwks.json", "GET", Needs.NOTHING),
    ControlRoute("/.leadglass/v1/login", "GET", Needs.NOTHING, browser=True, waits=True),
    ControlRoute(  # the code is the credential
        "/.leadglass/v1/callback", "GET", Needs.NOTHING, browser=True, waits=True
    ),
    ControlRoute("/.leadglass/v1/logout", "GET", Needs.NOTHING, browser=True),
    ControlRoute("/.leadglass/v1/logout", "POST", Needs.NOTHING, browser=True, waits=True),
    ControlRoute("/.leadglass/v1/session", "GET", Needs.NOTHING, browser=True),
    ControlRoute("/.leadglass/v1/session", "POST", Needs.NOTHING, browser=True),
    ControlRoute(DEVICE, "GET", Needs.NOTHING, browser=True),
    ControlRoute(DEVICE, "POST", Needs.NOTHING, browser=True),  # the device key signs
    ControlRoute("/.leadglass/v1/device.js", "GET", Needs.NOTHING, browser=True),
    ControlRoute(EMERGENCY, "GET", Needs.NOTHING, browser=True),
    ControlRoute(EMERGENCY, "POST", Needs.NOTHING, browser=True),  # the code is the credential
    ControlRoute(BREAK_GLASS, "GET", Needs.NOTHING, browser=True),
    ControlRoute(BREAK_GLASS, "POST", Needs.NOTHING, browser=True),
    ControlRoute(REIDENTIFY, "GET", Needs.NOTHING, browser=True),
    ControlRoute(REIDENTIFY, "POST", Needs.NOTHING, browser=True),
    ControlRoute(WHY, "GET", Needs.NOTHING, browser=True, waits=True),
    ControlRoute(  # the logout token is the credential
        "/.leadglass/v1/backchannel-logout", "POST", Needs.NOTHING, waits=True
    ),
    ControlRoute(  # the SET is the credential
        "/.leadglass/v1/signals", "POST", Needs.NOTHING, authorization=True, waits=True
    ),
)

_TABLE: Final[Mapping[tuple[str, str], ControlRoute]] = MappingProxyType({(r.path, r.method): r for r in ROUTES})


def match(path: str, method: str) -> ControlRoute | None:
    """Return the row for a canonical path and a method; None for everything the control side does not serve."""
    return _TABLE.get((path, method))
