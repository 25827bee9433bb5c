"""What a request shows beside its Authorization field, for tokens that are bound to a key (RFC 9449, RFC 8705)."""

from typing import Final, NamedTuple

PROOF_ALGORITHMS: Final = ("ES256", "EdDSA", "PS256", "RS256")
"""Algorithms of DPoP proofs, as challenges list them: asymmetric, and each verified in well under 0.25 ms."""


class Evidence(NamedTuple):
    """What can prove a key: the DPoP field as it came, and the client's certificate (DER, proven by the handshake).

    `method` and `url` are what a proof must be about; `url` is the origin of `public_url` with the canonical path.
    """

    method: str = ""
    url: str = ""
    proof: str | None = None
    certificate: bytes | None = None


NO_EVIDENCE: Final = Evidence()
