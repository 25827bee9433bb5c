"""What renewals and statements share: signed by a known device with the key it was enrolled with, over a fresh nonce."""

from collections.abc import Mapping
from typing import Any

from leadglass.devices import forms
from leadglass.devices.enrolled import Enrolled
from leadglass.devices.faults import Fault, StatementRefused
from leadglass.devices.nonces import Nonces
from leadglass.devices.registry import Registry
from leadglass.hazmat.statement import InvalidStatement, split
from leadglass.limits import STATEMENT_BYTES


def opened(token: object, typ: str, claims: frozenset[str], registry: Registry) -> tuple[Enrolled, Mapping[str, Any]]:
    """Return the device that signed `token` and its claims, which are exactly those asked for.

    Raises StatementRefused: `invalid` until the signature is proven, then `revoked` or `claims`.
    """
    if not isinstance(token, str):
        raise StatementRefused(Fault.INVALID, "no JWS")
    try:
        signed = split(token, typ, kid=True, limit=STATEMENT_BYTES)
        device = registry.get(signed.kid or "")
        if device is None:
            raise StatementRefused(Fault.INVALID, "no such device")
        payload = signed.verify(device.key)
    except InvalidStatement as error:
        raise StatementRefused(Fault.INVALID, str(error)) from None
    if not device.active:
        raise StatementRefused(Fault.REVOKED, f"device {device.id} is revoked")
    try:
        return device, forms.members(payload, claims)
    except forms.Malformed as error:
        raise StatementRefused(Fault.CLAIMS, f"device {device.id}: {error}") from None


def spend(nonces: Nonces, nonce: object, whose: bytes = b"") -> None:
    """Spend the nonce of a proven statement. Raises StatementRefused `nonce`, Refusal `rate-limited`."""
    if not isinstance(nonce, str) or not nonces.spend(nonce, whose):
        raise StatementRefused(Fault.NONCE)
