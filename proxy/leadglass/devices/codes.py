"""Enrolment codes: made for an owner (a person of one issuer), good for 15 minutes, one enrolment and five tries."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.clock import Clock, rfc3339
from leadglass.devices.tables import CODES
from leadglass.hazmat.enrolment import CodeKeys, new_code
from leadglass.limits import CODES_OPEN, ENROLMENT_CODE_SECONDS, ENROLMENT_CODE_TRIES
from leadglass.model.errors import refuse
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.store import Store


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code that may still be used. `tries` counts this one."""

    keys: CodeKeys
    owner: str
    owner_issuer: str
    tries: int


class Codes:
    """Makes codes and takes them. `ca` gives SHA-256 of the device CA certificate, which each code carries."""

    def __init__(self, store: Store, events: EventSink, clock: Clock, ca: Callable[[], bytes]) -> None:
        self._store, self._events, self._clock, self._ca = store, events, clock, ca

    async def make(self, owner: str, owner_issuer: str, by: dict[str, str | int]) -> dict[str, str]:
        """Return a new code for `owner` of `owner_issuer` and when it ends. The code is in this answer and nowhere else.

        Raises Refusal `rate-limited` beyond 1,000 open codes, `store-unavailable`, `audit-unavailable`.
        """
        code, now = new_code(self._ca()), self._clock.now()
        ends = now + ENROLMENT_CODE_SECONDS
        async with self._store.transaction() as connection:
            await connection.execute(delete(CODES).where(CODES.c.ends <= now))
            if (await connection.execute(select(func.count()).select_from(CODES))).scalar_one() >= CODES_OPEN:
                raise refuse(Code.RATE_LIMITED, "too many open enrolment codes")
            await connection.execute(
                insert(CODES).values(
                    code_id=code.keys.code_id,
                    request_key=code.keys.request_key,
                    reply_key=code.keys.reply_key,
                    owner=owner,
                    owner_issuer=owner_issuer,
                    ends=ends,
                    tries=0,
                )
            )
            told = {"owner": owner, "owner_issuer": owner_issuer, "ends": rfc3339(ends)}
            await self._events.record_event("device-code-issued", {"code_id": code.keys.code_id, **told, "by": by})
        return {"code": code.text, **told}

    async def attempt(self, code_id: str) -> OpenCode | None:
        """Count a try of a code and return the code, None when it may not be used.

        The try is committed before anything of the request is verified, so that parallel tries count too.
        """
        may = (CODES.c.code_id == code_id) & (CODES.c.ends > self._clock.now()) & (CODES.c.tries < ENROLMENT_CODE_TRIES)
        async with self._store.transaction() as connection:
            counted = update(CODES).where(may).values(tries=CODES.c.tries + 1).returning(CODES)
            row = (await connection.execute(counted)).mappings().first()
        if row is None:
            return None
        keys = CodeKeys(row["code_id"], row["request_key"], row["reply_key"])
        return OpenCode(keys, row["owner"], row["owner_issuer"], row["tries"])

    @staticmethod
    async def void(connection: AsyncConnection) -> int:
        """Make all open codes void, within a transaction, and return how many there were."""
        return int((await connection.execute(delete(CODES))).rowcount)

    @staticmethod
    async def use(connection: AsyncConnection, code_id: str) -> bool:
        """Use a code up, within the transaction of its enrolment. False when another enrolment was first."""
        return (await connection.execute(delete(CODES).where(CODES.c.code_id == code_id))).rowcount == 1
