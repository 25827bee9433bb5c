"""Leases: answers that may be used again under an equal question, while nothing they stand on has moved.

A lease ends when its time ends (by the wall clock and by the monotonic one, so that a clock set back prolongs none),
when an epoch it was made under moves, when room is needed, and at shutdown. The record sums its uses on its own.

The key is `Question.lease_key()`, a digest; a lease of scope `instance` holds for an equal series, instance and frames
only, which join the key as values of their own, so that no two questions can be spelled alike.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal, TypeAlias

from leadglass import limits
from leadglass.epochs import Epochs, Snapshot
from leadglass.model.decision import Decision
from leadglass.model.facts import Resource

Key: TypeAlias = tuple[bytes, str | None, str | None, tuple[int, ...] | None]

_ANY: Literal["*"] = "*"  # in place of a series UID: no UID is spelled so


@dataclass(slots=True)
class Lease:
    """One decision held for reuse. `ends` is monotonic seconds."""

    decision: Decision
    snapshot: Snapshot
    ends: float


class Leases:
    """The leases of one process, at most `limits.LEASES_HELD`, least recently used out first."""

    def __init__(self, epochs: Epochs, *, most: int = limits.LEASES_HELD) -> None:
        self._epochs, self._most = epochs, most
        self._held: OrderedDict[Key, Lease] = OrderedDict()
        self._ends: list[tuple[float, str, Key]] = []
        self._narrow = 0  # how many leases of scope `instance` were given; none is the common case

    def __len__(self) -> int:
        return len(self._held)

    def find(self, digest: bytes, resource: Resource, now: float, monotonic: float) -> Lease | None:
        """Return the lease in force for this question, or None. `now` is epoch seconds."""
        key: Key = (digest, _ANY, None, None)
        lease = self._held.get(key)
        if lease is None:
            if not self._narrow:
                return None
            key = (digest, resource.series_uid, resource.instance_uid, resource.frames)
            lease = self._held.get(key)
            if lease is None:
                return None
        if lease.ends <= monotonic or lease.decision.valid_until <= now or not self._epochs.current(lease.snapshot):
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return lease

    def hold(
        self,
        digest: bytes,
        resource: Resource,
        scope: Literal["study", "instance"],
        lease: Lease,
        monotonic: float,
    ) -> None:
        """Hold a lease from now on. One that an epoch has overtaken already is not held."""
        if lease.ends <= monotonic or not self._epochs.current(lease.snapshot):
            return
        key: Key = (digest, _ANY, None, None)
        if scope == "instance":
            key = (digest, resource.series_uid, resource.instance_uid, resource.frames)
            self._narrow += 1
        self._held.pop(key, None)
        self._held[key] = lease
        heapq.heappush(self._ends, (lease.ends, lease.decision.id, key))
        self.sweep(monotonic)
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def sweep(self, monotonic: float) -> None:
        """End the leases whose time is over."""
        while self._ends and self._ends[0][0] <= monotonic:
            _, decision_id, key = heapq.heappop(self._ends)
            held = self._held.get(key)
            if held is not None and held.decision.id == decision_id:
                del self._held[key]

    def close(self) -> None:
        """End all leases."""
        self._held.clear()
        self._ends.clear()
