"""Which device each session is open on, and since when that was not proven any more.

A session is bound by its first proof and stays with that device: a cookie that was carried elsewhere brings no other
device with it. Whoever signs in anew gets a new cookie, and with it the device may be another. A proof is good for five
minutes; a session whose device falls silent has none until it speaks again. Both move the epoch `session:<id>`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from sqlalchemy import bindparam, delete, insert, select, update

from leadglass.clock import Clock, rfc3339
from leadglass.epochs import Epochs
from leadglass.limits import (
    DEVICE_PROOF_RENEW_SECONDS,
    DEVICE_PROOF_SECONDS,
    SESSION_WRITE_SECONDS,
)
from leadglass.model.control import PeerFacts
from leadglass.model.errors import refuse
from leadglass.model.facts import Device
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.sessions.session import Session
from leadglass.sessions.sessions import Sessions, upkeep
from leadglass.sessions.tables import BINDINGS, SESSIONS
from leadglass.store import Store

_FORGET: Final = delete(BINDINGS).where(BINDINGS.c.session.not_in(select(SESSIONS.c.id)))


@dataclass(slots=True)
class Binding:
    """A session's device. `key` is the session's when it was bound, `proven` when it was proven last, by both clocks."""

    session: str
    key: bytes
    device: str
    proven: float
    proven_monotonic: float
    silent: bool = False
    base: Device | None = None  # what `facts` is made of
    facts: Device | None = None

    @property
    def ends(self) -> float:
        """When the proof is over, in epoch seconds."""
        return self.proven + DEVICE_PROOF_SECONDS

    def left(self, now: float, monotonic: float) -> float:
        """Return for how many seconds the proof is still good: by the clock that says less; 0 once it was not."""
        if self.silent:
            return 0.0
        return min(self.ends - now, self.proven_monotonic + DEVICE_PROOF_SECONDS - monotonic)


class Bindings:
    """The bindings of a gateway. `facts` gives a device that signed; `watch` is to be run as a task."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        events: EventSink,
        *,
        clock: Clock,
        epochs: Epochs,
        facts: Callable[[str], Device],
    ) -> None:
        self._store, self._sessions, self._events = store, sessions, events
        self._clock, self._epochs, self._facts = clock, epochs, facts
        self._bound: dict[str, Binding] = {}
        self._turn = asyncio.Lock()
        self._written = clock.now()

    @classmethod
    async def open(
        cls,
        store: Store,
        sessions: Sessions,
        events: EventSink,
        *,
        clock: Clock,
        epochs: Epochs,
        facts: Callable[[str], Device],
    ) -> Self:
        """Read the bindings of the sessions that live. Raises Refusal `store-unavailable`."""
        bindings = cls(store, sessions, events, clock=clock, epochs=epochs, facts=facts)
        async with store.transaction() as connection:
            await connection.execute(_FORGET)
            rows = (await connection.execute(select(BINDINGS))).mappings().all()
        for row in rows:
            if sessions.one(row["session"]) is None:
                continue
            age = clock.now() - row["proven"]
            # A proof of the future means that the clock was set back: how old it is nobody knows.
            binding = Binding(
                row["session"], row["key"], row["device"], row["proven"], clock.monotonic() - age, silent=age < 0
            )
            bindings._bound[binding.session] = binding
        return bindings

    # --- asked by each request ---------------------------------------------------------------------------------------
    def device(self, session: str) -> Device | None:
        """Return the device that a session is open on, None when none is proven.

        Raises Refusal `statement-invalid` when it was withdrawn.
        """
        binding = self._bound.get(session)
        if binding is None or self._left(binding) <= 0:
            return None
        base = self._facts(binding.device)
        if binding.base is not base or binding.facts is None:
            binding.base, binding.facts = base, replace(base, expires=binding.ends)
        return binding.facts

    def shown(self, session: str) -> dict[str, Any] | None:
        """Return what people and administrators see of a session's device."""
        binding = self._bound.get(session)
        if binding is None:
            return None
        return {"id": binding.device, "proven": rfc3339(binding.proven), "silent": self._left(binding) <= 0}

    def due(self, session: Session) -> float:
        """Return in how many seconds the next proof is due; 0 when there is none that lasts."""
        binding = self._bound.get(session.id)
        if binding is None or binding.key != session.key:
            return 0.0
        return max(0.0, self._left(binding) - (DEVICE_PROOF_SECONDS - DEVICE_PROOF_RENEW_SECONDS))

    def _left(self, binding: Binding) -> float:
        return binding.left(self._clock.now(), self._clock.monotonic())

    # --- proofs ------------------------------------------------------------------------------------------------------
    async def prove(self, session_id: str, device: Mapping[str, str], peer: PeerFacts) -> None:
        """Take note that a session was proven to be open on `device` (as events name it).

        Raises Refusal `device-changed` when it is bound to another, `user-unauthenticated` when it is over,
        `store-unavailable`, `audit-unavailable`.
        """
        async with self._turn:
            session = self._living(session_id)
            binding = self._bound.get(session_id)
            fields = {
                "session": session.document(),
                "device": dict(device),
                "client_ip": peer.client_ip,
                "decision_id": peer.decision_id,
            }
            now, monotonic = self._clock.now(), self._clock.monotonic()
            if binding is not None and binding.key == session.key:
                if binding.device != device["id"]:
                    await self._events.record_event("session-device-refused", {**fields, "bound_to": binding.device})
                    raise refuse(Code.DEVICE_CHANGED, f"the session is bound to {binding.device}")
                if binding.left(now, monotonic) > 0:
                    binding.proven, binding.proven_monotonic, binding.base = now, monotonic, None
                    return
            made = Binding(session_id, session.key, device["id"], now, monotonic)
            await self._keep(made, fields)
            if self._living(session_id) is not session:  # signed in anew meanwhile: that is another cookie's proof
                raise refuse(Code.USER_UNAUTHENTICATED, "the session changed while its device was proven")
            self._bound[session_id] = made
            self._epochs.bump(f"session:{session_id}")

    def _living(self, session_id: str) -> Session:
        session = self._sessions.one(session_id)
        if session is None or self._clock.now() >= session.ends:
            raise refuse(Code.USER_UNAUTHENTICATED, "no such session")
        return session

    async def _keep(self, made: Binding, fields: Mapping[str, Any]) -> None:
        row = {"session": made.session, "key": made.key, "device": made.device, "proven": made.proven}
        async with self._store.transaction() as connection:
            await connection.execute(delete(BINDINGS).where(BINDINGS.c.session == made.session))
            await connection.execute(insert(BINDINGS).values(**row))
            await self._events.record_event("session-device-bound", fields)

    # --- upkeep ------------------------------------------------------------------------------------------------------
    async def watch(self) -> None:
        """Notice devices that fell silent and sessions that ended, for ever."""
        await upkeep(self.look, "the devices of sessions")

    async def look(self) -> None:
        """Do one round of upkeep. Raises Refusal `store-unavailable`, `audit-unavailable`."""
        gone, now, monotonic = False, self._clock.now(), self._clock.monotonic()
        for binding in list(self._bound.values()):
            session = self._sessions.one(binding.session)
            if session is None:
                gone = True
                del self._bound[binding.session]
            elif not binding.silent and binding.left(now, monotonic) <= 0:
                binding.silent = True
                self._epochs.bump(f"session:{binding.session}")  # at once; then it is written down
                fields = {"session": session.document(), "device": {"id": binding.device}}
                await self._events.record_event("session-device-silent", fields)
        if gone:
            async with self._store.transaction() as connection:
                await connection.execute(_FORGET)
        if self._clock.now() - self._written >= SESSION_WRITE_SECONDS:
            await self.write()

    async def write(self) -> None:
        """Write when each device was proven last, so that a restart asks nobody anew. Raises Refusal `store-unavailable`."""
        since, self._written = self._written, self._clock.now()
        rows = [{"name": b.session, "when": b.proven} for b in self._bound.values() if b.proven >= since]
        if rows:
            statement = update(BINDINGS).where(BINDINGS.c.session == bindparam("name"))
            async with self._store.transaction() as connection:
                await connection.execute(statement.values(proven=bindparam("when")), rows)
