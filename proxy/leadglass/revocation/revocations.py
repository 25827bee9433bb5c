"""What is revoked now: people, browser sessions, devices and tokens, each until a time or for good.

In memory, because every request asks; in the store, because a restart must not forget. A revocation moves the epoch
`risk` (or that of its device), so that leases end and whatever is running is judged again at once.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from sqlalchemy import delete, insert, select

from leadglass.clock import Clock, rfc3339
from leadglass.epochs import Epochs
from leadglass.limits import REVOCATIONS_HELD
from leadglass.model.errors import refuse
from leadglass.model.facts import Device, Subject
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.revocation.tables import REVOCATIONS
from leadglass.store import Store

Kind: TypeAlias = Literal["user", "session", "device", "token"]
KINDS: Final[tuple[Kind, ...]] = ("user", "session", "device", "token")
_FOR_GOOD: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation. `value` is the id of a subject, session or device, or the SHA-256 of a token in hex.

    `until` None: for good.
    """

    id: str
    kind: Kind
    value: str
    reason: str
    made: float
    until: float | None = None

    def document(self) -> dict[str, Any]:
        """Return the form that administrators and the record see."""
        return {
            "id": self.id,
            "kind": self.kind,
            "value": self.value,
            "reason": self.reason,
            "made": rfc3339(self.made),
            "until": None if self.until is None else rfc3339(self.until),
        }


def token_value(token: str) -> str:
    """Return what a token is revoked by, so that the token itself is kept nowhere."""
    return hashlib.sha256(token.encode()).hexdigest()


class Revocations:
    """The revocations in force."""

    def __init__(self, store: Store, events: EventSink, clock: Clock, epochs: Epochs) -> None:
        self._store, self._events, self._clock, self._epochs = store, events, clock, epochs
        self._held: dict[str, Revocation] = {}
        self._ends: dict[tuple[Kind, str], float] = {}

    @classmethod
    async def open(cls, store: Store, events: EventSink, clock: Clock, epochs: Epochs) -> Self:
        """Read what is in force from the store. Raises Refusal `store-unavailable`."""
        revocations = cls(store, events, clock, epochs)
        async with store.transaction() as connection:
            await connection.execute(delete(REVOCATIONS).where(REVOCATIONS.c.until <= clock.now()))
            rows = (await connection.execute(select(REVOCATIONS))).mappings().all()
        revocations._held = {row["id"]: Revocation(**row) for row in rows}
        revocations._index()
        return revocations

    def _index(self) -> None:
        ends: dict[tuple[Kind, str], float] = {}
        for held in self._held.values():
            key = (held.kind, held.value)
            ends[key] = max(ends.get(key, 0.0), _FOR_GOOD if held.until is None else held.until)
        self._ends = ends

    def check(self, subject: Subject, device: Device | None) -> None:
        """Raise Refusal `access-revoked` when person, session, token or device is revoked now."""
        ends = self._ends
        if not ends:
            return
        now = self._clock.now()
        asked: list[tuple[Kind, str]] = [("user", subject.id), ("token", subject.token_hash.hex())]
        if subject.session is not None:
            asked.append(("session", subject.session))
        if device is not None:
            asked.append(("device", device.id))
        for key in asked:
            if now < ends.get(key, 0.0):
                raise refuse(Code.ACCESS_REVOKED, f"the {key[0]} is revoked")

    async def revoke(
        self, kind: Kind, value: str, reason: str, seconds: float | None, by: Mapping[str, Any]
    ) -> Revocation:
        """Revoke, from now on, for `seconds` or for good. When this returns nothing new passes any more.

        Raises Refusal `store-unavailable`, `audit-unavailable`, and `rate-limited` beyond the bound on revocations.
        """
        now = self._clock.now()
        if len(self._held) >= REVOCATIONS_HELD:
            self._forget_past(now)
        if len(self._held) >= REVOCATIONS_HELD:
            raise refuse(Code.RATE_LIMITED, "more revocations than are held; lift some")
        made = Revocation(secrets.token_hex(8), kind, value, reason, now, None if seconds is None else now + seconds)
        async with self._store.transaction() as connection:
            await connection.execute(
                insert(REVOCATIONS).values(**{name: getattr(made, name) for name in made.__slots__})
            )
            await self._events.record_event("revoked", {**made.document(), "by": dict(by)})
        self._held[made.id] = made
        self._index()
        self._epochs.bump(f"device:{value}" if kind == "device" else "risk")
        return made

    async def lift(self, revocation_id: str, by: Mapping[str, Any]) -> Revocation | None:
        """Lift a revocation and return it; None when there is none with this id. Raises as `revoke`."""
        held = self._held.get(revocation_id)
        if held is None:
            return None
        async with self._store.transaction() as connection:
            await connection.execute(delete(REVOCATIONS).where(REVOCATIONS.c.id == revocation_id))
            await self._events.record_event("revocation-lifted", {**held.document(), "by": dict(by)})
        self._held.pop(revocation_id, None)
        self._index()
        return held

    def all(self) -> list[Revocation]:
        """Return what is in force, the newest first."""
        self._forget_past(self._clock.now())
        return sorted(self._held.values(), key=lambda held: held.made, reverse=True)

    def _forget_past(self, now: float) -> None:
        self._held = {id_: held for id_, held in self._held.items() if held.until is None or held.until > now}
        self._index()
