"""What pseudonyms stand for, in the store: written before the reply that shows them leaves, and read to find the real thing.

Those that were written or read of late are remembered, so that what is known costs no look at the store. Replies that wait for
the store at one time are written in one transaction.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.deid.pseudonyms import UID, Made
from leadglass.hazmat.aead import Unsealable
from leadglass.hazmat.pseudonym import is_made
from leadglass.limits import PSEUDONYMS_AT_ONCE, PSEUDONYMS_REMEMBERED, PSEUDONYMS_UNKNOWN
from leadglass.projects.keys import Keys
from leadglass.projects.tables import PSEUDONYMS
from leadglass.store import Store

Key: TypeAlias = tuple[str, str, str]  # project (none for UIDs, which no two projects share), kind, pseudonym


class Mapping(NamedTuple):
    """What a pseudonym stands for, in which project, under which generation of its key."""

    project: str
    generation: int
    kind: str
    original: str
    issuer: str


class _Batch:
    """What is written together."""

    def __init__(self) -> None:
        self.rows: dict[Key, Mapping] = {}
        self.written = False


def _key(project: str, kind: str, pseudonym: str) -> Key:
    return ("" if kind == UID else project, kind, pseudonym)


class Mappings:
    """The mappings of all projects."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys
        self._known: OrderedDict[Key, Mapping] = OrderedDict()
        self._unknown: OrderedDict[Key, None] = OrderedDict()
        self._open = _Batch()
        self._turn = asyncio.Lock()

    async def keep(self, project: str, generation: int, made: Iterable[Made]) -> int:
        """Write what is not written, all or nothing, and return how many were not known. Returns when they are on disk.

        Raises Refusal `store-unavailable`.
        """
        fresh: dict[Key, Mapping] = {}
        for one in made:
            key = _key(project, one.kind, one.pseudonym)
            if self._find(key) is None:
                fresh[key] = Mapping(project, generation, one.kind, one.original, one.issuer)
        if not fresh:
            return 0
        batch = self._open
        batch.rows.update(fresh)
        async with self._turn:
            if batch is self._open:
                self._open = _Batch()
            if not batch.written:  # whoever is first writes for all; one who breaks off leaves it to the next
                await self._write(batch.rows)
                batch.written = True
        return len(fresh)

    async def _write(self, new: dict[Key, Mapping]) -> None:
        items = list(new.items())
        statement = insert(PSEUDONYMS).on_conflict_do_nothing()
        async with self._store.transaction() as connection:
            for start in range(0, len(items), PSEUDONYMS_AT_ONCE):
                rows = self._sealed(items[start : start + PSEUDONYMS_AT_ONCE])
                if rows:
                    await connection.execute(statement, rows)
        for key, mapping in items:
            self._remember(key, mapping)

    def _sealed(self, items: Sequence[tuple[Key, Mapping]]) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for (_, kind, pseudonym), mapping in items:
            box = self._keys.originals(mapping.project, mapping.generation)
            if box is None:  # its key was destroyed a moment ago; whoever waits for it is told so
                continue
            name, generation = mapping.project, mapping.generation
            said = orjson.dumps([mapping.original, mapping.issuer])
            sealed = box.seal(said, _place(name, generation, kind, pseudonym))
            row = {"pseudonym": pseudonym, "project": name, "kind": kind, "generation": generation, "sealed": sealed}
            rows.append(row)
        return rows

    def _find(self, key: Key) -> Mapping | None:
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def _remember(self, key: Key, mapping: Mapping) -> None:
        self._unknown.pop(key, None)
        self._known[key] = mapping
        if len(self._known) > PSEUDONYMS_REMEMBERED:
            self._known.popitem(last=False)

    async def uid(self, uid: str) -> Mapping | None:
        """Return what a UID stands for, None when it is no pseudonym. Asks the store only for what looks like one."""
        return await self._one(_key("", UID, uid)) if is_made(uid) else None

    async def identifier(self, project: str, kind: str, pseudonym: str) -> Mapping | None:
        """Return what an identifier stands for in a project, None when it stands for nothing."""
        return await self._one(_key(project, kind, pseudonym))

    async def _one(self, key: Key) -> Mapping | None:
        found = self._find(key)
        if found is not None or key in self._unknown:
            return found
        project, kind, pseudonym = key
        for mapping in await self.all(pseudonym, project):
            if mapping.kind == kind:
                self._remember(key, mapping)
                return mapping
        if key not in self._known:  # or it was made while the store was asked
            self._unknown[key] = None
            if len(self._unknown) > PSEUDONYMS_UNKNOWN:
                self._unknown.popitem(last=False)
        return self._known.get(key)

    async def all(self, pseudonym: str, project: str = "") -> list[Mapping]:
        """Return all that a pseudonym stands for, in one project where it is named; what cannot be opened is left out."""
        query = select(PSEUDONYMS).where(PSEUDONYMS.c.pseudonym == pseudonym)
        if project:
            query = query.where(PSEUDONYMS.c.project == project)
        async with self._store.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        found: list[Mapping] = []
        for row in rows:
            name, generation, kind = row["project"], row["generation"], row["kind"]
            box = self._keys.originals(name, generation)
            if box is None:
                continue
            try:
                plain = box.open(row["sealed"], _place(name, generation, kind, pseudonym))
            except Unsealable:  # somebody wrote to the store who has not the key
                continue
            original, issuer = orjson.loads(plain)
            found.append(Mapping(name, generation, kind, original, issuer))
        return found

    async def drop(self, connection: AsyncConnection, project: str) -> int:
        """Take out all mappings of a project, and return how many there were."""
        return (await connection.execute(delete(PSEUDONYMS).where(PSEUDONYMS.c.project == project))).rowcount

    def forget(self, project: str) -> None:
        """Let go of what is remembered of a project."""
        for key in [key for key, mapping in self._known.items() if mapping.project == project]:
            del self._known[key]


def _place(project: str, generation: int, kind: str, pseudonym: str) -> bytes:
    return f"pseudonym\0{project}\0{generation}\0{kind}\0{pseudonym}".encode()
