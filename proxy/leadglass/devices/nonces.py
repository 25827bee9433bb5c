"""Nonces that cost nothing to give away: each carries its own end and a MAC, and only spent ones are remembered.

So nobody can push the nonces of others out of a table by asking for many, and only who holds a device key can spend
one.
"""

import secrets
import struct
from collections import Counter
from typing import Final

from leadglass.clock import Clock
from leadglass.hazmat.mac import b64u, from_b64u, mac, new_key, verified
from leadglass.limits import NONCE_SECONDS, NONCES_HELD, NONCES_OF_ONE
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_RANDOM_BYTES: Final = 16
_END: Final = struct.Struct(">d")
_BODY_BYTES: Final = _END.size + _RANDOM_BYTES


class Nonces:
    """Makes nonces of 120 s and takes each once. They do not outlive this object."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._key = clock, new_key()
        self._spent: dict[
            bytes, tuple[float, bytes]
        ] = {}  # nonce -> its end and whose; in the order spent, nearly by end
        self._of: Counter[bytes] = Counter()  # how many of those are whose

    def new(self, whose: bytes = b"") -> str:
        """Return a nonce that serves only together with `whose`."""
        body = _END.pack(self._clock.monotonic() + NONCE_SECONDS) + secrets.token_bytes(_RANDOM_BYTES)
        return b64u(body + mac(self._key, body + whose))

    def spend(self, nonce: str, whose: bytes = b"") -> bool:
        """Return whether `nonce` is ours and `whose`, has not ended and was not spent before; it is spent now.

        Raises Refusal `rate-limited` when too many were spent lately to remember one more, by all or by somebody alone.
        """
        try:
            raw = from_b64u(nonce)
        except ValueError:
            return False
        body, tag = raw[:_BODY_BYTES], raw[_BODY_BYTES:]
        if len(body) != _BODY_BYTES or not verified(self._key, body + whose, tag):
            return False
        now, end = self._clock.monotonic(), _END.unpack_from(body)[0]
        if now >= end or body in self._spent:
            return False
        self._forget(now)
        if len(self._spent) >= NONCES_HELD or (whose and self._of[whose] >= NONCES_OF_ONE):
            raise refuse(Code.RATE_LIMITED, "too many nonces spent")
        self._spent[body] = end, whose
        if whose:
            self._of[whose] += 1
        return True

    def _forget(self, now: float) -> None:
        """Drop ended ones from the front. One that was given earlier and spent later waits behind; 120 s bound it."""
        while self._spent:
            oldest = next(iter(self._spent))
            end, whose = self._spent[oldest]
            if now < end:
                return
            del self._spent[oldest]
            self._of -= Counter((whose,))  # keeps no zeros
