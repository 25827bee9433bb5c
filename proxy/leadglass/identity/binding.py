"""What a token is bound to (RFC 7800 `cnf`): a DPoP key (RFC 9449 section 6.1), a client certificate (RFC 8705)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from leadglass.hazmat.jws import InvalidToken
from leadglass.hazmat.mac import from_b64u

_KEY: Final = "jkt"
_CERTIFICATE: Final = "x5t#S256"
_SHA256_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Binding:
    """The keys that whoever shows a token must prove; one or both.

    `thumbprint` is that of the DPoP key (RFC 7638, base64url); `certificate` is SHA-256 of the DER.
    """

    thumbprint: str | None = None
    certificate: bytes | None = None

    @property
    def words(self) -> str:
        """What is needed, for the person at the command line."""
        named = ("a DPoP proof", self.thumbprint), ("its client certificate", self.certificate)
        return " and ".join(words for words, value in named if value is not None)

    def check_certificate(self, certificate: bytes | None) -> None:
        """Compare with the certificate (DER) of the connection. Raises InvalidToken."""
        if self.certificate is None:
            return
        if certificate is None:
            raise InvalidToken("bound to a certificate (cnf.x5t#S256), and the connection shows none")
        if not hmac.compare_digest(hashlib.sha256(certificate).digest(), self.certificate):
            raise InvalidToken("bound to another certificate (cnf.x5t#S256)")


def read_binding(claims: Mapping[str, Any]) -> Binding | None:
    """Return what verified claims are bound to, None when to nothing.

    Raises InvalidToken for a `cnf` that is not understood whole: a proof that nobody checks is no proof.
    """
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    if not isinstance(confirmation, dict) or not confirmation or not confirmation.keys() <= {_KEY, _CERTIFICATE}:
        raise InvalidToken("bound to a key (cnf) in a way that is not understood")
    key, certificate = (_digest(confirmation, name) for name in (_KEY, _CERTIFICATE))
    return Binding(confirmation.get(_KEY) if key is not None else None, certificate)


def _digest(confirmation: Mapping[str, Any], name: str) -> bytes | None:
    if name not in confirmation:
        return None
    value = confirmation[name]
    try:
        digest = from_b64u(value) if isinstance(value, str) else b""
    except ValueError:
        digest = b""
    if len(digest) != _SHA256_BYTES:
        raise InvalidToken(f"cnf.{name} is not a SHA-256 in base64url")
    return digest
