"""DPoP at the resource (RFC 9449 sections 4.3, 7 and 9): one proof for each request with a bound token.

A proof is good for one method, one address, one token, one key and one time. What keeps it from being used twice is
a memory of the proofs accepted while their time could still be good, and what keeps it from being made in advance, or
used again after a restart has emptied that memory, is a nonce of this process.
"""

import hashlib
import secrets
import struct
from collections.abc import Mapping
from typing import Any, Final

from leadglass.clock import Clock
from leadglass.hazmat.dpop import Proof, ProofHead, read_head, read_proof, verify_proof
from leadglass.hazmat.jws import InvalidToken, numeric_date
from leadglass.hazmat.mac import b64u, from_b64u, mac, new_key, sha256, verified
from leadglass.limits import (
    DPOP_HEADS,
    DPOP_HELD,
    DPOP_HELD_BY_ONE,
    DPOP_JTI_CHARS,
    DPOP_NONCE_SECONDS,
    DPOP_SECONDS,
)
from leadglass.model.credentials import Evidence

_GENERATION: Final = 2.0 * DPOP_SECONDS  # the longest that an accepted proof can stay good: its iat may be ahead
_DIGEST_BYTES: Final = 16
_RANDOM_BYTES: Final = 8
_END: Final = struct.Struct(">d")
_BODY_BYTES: Final = _END.size + _RANDOM_BYTES

INVALID_PROOF: Final = "invalid_dpop_proof"
USE_NONCE: Final = "use_dpop_nonce"


class ProofRefused(InvalidToken):
    """A proof that is not accepted. `error` is what the challenge says: one of INVALID_PROOF and USE_NONCE."""

    def __init__(self, cause: str, error: str = INVALID_PROOF) -> None:
        super().__init__(cause)
        self.error = error


class Nonces:
    """Nonces that many proofs may carry until they end; each holds its own end and a MAC, so none is remembered."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._key = clock, new_key()

    def new(self) -> str:
        """Return a nonce, good for DPOP_NONCE_SECONDS and for this object."""
        body = _END.pack(self._clock.monotonic() + DPOP_NONCE_SECONDS) + secrets.token_bytes(_RANDOM_BYTES)
        return b64u(body + mac(self._key, body))

    def good(self, nonce: object) -> bool:
        """Return whether `nonce` is ours and has not ended."""
        try:
            raw = from_b64u(nonce) if isinstance(nonce, str) else b""
        except ValueError:
            return False
        body, tag = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
        if len(body) != _BODY_BYTES or not verified(self._key, body, tag):
            return False
        end: float = _END.unpack_from(body)[0]
        return self._clock.monotonic() < end


class Spent:
    """The proofs accepted lately: two generations, of which the older is dropped whole.

    A proof is remembered for at least as long as its time can be good. When a generation is full, the next proof is
    refused: forgetting one would let it be used again.
    """

    def __init__(self, clock: Clock, *, held: int = DPOP_HELD, by_one: int = DPOP_HELD_BY_ONE) -> None:
        self._clock, self._held, self._by_one = clock, held, by_one
        self._now: set[bytes] = set()
        self._before: set[bytes] = set()
        self._counts: dict[str, int] = {}
        self._turn = clock.monotonic() + _GENERATION

    def spend(self, thumbprint: str, jti: str, whose: str) -> None:
        """Take a proof of this key, once. `whose` is who uses it, however many keys they have. Raises ProofRefused."""
        now = self._clock.monotonic()
        if now >= self._turn:
            self._before = self._now if now < self._turn + _GENERATION else set()
            self._now, self._counts, self._turn = set(), {}, now + _GENERATION
        # A thumbprint has one length, so no two pairs give one text.
        digest = hashlib.sha256(f"{thumbprint}{jti}".encode()).digest()[:_DIGEST_BYTES]
        if digest in self._now or digest in self._before:
            raise ProofRefused("proof used before (jti)")
        count = self._counts.get(whose, 0)
        if count >= self._by_one or len(self._now) >= self._held:
            raise ProofRefused("more proofs than are remembered")
        self._counts[whose] = count + 1
        self._now.add(digest)


class Proofs:
    """Judges proofs. `nonce` says whether each must carry one of ours."""

    def __init__(self, clock: Clock, *, nonce: bool) -> None:
        self._clock, self._nonce = clock, nonce
        self._spent, self.nonces = Spent(clock), Nonces(clock)
        self._heads: dict[str, ProofHead] = {}  # encoded header -> what it says, of keys that a token named

    def check(self, evidence: Evidence, token: str, thumbprint: str, whose: str = "") -> None:
        """Check the proof that a request shows for a token of `whose` bound to the key with this thumbprint (RFC 7638).

        When it returns the proof is spent. Raises ProofRefused; the proof is then not spent.
        """
        if evidence.proof is None:
            raise ProofRefused("no proof (DPoP) with a token that is bound to a key")
        try:
            proof = read_proof(evidence.proof)
            head = self._heads.get(proof.head) or read_head(proof.head)
            jti = self._judge(proof.claims, evidence, token)
            _same(head.key.thumbprint, thumbprint)
            verify_proof(proof, head)
        except ProofRefused:
            raise
        except InvalidToken as error:
            raise ProofRefused(error.cause) from None
        self._remember(proof, head)
        if self._nonce and not self.nonces.good(proof.claims.get("nonce")):
            raise ProofRefused("proof without a nonce in force", USE_NONCE)
        self._spent.spend(thumbprint, jti, whose)

    def _judge(self, claims: Mapping[str, Any], evidence: Evidence, token: str) -> str:
        """Judge what a proof says of itself, and return its `jti`."""
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= DPOP_JTI_CHARS:
            raise ProofRefused("proof jti is not a short text")
        if claims.get("htm") != evidence.method:
            raise ProofRefused("proof is for another method (htm)")
        # Exact: the one spelling of this address that public_url and the canonical path give (law 1).
        if claims.get("htu") != evidence.url:
            raise ProofRefused("proof is for another address (htu)")
        if claims.get("ath") != b64u(sha256(token.encode())):
            raise ProofRefused("proof is for another token (ath)")
        now, issued = self._clock.now(), numeric_date(claims, "iat")
        if issued is None or abs(now - issued) > DPOP_SECONDS:
            raise ProofRefused("proof iat missing or not of now")
        expires, starts = numeric_date(claims, "exp"), numeric_date(claims, "nbf")  # RFC 7519: where there, they hold
        if (expires is not None and now >= expires) or (starts is not None and now < starts - DPOP_SECONDS):
            raise ProofRefused("proof expired or not yet valid")
        return jti

    def _remember(self, proof: Proof, head: ProofHead) -> None:
        heads = self._heads
        if proof.head in heads:
            return
        while len(heads) >= DPOP_HEADS:
            del heads[next(iter(heads))]
        heads[proof.head] = head


def _same(shown: str, named: str) -> None:
    if shown != named:
        raise ProofRefused("proof is by another key than the token's (cnf.jkt)")
