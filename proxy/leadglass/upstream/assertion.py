"""What the gateway tells an archive of each request: `Leadglass-Assertion`, a JWT for this request alone.

It says who asks, from which device, by which decision and to what end. Nothing in it is about a patient: path and query,
which name studies, are there as digests. It is bound to them, to one archive and to some seconds, and good once, so that
whoever reads one on its way can open nothing with it. So none is made for a lease, or kept for another request.
"""

import hashlib
import secrets
from typing import Any

from leadglass.clock import Clock
from leadglass.hazmat.assertion import AssertionKeys
from leadglass.hazmat.mac import b64u
from leadglass.limits import ASSERTION_SECONDS
from leadglass.model.permit import Permit

_JTI_BYTES = 16


class Assertions:
    """Makes assertions to one archive: `audience` is its address in the settings, `issuer` the gateway's own."""

    def __init__(self, keys: AssertionKeys, clock: Clock, *, issuer: str, audience: str) -> None:
        self._keys, self._clock, self._issuer, self._audience = keys, clock, issuer, audience

    def make(self, permit: Permit | None, method: str, path: str, query: str) -> str:
        """Return the assertion for one request; without a permit it is the gateway that asks, for facts."""
        now = self._clock.now()
        issued = int(now)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(_JTI_BYTES),
            "htm": method,
            "path_sha256": _digest(path),
        }
        if query:
            claims["query_sha256"] = _digest(query)
        claims.update({"sub": self._issuer, "sub_type": "gateway"} if permit is None else _said(permit))
        return self._keys.sign(claims, now)


def _said(permit: Permit) -> dict[str, str]:
    question = permit.question
    said = {
        "sub": question.subject.id,
        "sub_iss": question.subject.issuer,
        "sub_type": question.subject.type,
        "decision": permit.decision.id,
    }
    if question.device is not None:
        said["device"] = question.device.id
    if question.context.purpose is not None:
        said["purpose"] = question.context.purpose
    return said


def _digest(text: str) -> str:
    return b64u(hashlib.sha256(text.encode("ascii")).digest())
