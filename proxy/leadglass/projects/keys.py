"""The keys of projects, sealed in the store under one key that stands beside it (`projects.key`, 0600).

A project has a key of 32 bytes for each generation. Only the last makes pseudonyms; those before open what was kept under them.
Keys are destroyed by being taken out and by giving all others another seal: what is left in the file of the store, or in a
copy of it, then opens with nothing that is left.
"""

import logging
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.hazmat.aead import Box, Unsealable
from leadglass.hazmat.mac import KEY_BYTES, mac, new_key
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.projects.tables import KEYS

_log = logging.getLogger("leadglass.projects")
_ORIGINALS: Final = b"leadglass-originals-v1"  # another key than that of pseudonyms, made of the same


class Keys:
    """All keys of all projects, and the box that seals them, whose key is in `file`."""

    def __init__(self, box: Box, file: Path) -> None:
        self._box, self._file = box, file
        self._held: dict[tuple[str, int], bytes] = {}
        self._originals: dict[tuple[str, int], Box] = {}

    async def read(self, connection: AsyncConnection) -> None:
        """Take up the keys of the store. One that was not sealed here is left out: its project has none."""
        for row in (await connection.execute(select(KEYS))).mappings():
            place = (row["project"], row["generation"])
            try:
                self._hold(place, self._box.open(row["sealed"], _place(*place)))
            except (Unsealable, ValueError):
                _log.error("the key of project %s, generation %d, was not sealed here and is not taken up", *place)

    def _hold(self, place: tuple[str, int], key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("no key")
        self._held[place] = key
        self._originals[place] = Box(mac(key, _ORIGINALS))

    def key(self, project: str, generation: int) -> bytes | None:
        """Return the key that makes pseudonyms, None when it is not there."""
        return self._held.get((project, generation))

    def originals(self, project: str, generation: int) -> Box | None:
        """Return the box of what pseudonyms stand for, None when its key is not there."""
        return self._originals.get((project, generation))

    def has(self, key: bytes) -> bool:
        """Whether a project has or had this key."""
        return any(secrets.compare_digest(key, held) for held in self._held.values())

    async def make(
        self, connection: AsyncConnection, project: str, generation: int, now: float, key: bytes | None = None
    ) -> bytes:
        """Put a key into the store, a new one unless it is given, and return it. `take_up` then puts it in force."""
        key = new_key() if key is None else key
        sealed = self._box.seal(key, _place(project, generation))
        row = {"project": project, "generation": generation, "made": now, "sealed": sealed}
        await connection.execute(insert(KEYS).values(**row))
        return key

    def take_up(self, project: str, generation: int, key: bytes) -> None:
        """Hold a key that `make` made."""
        self._hold((project, generation), key)

    @property
    def rotating(self) -> bool:
        """Whether keys are left to be sealed anew, since a crash came between."""
        return self._box.rotating

    def turn(self) -> None:
        """Seal under a new key from now on. Raises Refusal `store-unavailable`."""
        try:
            self._box.rotate(self._file)
        except OSError as error:
            raise refuse(Code.STORE_UNAVAILABLE, f"the key of projects: {error.strerror}") from None

    async def reseal(self, connection: AsyncConnection, but: str = "") -> int:
        """Seal all keys anew, take out those of the project `but`, and return how many are left."""
        await connection.execute(delete(KEYS).where(KEYS.c.project == but))
        left = {place: key for place, key in self._held.items() if place[0] != but}
        mine = (KEYS.c.project == bindparam("name")) & (KEYS.c.generation == bindparam("number"))
        rows = [
            {"name": place[0], "number": place[1], "box": self._box.seal(key, _place(*place))}
            for place, key in left.items()
        ]
        if rows:
            await connection.execute(update(KEYS).where(mine).values(sealed=bindparam("box")), rows)
        return len(rows)

    def forget(self, projects: Iterable[str] = ()) -> None:
        """Let go of the keys of these projects, and of every seal but the last. Raises Refusal `store-unavailable`."""
        gone = set(projects)
        for place in [place for place in self._held if place[0] in gone]:
            del self._held[place], self._originals[place]
        try:
            self._box.forget(self._file)
        except OSError as error:
            raise refuse(Code.STORE_UNAVAILABLE, f"the key of projects: {error.strerror}") from None


def _place(project: str, generation: int) -> bytes:
    return f"project-key\0{project}\0{generation}".encode()
