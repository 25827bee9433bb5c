"""Sessions: begun by a sign-in, asked for by each request, renewed in silence, and ended in one place.

All are in memory, because every request asks; all are in the store, because a restart must not sign people out. Whatever
ends or changes a session moves the epoch `session:<id>`: leases end, and what runs is judged again at once (law 7).
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, NoReturn, Self

from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.clock import Clock
from leadglass.epochs import Epochs
from leadglass.hazmat.aead import Box
from leadglass.hazmat.mac import sha256
from leadglass.limits import (
    ENDS_HEARD,
    SESSION_RENEW_SECONDS,
    SESSION_RENEWALS,
    SESSION_TICK_SECONDS,
    SESSION_WRITE_SECONDS,
    SESSIONS_HELD,
    SESSIONS_PER_PERSON,
)
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import EMERGENCY, Subject
from leadglass.model.login import ProviderUnavailable, Renew, SignedIn, SignInRefused
from leadglass.model.ports import EventSink
from leadglass.model.reasons import Code
from leadglass.model.signals import Whom
from leadglass.sessions.rows import Rows
from leadglass.sessions.session import Glass, Session
from leadglass.sessions.settings import SessionSettings
from leadglass.sessions.transactions import new_cookie
from leadglass.store import Store
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.sessions")


async def _nothing(_connection: AsyncConnection, _session: Session) -> None:
    """Do nothing else."""


class Sessions:
    """The sessions of a gateway. `renew` asks an issuer anew; `watch` is to be run as a task."""

    def __init__(
        self, store: Store, box: Box, events: EventSink, *, clock: Clock, epochs: Epochs, tasks: Tasks, renew: Renew
    ) -> None:
        self._rows, self._events = Rows(store, box), events
        self._clock, self._epochs, self._tasks, self._renew = clock, epochs, tasks, renew
        self._settings = SessionSettings()
        self._by_key: dict[bytes, Session] = {}
        self._by_id: dict[str, Session] = {}
        self._withdrawn: dict[bytes, float] = {}  # keys of those that an administrator ended -> when they would have
        self._renewing: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(SESSION_RENEWALS)
        self._turn = asyncio.Lock()  # of whoever begins a session
        self._told: deque[tuple[float, Whom, float]] = deque(maxlen=ENDS_HEARD)  # when (monotonic), and as `end_named`
        self._written = clock.now()

    @classmethod
    async def open(
        cls, store: Store, box: Box, events: EventSink, *, clock: Clock, epochs: Epochs, tasks: Tasks, renew: Renew
    ) -> Self:
        """Read the sessions that live from the store. Raises Refusal `store-unavailable`."""
        sessions = cls(store, box, events, clock=clock, epochs=epochs, tasks=tasks, renew=renew)
        for session in await sessions._rows.read(clock.now(), clock.monotonic()):
            sessions._hold(session)
        return sessions

    @property
    def settings(self) -> SessionSettings:
        """The settings in force."""
        return self._settings

    def __len__(self) -> int:
        return len(self._by_id)

    def configure(self, settings: SessionSettings, issuers: Collection[str]) -> None:
        """Put settings in force; sessions of issuers at which nobody signs in any more end with the next look."""
        self._settings = settings
        for session in self._by_id.values():
            if session.subject.issuer not in issuers and not session.coded:
                session.ends = 0.0

    def _hold(self, session: Session) -> None:
        self._by_key[session.key] = self._by_id[session.id] = session

    # --- asked by each request ---------------------------------------------------------------------------------------
    def cached(self, cookie: str) -> Subject | None:
        """Return whose session the cookie is for, None when it is nobody's or must be renewed first."""
        session = self._by_key.get(sha256(cookie.encode()))
        if session is None:
            return None
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if now >= session.signed_in.token_ends or session.over(now, monotonic, self._settings.idle_seconds) is not None:
            return None
        self._use(session, now, monotonic)
        return session.signed_in.subject

    async def authenticate(self, cookie: str) -> Subject:
        """Return whose session it is. Raises Refusal `user-unauthenticated`, `sign-in-unavailable`."""
        key = sha256(cookie.encode())
        session = self._by_key.get(key)
        if session is None:
            refusal = refuse(Code.USER_UNAUTHENTICATED, "no such session")
            refusal.withdrawn = key in self._withdrawn
            raise refusal
        if self._over(session) is not None:
            raise refuse(Code.USER_UNAUTHENTICATED, "the session is over")
        if self._clock.now() >= session.signed_in.token_ends:
            await asyncio.wait({self._renewal(session)})  # whoever leaves does not take it from the others
        self._vouched(session)
        self._use(session, self._clock.now(), self._clock.monotonic())
        return session.subject

    def current(self, subject: Subject) -> Subject:
        """Return a running exchange's subject as it is now; a token's as it was. Raises Refusal as `authenticate`."""
        if subject.session is None:
            return subject
        session = self._by_id.get(subject.session)
        if session is None or self._over(session) is not None:
            raise refuse(Code.USER_UNAUTHENTICATED, "the session ended during the reply")
        self._vouched(session)
        self._use(session, self._clock.now(), self._clock.monotonic())
        return session.subject

    def known(self, cookie: str | None) -> str | None:
        """Return the id of the session of a cookie, without using it; None when there is none that lives."""
        session = self._by_key.get(sha256(cookie.encode())) if cookie else None
        return None if session is None or self._over(session) is not None else session.id

    def _vouched(self, session: Session) -> None:
        if session.id not in self._by_id:
            raise refuse(Code.USER_UNAUTHENTICATED, "the identity provider ended the session")
        if self._clock.now() >= session.signed_in.token_ends:
            raise refuse(Code.SIGN_IN_UNAVAILABLE, "the session could not be renewed")

    def _over(self, session: Session) -> str | None:
        """Return why a session is over, None while it lives."""
        return session.over(self._clock.now(), self._clock.monotonic(), self._settings.idle_seconds)

    # --- a broken glass ----------------------------------------------------------------------------------------------
    async def break_glass(self, session_id: str, glass: Glass | None, kind: str, fields: Mapping[str, Any]) -> None:
        """Break the glass in a session, or make it whole, with an event that says so.

        Raises Refusal `user-unauthenticated` without such a session, `store-unavailable`, `audit-unavailable`.
        """
        session = self._by_id.get(session_id)
        if session is None or self._over(session) is not None:
            raise refuse(Code.USER_UNAUTHENTICATED, "no session")
        before, session.glass = session.glass, glass
        try:
            async with self._rows.sealing(session):
                await self._events.record_event(kind, {"session": session.document(), **fields})
        except Refusal:
            session.glass = before
            raise
        self._become(session)

    def _use(self, session: Session, now: float, monotonic: float) -> None:
        """Take note that it is used, and make a glass whole whose time is over."""
        session.use(now, monotonic)
        if session.glass is not None and now >= session.glass.ends and not session.coded:
            session.glass = None
            self._become(session)

    def _become(self, session: Session) -> None:
        session.become(session.signed_in)
        self._epochs.bump(f"session:{session.id}")

    # --- begin and end -----------------------------------------------------------------------------------------------
    async def begin(
        self,
        signed_in: SignedIn,
        client_ip: str,
        shown: str | None,
        *,
        asked: float | None = None,
        glass: Glass | None = None,
        also: Callable[[AsyncConnection, Session], Awaitable[None]] = _nothing,
    ) -> tuple[str, Session]:
        """Begin a session and return the value of its cookie, which nobody has seen before (no fixation).

        `shown` is the id of the session that the browser had: that of the same person goes on under the new cookie,
        with what was said now; that of another person ends. `asked` is when its issuer was asked (monotonic). `also` is done in the same transaction, or nothing is. Raises
        Refusal `store-unavailable`, `audit-unavailable`, what `also` raises, and `user-unauthenticated` when it was ended
        meanwhile.
        """
        async with self._turn:  # or two sign-ins of one browser would each go on with the session of the other
            before, who = self._by_id.get(shown) if shown else None, signed_in.subject
            if before is not None and _person(before) != (who.issuer, who.id):
                await self._end([before], "replaced", {})
                before = None
            if before is None:
                await self._make_room(who)
            cookie = new_cookie()
            session = self._made(cookie, signed_in, client_ip, before, glass)
            async with self._rows.putting(session) as connection:
                await also(connection, session)
                kind = "session-begun" if before is None else "session-stepped-up"
                await self._events.record_event(kind, {"session": session.document()})
            ended = before is not None and self._by_id.get(session.id) is not before
            if ended or self._ended_since(asked, who):  # while its issuer was asked, or this was written down
                await self._rows.drop([session.id])
                raise refuse(Code.USER_UNAUTHENTICATED, "the session was ended during its sign-in")
            if before is not None:
                self._by_key.pop(before.key, None)
            self._hold(session)
            self._epochs.bump(f"session:{session.id}")
            return cookie, session

    def _made(
        self, cookie: str, signed_in: SignedIn, client_ip: str, before: Session | None, glass: Glass | None
    ) -> Session:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        ends = now + self._settings.absolute_seconds
        if signed_in.subject.issuer == EMERGENCY:
            ends = signed_in.token_ends
        elif signed_in.refresh_token is None:
            ends = min(ends, signed_in.token_ends)
        name, version = (secrets.token_hex(8), 0) if before is None else (before.id, before.version)
        session = Session(
            name, sha256(cookie.encode()), signed_in, client_ip, now, now, ends,
            used_monotonic=monotonic, ends_monotonic=monotonic + (ends - now), version=version, glass=glass,
        )  # fmt: skip
        session.become(signed_in)
        return session

    def _ended_since(self, asked: float | None, who: Subject) -> bool:
        return asked is not None and any(
            told > asked and who.since <= at and whom.meets(who.issuer, who.names) for told, whom, at in self._told
        )

    async def _make_room(self, who: Subject) -> None:
        own = sorted(self._of(lambda s: _person(s) == (who.issuer, who.id)), key=lambda s: s.used)
        await self._end(own[: max(0, len(own) - SESSIONS_PER_PERSON + 1)], "replaced", {})
        if len(self._by_id) >= SESSIONS_HELD:
            raise refuse(Code.RATE_LIMITED, "more sessions than are held", headers={"Retry-After": "60"})

    async def end(
        self, session_id: str, why: str, by: Mapping[str, Any], *, owner: str | None = None, withdrawn: bool = False
    ) -> Session | None:
        """End a session and return it; None when there is none (of the person whose session `owner` is).

        One that is `withdrawn` is remembered until it would have ended, since nobody's request passes while observing.
        """
        session, own = self._by_id.get(session_id), self._by_id.get(owner or "")
        if session is None:
            return None
        if owner is not None and (own is None or _person(own) != _person(session)):
            return None
        if withdrawn:
            now = self._clock.now()
            self._withdrawn = {key: ends for key, ends in self._withdrawn.items() if ends > now}
            self._withdrawn[session.key] = session.ends
        await self._end([session], why, by)
        return session

    def _named(self, whom: Whom) -> list[Session]:
        return self._of(lambda s: whom.meets(s.subject.issuer, s.subject.names))

    async def end_named(self, whom: Whom, at: float, why: str) -> int:
        """End the sessions of these people that they signed in to until `at`, and count them. Raises as `end`."""
        self._told.append((self._clock.monotonic(), whom, at))
        found = [session for session in self._named(whom) if min(session.begun, session.subject.since) <= at]
        await self._end(found, why, {})
        return len(found)

    def renew_named(self, whom: Whom) -> None:
        """Ask the issuer anew about the sessions of these people."""
        for session in self._named(whom):
            if session.signed_in.refresh_token is not None:
                self._renewal(session)

    async def _end(self, sessions: Iterable[Session], why: str, by: Mapping[str, Any]) -> None:
        """End all at once for everybody, then in the store and the record: what fails there must keep none alive."""
        ended = [session for session in sessions if self._by_id.pop(session.id, None) is not None]
        for session in ended:
            self._by_key.pop(session.key, None)
            session.ends = min(session.ends, self._clock.now())
            self._epochs.bump(f"session:{session.id}")
        try:
            await self._rows.drop(session.id for session in ended)
        finally:
            for session in ended:
                fields = {"session": session.document(), "why": why, "by": dict(by)}
                await self._events.record_event("session-ended", fields)

    # --- lists -------------------------------------------------------------------------------------------------------
    def _of(self, wanted: Callable[[Session], bool]) -> list[Session]:
        return [session for session in self._by_id.values() if wanted(session)]

    def all(self) -> list[dict[str, Any]]:
        """Return every session that lives, the latest used first, as administrators see it."""
        living = self._of(lambda session: self._over(session) is None)
        return [session.document() for session in sorted(living, key=lambda s: s.used, reverse=True)]

    def own(self, session_id: str) -> list[dict[str, Any]]:
        """Return the sessions of the person whose session this is; `current` marks it."""
        session = self._by_id.get(session_id)
        if session is None:
            return []
        person = _person(session)
        mine = [s for s in self._of(lambda s: _person(s) == person) if self._over(s) is None]
        return [
            {**s.document(), "current": s.id == session_id} for s in sorted(mine, key=lambda s: s.used, reverse=True)
        ]

    def one(self, session_id: str) -> Session | None:
        """Return the session with this id."""
        return self._by_id.get(session_id)

    def left(self, session: Session) -> float:
        """Return for how many seconds a session may live at most, at least one."""
        return max(1.0, session.ends - self._clock.now())

    # --- upkeep ------------------------------------------------------------------------------------------------------
    async def watch(self) -> None:
        """End what is over and renew what is in use, for ever."""
        await upkeep(self.look, "sessions")

    async def look(self) -> None:
        """Do one round of upkeep. Raises Refusal `store-unavailable`, `audit-unavailable`."""
        now = self._clock.now()
        await self._rows.drop()
        for session in list(self._by_id.values()):
            why = self._over(session)
            if why is not None:
                await self._end([session], why, {})
                continue
            left = session.signed_in.token_ends - now
            if left <= SESSION_RENEW_SECONDS and session.signed_in.refresh_token is not None:
                self._renewal(session)
        if now - self._written >= SESSION_WRITE_SECONDS:
            await self.write()

    async def write(self) -> None:
        """Write when each session was used last. Raises Refusal `store-unavailable`."""
        since, self._written = self._written, self._clock.now()
        await self._rows.write_used(s for s in self._by_id.values() if s.used >= since)

    async def reseal(self) -> int:
        """Seal all sessions anew, under the key that seals now; return how many. Raises Refusal `store-unavailable`."""
        return await self._rows.reseal(self._by_id.values())

    def _renewal(self, session: Session) -> "asyncio.Task[None]":
        """Return the renewal of a session that runs; one at a time each."""
        running = self._renewing.get(session.id)
        if running is None:
            running = self._tasks.spawn(self._renewed(session), name="renew a session")
            self._renewing[session.id] = running
            running.add_done_callback(lambda _: self._renewing.pop(session.id, None))
        return running

    async def _renewed(self, session: Session) -> None:
        before = session.signed_in
        try:
            async with self._turns:
                said = await self._renew(before)
        except SignInRefused as refused:
            _log.info("session %s is not renewed: %s", session.id, refused.cause)
            with contextlib.suppress(Refusal):
                await self._end([session], "refused-by-provider", {"cause": refused.cause})
            return
        except ProviderUnavailable as unavailable:
            _log.warning("session %s cannot be renewed now: %s", session.id, unavailable.cause)
            if self._clock.now() >= before.token_ends:
                self._epochs.bump(f"session:{session.id}")  # what runs on it stands on nothing any more
            return
        if self._by_id.get(session.id) is not session or session.signed_in is not before:
            return  # it ended, or its person signed in anew, meanwhile
        if session.become(said):
            self._epochs.bump(f"session:{session.id}")
        async with self._rows.sealing(session):
            pass


async def upkeep(look: Callable[[], Awaitable[None]], what: str) -> NoReturn:
    """Look again and again, for ever, whatever store and record say to it."""
    while True:
        await asyncio.sleep(SESSION_TICK_SECONDS)
        try:
            await look()
        except Refusal as refusal:
            _log.error("upkeep of %s: %s", what, refusal)


def _person(session: Session) -> tuple[str, str]:
    return session.subject.issuer, session.subject.id
