"""Rate limits: a token bucket for each subject, and for each source that has not said who it is.

Bounded: the least recently seen bucket is dropped, and a dropped bucket comes back full, so the bound is generous.
"""

import contextlib
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Final

from leadglass.audit.noise import source_of
from leadglass.clock import Clock
from leadglass.limits import STRANGERS_WAITING
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_BUCKETS: Final = 20_000  # subjects or sources remembered; a hospital has fewer of both


class RateLimit:
    """At most `rate` a second for each key, with bursts of up to `burst` seconds' worth."""

    def __init__(self, clock: Clock, rate: float, *, burst: float = 1.0) -> None:
        self._clock, self._rate, self._size = clock, rate, max(1.0, rate * burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> tokens, when they were counted

    def spend(self, key: str) -> None:
        """Take one token of `key`. Raises Refusal `rate-limited` with `Retry-After` when there is none."""
        if not self.allows(key):
            wait = max(1, round(1 / self._rate))
            raise refuse(Code.RATE_LIMITED, headers={"Retry-After": str(wait)})

    def allows(self, key: str) -> bool:
        """Take one token of `key` if there is one, and return whether there was."""
        now = self._clock.monotonic()
        tokens, then = self._buckets.pop(key, (self._size, now))
        tokens = min(self._size, tokens + (now - then) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if allowed else tokens, now)
        if len(self._buckets) > _BUCKETS:
            self._buckets.popitem(last=False)
        return allowed

    def empty(self, key: str) -> bool:
        """Return whether `key` has no token left, taking none."""
        tokens, then = self._buckets.get(key, (self._size, 0.0))
        return tokens + (self._clock.monotonic() - then) * self._rate < 1.0


class Strangers:
    """How often a source may fail to say who it is. An IPv6 host has 2**64 addresses, so its /64 counts as one source."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._failures = RateLimit(clock, rate)
        self._waiting: Counter[str] = Counter()

    def demand(self, ip: str) -> None:
        """Raise Refusal `rate-limited` when this source has failed too often. Costs it nothing."""
        if self._failures.empty(source_of(ip)):
            raise refuse(Code.RATE_LIMITED, "refused too often", headers={"Retry-After": "1"})

    @contextlib.contextmanager
    def waiting(self, ip: str) -> Iterator[None]:
        """Have a source wait until somebody says who it is. Raises Refusal `rate-limited` when many of it wait already.

        What they wait for is shared, and a failure counts only when it is one.
        """
        source = source_of(ip)
        if self._waiting[source] >= STRANGERS_WAITING:
            raise refuse(Code.RATE_LIMITED, "too many wait to be known", headers={"Retry-After": "1"})
        self._waiting[source] += 1
        try:
            yield
        finally:
            self._waiting[source] -= 1
            if not self._waiting[source]:
                del self._waiting[source]

    def charge(self, ip: str) -> None:
        """Count a failure of this source."""
        self._failures.allows(source_of(ip))
