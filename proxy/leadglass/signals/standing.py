"""What holds of the events that came: asked for each request, so in memory; kept by a restart, so in the store.

An event is taken once. Of two about the same, the one that happened later counts, in whatever order they come. What an
event says of a token or a sign-in ends by itself with a newer one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Self

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.clock import Clock
from leadglass.limits import SIGNAL_KEEP_SECONDS, SIGNAL_SECONDS, SIGNALS_HELD, SIGNALS_SEEN
from leadglass.model.errors import StepUp, refuse
from leadglass.model.facts import Device, Subject
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.model.signals import Event, Name, Signal, Whom
from leadglass.signals.tables import SEEN, STANDING
from leadglass.store import Store

COMPLIANCE: Final = "compliance"
"""The check of a device that says what others report of it."""

_LEVELS: Final = ("LOW", "MEDIUM", "HIGH")
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_KINDS: Final[Mapping[Event, str]] = {
    Event.SESSION_REVOKED: "ended",
    Event.CREDENTIAL_CHANGE: "ended",
    Event.TOKEN_CLAIMS_CHANGE: "claims",
    Event.ASSURANCE_LEVEL_CHANGE: "lowered",
    Event.DEVICE_COMPLIANCE_CHANGE: "compliance",
    Event.RISK_LEVEL_CHANGE: "risk",
}
_SWEEP_SECONDS: Final = 60.0
HARMLESS: Final = frozenset({"compliant", "LOW"})


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that holds. `until` None: until the next event about the same."""

    transmitter: str
    kind: str
    whom: Whom
    at: float
    says: Mapping[str, Any]
    until: float | None

    @property
    def key(self) -> str:
        """Return what the next event about the same has, too."""
        return orjson.dumps([self.transmitter, self.kind, self.says.get("principal"), self.whom.key()]).decode()


