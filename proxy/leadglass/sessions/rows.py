"""Sessions in the store: a row each, under seal. Every call raises Refusal `store-unavailable`.

All that makes a session what it is stands under the seal, its end and its cookie's digest too: who can write to the store,
but has not the key, can lengthen none and take over none. A session that ended must not come back because the store was
busy just then, so what could not be taken out is tried again.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.hazmat.aead import Box, Unsealable
from leadglass.sessions.session import Session, restored
from leadglass.sessions.tables import SESSIONS
from leadglass.store import Store

_log = logging.getLogger("leadglass.sessions")


class Rows:
    """The rows of a store, sealed in a box."""

    def __init__(self, store: Store, box: Box) -> None:
        self._store, self._box = store, box
        self._leaving: set[str] = set()  # ids of ended sessions whose rows are still there

    async def read(self, now: float, monotonic: float) -> Iterator[Session]:
        """Return the sessions that live; what is over goes, what was not sealed here is not taken up."""
        async with self._store.transaction() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.ends <= now))
            rows = (await connection.execute(select(SESSIONS))).mappings().all()
        return self._restored(rows, now, monotonic)

    def _restored(self, rows: Iterable[Any], now: float, monotonic: float) -> Iterator[Session]:
        for row in rows:
            try:
                plain = self._box.open(row["sealed"], _place(row["id"], row["key"]))
            except Unsealable:
                _log.warning("session %s was not sealed here and is not taken up", row["id"])
                continue
            session = restored(row, plain, now, monotonic)
            if session.ends > now:
                yield session

    @asynccontextmanager
    async def putting(self, session: Session) -> AsyncIterator[AsyncConnection]:
        """Put a session in place of what has its id, in the transaction of a block."""
        async with self._store.transaction() as connection:
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.id == session.id))
            times = {"begun": session.begun, "used": session.used, "ends": session.ends}
            sealed = self._sealed(session)
            await connection.execute(insert(SESSIONS).values(id=session.id, key=session.key, sealed=sealed, **times))
            yield connection

    @asynccontextmanager
    async def sealing(self, session: Session) -> AsyncIterator[None]:
        """Write what a session has become, unless another took its place, in the transaction of a block."""
        own = (SESSIONS.c.id == session.id) & (SESSIONS.c.key == session.key)
        async with self._store.transaction() as connection:
            await connection.execute(update(SESSIONS).where(own).values(sealed=self._sealed(session)))
            yield

    async def drop(self, ids: Iterable[str] = ()) -> None:
        """Take these sessions out, and those that could not be taken out before."""
        self._leaving.update(ids)
        leaving = tuple(self._leaving)
        if leaving:
            statement = delete(SESSIONS).where(SESSIONS.c.id == bindparam("name"))
            async with self._store.transaction() as connection:
                await connection.execute(statement, [{"name": name} for name in leaving])
            self._leaving.difference_update(leaving)

    async def write_used(self, sessions: Iterable[Session]) -> None:
        """Write when these were used last."""
        used = [{"name": session.id, "when": session.used} for session in sessions]
        if used:
            statement = update(SESSIONS).where(SESSIONS.c.id == bindparam("name")).values(used=bindparam("when"))
            async with self._store.transaction() as connection:
                await connection.execute(statement, used)

    async def reseal(self, sessions: Iterable[Session]) -> int:
        """Seal these anew, as they are in the transaction, under the key that seals now, and return how many."""
        own = (SESSIONS.c.id == bindparam("name")) & (SESSIONS.c.key == bindparam("held"))
        async with self._store.transaction() as connection:
            rows = [{"name": one.id, "held": one.key, "box": self._sealed(one)} for one in sessions]
            if rows:
                await connection.execute(update(SESSIONS).where(own).values(sealed=bindparam("box")), rows)
        return len(rows)

    def _sealed(self, session: Session) -> bytes:
        return self._box.seal(session.sealed(), _place(session.id, session.key))


def _place(session_id: str, key: bytes) -> bytes:
    return b"session\0" + session_id.encode() + key
