"""DPoP proofs (RFC 9449 section 4): the only JWTs whose header brings the key they are signed with.

So they have a reader of their own: what `hazmat.jws` refuses in a header (`jwk`) is required here, and here alone. The
key proves nothing by itself; it is the caller who compares its thumbprint with the one that the token names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature

from leadglass.hazmat.jwk import InvalidToken, Key, parse_public_key, strict_object
from leadglass.hazmat.jws import media_type, verify_signature
from leadglass.hazmat.mac import from_b64u
from leadglass.limits import DPOP_BYTES
from leadglass.model.credentials import PROOF_ALGORITHMS

__all__ = ["Proof", "ProofHead", "read_head", "read_proof", "verify_proof"]

_TYPE: Final = media_type("dpop+jwt")
_DOTS: Final = 2
_REFUSED: Final = ("crit", "jku", "x5c", "x5u", "x5t", "x5t#S256", "b64", "zip", "enc")
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")  # RFC 7518 sections 6.2.2, 6.3.2 and 6.4


@dataclass(frozen=True, slots=True)
class ProofHead:
    """The header of a proof: an algorithm of PROOF_ALGORITHMS, and the public key it fits."""

    algorithm: str
    key: Key


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof in parts, nothing of it verified. `head` is the encoded header, the same for all proofs of one key."""

    head: str
    claims: Mapping[str, Any]
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def read_proof(proof: str) -> Proof:
    """Take a proof apart. Raises InvalidToken."""
    if not proof or len(proof) > DPOP_BYTES or not proof.isascii():
        raise InvalidToken("proof empty, oversize or not ASCII")
    if proof.count(".") != _DOTS:
        raise InvalidToken("proof is not three parts")
    head, body, tail = proof.split(".")
    try:
        return Proof(head, strict_object(from_b64u(body)), f"{head}.{body}".encode("ascii"), from_b64u(tail))
    except ValueError as error:
        raise InvalidToken(f"proof malformed: {error}") from None


def read_head(head: str) -> ProofHead:
    """Read the encoded header of a proof. The same text always gives the same answer. Raises InvalidToken."""
    try:
        header = strict_object(from_b64u(head))
    except ValueError as error:
        raise InvalidToken(f"proof malformed: {error}") from None
    for name in _REFUSED:
        if name in header:
            raise InvalidToken(f"proof header has {name}")
    kind, algorithm, jwk = header.get("typ"), header.get("alg"), header.get("jwk")
    if not isinstance(kind, str) or media_type(kind) != _TYPE:
        raise InvalidToken("proof typ is not dpop+jwt")
    if not isinstance(algorithm, str) or algorithm not in PROOF_ALGORITHMS:
        raise InvalidToken("proof algorithm not allowed")
    if not isinstance(jwk, dict):
        raise InvalidToken("proof has no jwk")
    if any(name in jwk for name in _PRIVATE):
        raise InvalidToken("proof key is not public")
    key = parse_public_key(jwk)
    if algorithm not in key.algorithms:
        raise InvalidToken("proof algorithm does not fit its key")
    return ProofHead(algorithm, key)


def verify_proof(proof: Proof, head: ProofHead) -> None:
    """Check that the key in its header signed the proof. Raises InvalidToken."""
    try:
        verify_signature(head.key.public, head.algorithm, proof.signature, proof.signing_input)
    except (InvalidSignature, ValueError):
        raise InvalidToken("proof signature wrong") from None