@dataclass(slots=True)
class _Room:
    """How much is remembered of one transmitter."""

    seen: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody on some device stands. `claims` are those that changed since their token, `risk` is by whose it is."""

    subject: Subject
    device: Device | None
    claims: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    risk: Mapping[str, str] = field(default_factory=lambda: _NONE)


class Standings:
    """What holds. Made by `open`."""

    def __init__(self, store: Store, events: EventSink, clock: Clock) -> None:
        self._store, self._events, self._clock = store, events, clock
        self._turn = asyncio.Lock()
        self._swept = clock.now()
        self._held: dict[str, Held] = {}
        self._seen: dict[tuple[str, str], float] = {}
        self._room: dict[str, _Room] = defaultdict(
            _Room
        )  # by transmitter: one that floods keeps no other from being heard
        self._index: dict[Name, list[Held]] = {}  # by each name in its first part
        self._believed: frozenset[str] = frozenset()

    @classmethod
    async def open(cls, store: Store, events: EventSink, clock: Clock) -> Self:
        """Read what holds from the store. Raises Refusal `store-unavailable`."""
        standings, now = cls(store, events, clock), clock.now()
        async with store.transaction() as connection:
            await connection.execute(delete(STANDING).where(STANDING.c.until <= now))
            await connection.execute(delete(SEEN).where(SEEN.c.until <= now))
            rows = (await connection.execute(select(STANDING))).mappings().all()
            seen = (await connection.execute(select(SEEN))).mappings().all()
        for row in rows:
            transmitter, kind, _, (issuer, *parts) = orjson.loads(row["key"])
            named: list[frozenset[Name]] = [frozenset((name[0], name[1]) for name in part) for part in parts]
            held = Held(
                transmitter, kind, Whom(issuer or "", tuple(named)), row["at"], orjson.loads(row["says"]), row["until"]
            )
            standings._hold(held)
        standings._seen = {(row["transmitter"], row["jti"]): row["until"] for row in seen}
        standings._count()
        return standings

    def believe(self, transmitters: Collection[str]) -> None:
        """Count from now on what these transmitters said, and nothing that any other did."""
        self._believed = frozenset(transmitters)

    def __len__(self) -> int:
        return len(self._held)

    # --- asked by each request ---------------------------------------------------------------------------------------
    def of(self, subject: Subject, device: Device | None) -> Standing:
        """Return how they stand. Raises Refusal `user-unauthenticated` when their sign-in was ended."""
        if not self._index:
            return Standing(subject, device)
        names: frozenset[Name] = subject.names
        if device is not None:
            names = names | {("device", device.id), ("device-name", device.name)}
        now, claims, risk = self._clock.now(), dict[str, Any](), dict[str, str]()
        for held in self._about(subject.issuer, names):
            if held.until is not None and now >= held.until:
                continue
            if held.kind == "ended" and subject.since <= held.at:
                refusal = refuse(Code.USER_UNAUTHENTICATED, "its issuer ended this sign-in: an event told")
                refusal.step_up = StepUp(max_age=max(0, int(now - held.at)))  # whoever signs in anew comes in
                raise refusal
            if held.kind == "lowered" and subject.since <= held.at:
                subject = replace(subject, mfa=False, acr=None)
            elif held.kind == "claims":
                issued = subject.issued or 0.0
                claims.update({name: value for name, (at, value) in held.says["claims"].items() if issued <= at})
            elif held.kind == "compliance" and device is not None:
                device = _reported(device, held)
            elif held.kind == "risk":
                whose, level = held.says["principal"], held.says["level"]
                risk[whose] = max(level, risk.get(whose, level), key=_LEVELS.index)
        return Standing(subject, device, claims, risk)

    def _about(self, issuer: str, names: frozenset[Name]) -> Iterable[Held]:
        found = {held.key: held for name in names for held in self._index.get(name, ())}
        counting = (held for held in found.values() if held.transmitter in self._believed)
        return sorted((held for held in counting if held.whom.meets(issuer, names)), key=lambda held: held.at)

    # --- events ------------------------------------------------------------------------------------------------------
    async def take(self, signal: Signal, told: Mapping[str, Any]) -> bool:
        """Take an event, with a line in the record, and return whether it is the first time.

        Raises Refusal `store-unavailable`, `audit-unavailable`, and `rate-limited` when no more can be remembered.
        """
        async with self._turn:
            now, mark = self._clock.now(), (signal.transmitter, signal.jti)
            if mark in self._seen:
                return False
            if now - self._swept >= _SWEEP_SECONDS:
                self._forget_past(now)
            held = self._new(signal)
            fresh = held is not None and held.key not in self._held
            room = self._room[signal.transmitter]
            if room.seen >= SIGNALS_SEEN or (fresh and room.held >= SIGNALS_HELD):
                # Forgetting one would let it in again, or undo it: the transmitter has to wait instead.
                raise refuse(Code.RATE_LIMITED, "more events than are remembered", headers={"Retry-After": "600"})
            until = signal.issued + SIGNAL_SECONDS
            async with self._store.transaction() as connection:
                await connection.execute(delete(SEEN).where(SEEN.c.until <= now))
                await connection.execute(insert(SEEN).values(transmitter=mark[0], jti=mark[1], until=until))
                if held is not None:
                    await _write(connection, held)
                await self._events.record_event("signal", {**told, "effect": "none" if held is None else held.kind})
            self._seen[mark] = until
            room.seen += 1
            if held is not None:
                room.held += fresh
                self._hold(held)
            return True

    def _new(self, signal: Signal) -> Held | None:
        """Return what holds from now on by an event; None when nothing new does."""
        kind = _KINDS.get(signal.event) if signal.event is not None else None
        if kind is None or (kind == "lowered" and signal.says["direction"] == "increase"):
            return None
        says: dict[str, Any] = {
            name: signal.says[name] for name in ("principal", "level", "status") if name in signal.says
        }
        until: float | None = signal.at + SIGNAL_KEEP_SECONDS
        if kind in {"compliance", "risk"}:
            # What is harmless is kept only for as long as an older event could still come and say otherwise.
            until = signal.issued + SIGNAL_SECONDS if HARMLESS & set(says.values()) else None
        if kind == "claims":
            says["claims"] = {name: [signal.at, value] for name, value in signal.says["claims"].items()}
        held = Held(signal.transmitter, kind, signal.whom, signal.at, says, until)
        before = self._held.get(held.key)
        if before is not None and kind == "claims":
            return _merged(before, held)
        return held if before is None or before.at <= held.at else None

    def _hold(self, held: Held) -> None:
        self._held[held.key] = held
        for name in held.whom.parts[0]:
            others = [other for other in self._index.get(name, ()) if other.key != held.key]
            self._index[name] = [*others, held]

    def _forget_past(self, now: float) -> None:
        """Let go of what is over. What it said is in the store until the next start."""
        self._swept = now
        self._seen = {mark: until for mark, until in self._seen.items() if until > now}
        living = [held for held in self._held.values() if held.until is None or held.until > now]
        self._held, self._index = {}, {}
        for held in living:
            self._hold(held)
        self._count()

    def _count(self) -> None:
        self._room.clear()
        for transmitter, _ in self._seen:
            self._room[transmitter].seen += 1
        for held in self._held.values():
            self._room[held.transmitter].held += 1


def _reported(device: Device, held: Held) -> Device:
    """Return a device with the check that says what was reported of it; its own word for that never counts."""
    compliant = held.says["status"] == "compliant"
    check = {
        "status": "pass" if compliant else "fail",
        "value": compliant,
        "reason": "reported by the device management",
    }
    return replace(device, checks={**device.checks, COMPLIANCE: check})


def _merged(before: Held, held: Held) -> Held:
    claims = dict(before.says["claims"])
    for name, (at, value) in held.says["claims"].items():
        if name not in claims or claims[name][0] <= at:
            claims[name] = [at, value]
    latest = max(before.at, held.at)
    return replace(held, at=latest, says={"claims": claims}, until=latest + SIGNAL_KEEP_SECONDS)


async def _write(connection: AsyncConnection, held: Held) -> None:
    row = {"at": held.at, "says": orjson.dumps(dict(held.says)).decode(), "until": held.until}
    statement = insert(STANDING).values(key=held.key, **row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=row))
