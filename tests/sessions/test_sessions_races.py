"""What comes at the same moment: two sign-ins, an end and a sign-in, a renewal and a step-up, an end and a busy store."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leadglass.epochs import Epochs
from leadglass.hazmat.aead import Box
from leadglass.hazmat.mac import new_key
from leadglass.model.errors import Refusal
from leadglass.sessions.rows import Rows
from leadglass.sessions.session import Session
from leadglass.store import Store
from leadglass.tasks import Tasks
from support.clock import FakeClock
from support.device import Events
from support.sessions import Place, named


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    tasks = Tasks()
    file = tmp_path / "leadglass.db"
    async with await Store.open(file, busy_seconds=0.5) as store:
        yield Place(file, store, Box(new_key()), FakeClock(), Epochs(), Events(), tasks)
        await tasks.close()


async def test_two_sign_ins_of_one_browser_at_once_leave_one_session_that_a_restart_keeps(place: Place) -> None:
    sessions = await place.open()
    _, session = await sessions.begin(place.signed_in(), "192.0.2.1", None)
    both = await asyncio.gather(
        *(sessions.begin(place.signed_in(acr=acr), "192.0.2.1", session.id) for acr in ("one", "two"))
    )
    assert [sessions.known(cookie) for cookie, _ in both] == [None, session.id]
    again = await place.open()
    assert again.known(both[1][0]) == session.id


async def test_a_sign_in_that_was_ended_by_back_channel_while_the_issuer_was_asked_comes_to_nothing(
    place: Place,
) -> None:
    sessions = await place.open()
    asked = place.clock.monotonic()
    place.clock.advance(1)
    told = place.clock.now()
    await sessions.end_named(named("sid", "s1"), told, "back-channel")
    await sessions.end_named(named("sid", "s2", "https://other.example"), told, "back-channel")
    with pytest.raises(Refusal, match="user-unauthenticated"):
        await sessions.begin(place.signed_in(sid="s1", issued=told), "192.0.2.1", None, asked=asked)
    assert len(sessions) == len(await place.open()) == 0
    await sessions.begin(place.signed_in(sid="s2", issued=told), "192.0.2.1", None, asked=asked)
    await sessions.begin(place.signed_in(sid="s1", issued=told + 1), "192.0.2.1", None, asked=asked)
    await sessions.begin(place.signed_in(sid="s1", issued=told), "192.0.2.1", None, asked=place.clock.monotonic() + 1)
    assert len(sessions) == 3


async def test_all_that_an_issuer_ends_ends_though_the_store_is_busy_and_none_comes_back(place: Place) -> None:
    sessions = await place.open()
    cookies = [(await sessions.begin(place.signed_in(), "192.0.2.1", None))[0] for _ in range(3)]
    with sqlite3.connect(place.file) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refusal, match="store-unavailable"):
            await sessions.end_named(named("sub", "sub-dr.demo"), place.clock.now(), "back-channel")
        other.rollback()
    assert [sessions.known(cookie) for cookie in cookies] == [None] * 3
    assert [kind for kind, _ in place.events.lines].count("session-ended") == 3
    assert len(await place.open()) == 3
    await sessions.look()
    assert len(await place.open()) == 0


async def test_a_renewal_that_is_overtaken_by_a_step_up_writes_nothing_over_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the store keeps is what the step-up said, or a restart would bring back what it took away."""
    sessions = await place.open()
    cookie, session = await sessions.begin(place.signed_in(roles=("old",)), "192.0.2.1", None)
    fresh = ""

    class Overtaken(Rows):
        @asynccontextmanager
        async def sealing(self, of: Session) -> AsyncIterator[None]:
            nonlocal fresh
            fresh, _ = await sessions.begin(place.signed_in(roles=("new",)), "192.0.2.1", session.id)
            async with super().sealing(of):
                yield

    monkeypatch.setattr(sessions, "_rows", Overtaken(place.store, place.box))
    place.clock.advance(301)
    place.answer = place.signed_in(roles=("old",))
    await asyncio.wait([sessions._renewal(session)])
    assert sessions.known(cookie) is None
    again = await place.open()
    subject = again.cached(fresh)
    assert subject is not None
    assert subject.roles == ("new",)
