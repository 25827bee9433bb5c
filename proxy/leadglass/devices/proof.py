"""Proofs that a browser's session is open on a device: a challenge of the session, signed by the device key.

A browser shows no certificate of a device, so its page takes a challenge to the agent on the person's machine
(docs/device-protocol.md). `typ`, the exact claims and nonces of its own keep a proof apart from statements and renewals.
"""

from collections.abc import Mapping
from typing import Any, Final

from leadglass.clock import Clock
from leadglass.devices import forms
from leadglass.devices.enrolled import Enrolled
from leadglass.devices.faults import Fault, StatementRefused
from leadglass.devices.nonces import Nonces
from leadglass.devices.registry import Registry
from leadglass.devices.signed import opened, spend
from leadglass.hazmat.mac import b64u, sha256
from leadglass.limits import STATEMENT_LEEWAY_SECONDS

TYPE: Final = "leadglass-device+jwt"
MEMBERS: Final = frozenset({"proof"})
_CLAIMS: Final = frozenset({"aud", "nonce", "sid", "iat", "jti", "ueid"})
_JTI_CHARS: Final = 64


class ProofDesk:
    """Gives challenges and takes proofs. `session` is the id of a session that the caller knows to live."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry, self._clock = registry, clock
        self._nonces = Nonces(clock)

    def challenge(self, session: str) -> dict[str, str]:
        """Return what the agent is to sign. It serves this session alone, once, and for NONCE_SECONDS."""
        return {"nonce": self._nonces.new(session.encode()), "sid": _reference(session)}

    def take(self, form: Mapping[str, Any], session: str, origin: str) -> Enrolled:
        """Return the device that a page of `origin` proved to be open on.

        Raises StatementRefused, Refusal `rate-limited`.
        """
        device, claims = opened(form["proof"], TYPE, _CLAIMS, self._registry)
        try:
            forms.literal(claims, "aud", origin)
            forms.literal(claims, "sid", _reference(session))
            forms.literal(claims, "ueid", device.id)
            forms.text(claims, "jti", _JTI_CHARS)
            issued = forms.integer(claims, "iat")
        except forms.Malformed as error:
            raise StatementRefused(Fault.CLAIMS, f"device {device.id}: {error}") from None
        spend(self._nonces, claims["nonce"], session.encode())
        if abs(issued - self._clock.now()) > STATEMENT_LEEWAY_SECONDS:
            raise StatementRefused(Fault.CLOCK, f"device {device.id}: iat is off by {issued - self._clock.now():.0f} s")
        return device


def _reference(session: str) -> str:
    """Return the name under which agents hear of a session: it is no use to whoever asks for sessions by their id."""
    return b64u(sha256(b"leadglass-device-proof\0" + session.encode()))
