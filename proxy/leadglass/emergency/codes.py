"""Emergency codes: made and printed once, kept as hashes, good for one use by one named person.

A code is `LGE-` and five groups of five letters of Crockford's base32. The first group names it in lists and in the
record; the other four are 100 random bits, so that a plain hash of them can be neither guessed nor turned back.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.clock import Clock, rfc3339
from leadglass.emergency.tables import EMERGENCY_CODES as CODES
from leadglass.hazmat.mac import sha256
from leadglass.limits import EMERGENCY_CODE_TRIES, EMERGENCY_CODES_HELD
from leadglass.model.errors import LeadglassError, refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.store import Store

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_PREFIX: Final = "LGE"
_GROUPS: Final = 5
_GROUP: Final = 5
_INFO: Final = b"leadglass-emergency-v1 "


class CodeRefused(LeadglassError):
    """A code is not taken. `cause` is for the record; `code_id` names the code where it is one of ours."""

    def __init__(self, cause: str, code_id: str | None = None) -> None:
        super().__init__(cause)
        self.cause, self.code_id = cause, code_id


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def plain(text: str) -> str | None:
    """Return the letters of a code as somebody typed it, None when it cannot be one: case, spaces and dashes are free."""
    letters = text.upper().translate(_ALIKE)
    if len(letters) == _GROUPS * _GROUP + len(_PREFIX):
        letters = letters.removeprefix(_PREFIX.translate(_ALIKE))
    return letters if len(letters) == _GROUPS * _GROUP and set(letters) <= set(_LETTERS) else None


def _digest(letters: str) -> bytes:
    return sha256(_INFO + letters.encode("ascii"))


def same_name(one: str, other: str) -> bool:
    """Return whether two spellings name one person: case and the width of blanks do not matter."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


class EmergencyCodes:
    """Makes, lists, withdraws and takes codes."""

    def __init__(self, store: Store, events: EventSink, clock: Clock) -> None:
        self._store, self._events, self._clock = store, events, clock

    async def make(
        self, count: int, name: str | None, seconds: float, by: Mapping[str, Any]
    ) -> list[dict[str, str | None]]:
        """Return `count` new codes for `name`, or for whoever opens them. They are in this answer and nowhere else.

        Raises Refusal `rate-limited` beyond the bound on open codes, `store-unavailable`, `audit-unavailable`.
        """
        now = self._clock.now()
        ends = now + seconds
        made: list[dict[str, str | None]] = []
        async with self._store.transaction() as connection:
            await connection.execute(delete(CODES).where(CODES.c.ends <= now))
            held = (await connection.execute(select(func.count()).select_from(CODES))).scalar_one()
            if held + count > EMERGENCY_CODES_HELD:
                raise refuse(Code.RATE_LIMITED, "too many emergency codes; withdraw some")
            known = set((await connection.execute(select(CODES.c.id))).scalars())
            while len(made) < count:
                letters = _letters(_GROUPS * _GROUP)
                code_id = letters[:_GROUP]
                if code_id in known:
                    continue
                known.add(code_id)
                row = {"id": code_id, "digest": _digest(letters), "name": name, "made": now, "ends": ends, "tries": 0}
                await connection.execute(insert(CODES).values(**row))
                groups = [letters[start : start + _GROUP] for start in range(0, len(letters), _GROUP)]
                text = "-".join([_PREFIX, *groups])
                made.append({"id": code_id, "code": text, "name": name, "ends": rfc3339(ends)})
            told = {"codes": [one["id"] for one in made], "name": name, "ends": rfc3339(ends), "by": dict(by)}
            await self._events.record_event("emergency-codes-made", told)
        return made

    async def all(self) -> list[dict[str, Any]]:
        """Return every code that has not ended, the oldest first, as administrators see it."""
        async with self._store.transaction() as connection:
            query = select(CODES).where(CODES.c.ends > self._clock.now()).order_by(CODES.c.made, CODES.c.id)
            rows = (await connection.execute(query)).mappings().all()
        return [_document(row) for row in rows]

    async def withdraw(self, code_id: str, reason: str, by: Mapping[str, Any]) -> dict[str, Any] | None:
        """Withdraw a code that was not used and return it; None when there is none. Raises as `make`."""
        async with self._store.transaction() as connection:
            open_ = (CODES.c.id == code_id) & CODES.c.used.is_(None) & CODES.c.withdrawn.is_(None)
            statement = update(CODES).where(open_).values(withdrawn=self._clock.now()).returning(CODES)
            row = (await connection.execute(statement)).mappings().first()
            if row is None:
                return None
            told = {"code": code_id, "name": row["name"], "reason": reason, "by": dict(by)}
            await self._events.record_event("emergency-code-withdrawn", told)
        return _document(row)

    async def check(self, text: str, name: str) -> str:
        """Return the id of the code in `text` that is good for `name`. Counts a wrong one. Raises CodeRefused, Refusal."""
        letters = plain(text)
        if letters is None:
            raise CodeRefused("not a code")
        code_id = letters[:_GROUP]
        async with self._store.transaction() as connection:
            row = (await connection.execute(select(CODES).where(CODES.c.id == code_id))).mappings().first()
            if row is None:
                raise CodeRefused("no such code")
            if row["tries"] >= EMERGENCY_CODE_TRIES:
                raise CodeRefused("too many wrong tries", code_id)
            genuine = secrets.compare_digest(row["digest"], _digest(letters))
            if not genuine or (row["name"] is not None and not same_name(row["name"], name)):
                statement = update(CODES).where(CODES.c.id == code_id).values(tries=CODES.c.tries + 1)
                await connection.execute(statement)
        if not genuine:
            raise CodeRefused("a wrong code", code_id)
        if row["name"] is not None and not same_name(row["name"], name):
            raise CodeRefused("for somebody else", code_id)
        state = _state(row)
        if state != "open" or row["ends"] <= self._clock.now():
            raise CodeRefused("over" if state == "open" else state, code_id)
        return code_id

    async def spend(self, connection: AsyncConnection, code_id: str, name: str) -> None:
        """Use a code up, within the transaction that begins its session. Raises CodeRefused when another was first."""
        now = self._clock.now()
        open_ = (CODES.c.id == code_id) & CODES.c.used.is_(None) & CODES.c.withdrawn.is_(None) & (CODES.c.ends > now)
        statement = update(CODES).where(open_).values(used=now, used_by=name)
        if (await connection.execute(statement)).rowcount != 1:
            raise CodeRefused("used", code_id)


def _state(row: Mapping[Any, Any]) -> str:
    if row["used"] is not None:
        return "used"
    if row["withdrawn"] is not None:
        return "withdrawn"
    return "locked" if row["tries"] >= EMERGENCY_CODE_TRIES else "open"


def _document(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "state": _state(row),
        "made": rfc3339(row["made"]),
        "ends": rfc3339(row["ends"]),
        "used": None if row["used"] is None else rfc3339(row["used"]),
        "used_by": row["used_by"],
    }
