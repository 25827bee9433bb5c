"""Rows of sessions: what is over goes, and what another key sealed is not taken up (the rest is test_sessions.py)."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from leadglass.hazmat.aead import Box
from leadglass.hazmat.mac import new_key
from leadglass.model.facts import Subject
from leadglass.model.login import SignedIn
from leadglass.sessions.rows import Rows
from leadglass.sessions.session import Glass, Session
from leadglass.store import Store


def session(name: str, ends: float) -> Session:
    subject = Subject("person", f"dr.{name}", "https://idp.example.org", b"", ends)
    made = Session(name, name.encode() * 32, SignedIn(subject, ends, "refresh"), "192.0.2.1", 1.0, 1.0, ends, 1.0, ends)
    made.glass = Glass("a reason", ends)
    made.become(made.signed_in)
    return made


def whole(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_what_lives_is_read_back_and_nothing_stands_in_the_clear(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    async with await Store.open(file) as store:
        rows = Rows(store, Box(new_key()))
        for made in (session("a", 100.0), session("b", 10.0)):
            async with rows.putting(made):
                pass
        (found,) = await rows.read(10.0, 0.0)
        assert (found.id, found.subject.id, found.glass) == ("a", "dr.a", Glass("a reason", 100.0))
        assert list(await Rows(store, Box(new_key())).read(10.0, 0.0)) == []
    stored = whole(tmp_path)
    for secret in (b"dr.a", b"a reason", b"refresh"):
        assert secret not in stored


async def test_a_block_that_fails_writes_nothing(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "store.db") as store:
        rows, made = Rows(store, Box(new_key())), session("a", 100.0)
        with pytest.raises(ValueError, match="no"):
            async with rows.putting(made):
                raise ValueError("no")
        assert list(await rows.read(0.0, 0.0)) == []
        async with rows.putting(made):
            pass
        made.glass = None
        with pytest.raises(ValueError, match="no"):
            async with rows.sealing(made):
                raise ValueError("no")
        (found,) = await rows.read(0.0, 0.0)
        assert found.glass is not None
        await rows.drop(["a"])
        assert list(await rows.read(0.0, 0.0)) == []


async def test_when_it_was_used(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "store.db") as store:
        rows, made = Rows(store, Box(new_key())), session("a", 100.0)
        async with rows.putting(made):
            pass
        made.used = 42.0
        await rows.write_used([made])
        await rows.write_used([])
        assert [found.used for found in await rows.read(50.0, 0.0)] == [42.0]


async def altered(folder: Path, sql: str, now: float) -> dict[str, float]:
    """Return what is read, and when it ends, once somebody else wrote to the store."""
    async with await Store.open(folder / "store.db") as store:
        rows = Rows(store, Box(new_key()))
        for name in ("one", "two"):
            async with rows.putting(session(name, 60.0)):
                pass
        with sqlite3.connect(folder / "store.db") as other:
            other.execute(sql)
        return {found.id: found.ends for found in await rows.read(now, 0.0)}


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("UPDATE sessions SET key = x'00' WHERE id = 'one'", {"two": 60.0}),  # a cookie of the thief's
        ("UPDATE sessions SET ends = ends + 9999", {"one": 60.0, "two": 60.0}),
        ("UPDATE sessions SET sealed = (SELECT sealed FROM sessions WHERE id = 'two')", {"two": 60.0}),
        ("UPDATE sessions SET id = 'other' WHERE id = 'one'", {"two": 60.0}),
        ("UPDATE sessions SET sealed = x'00'", {}),
    ],
)
async def test_a_row_that_was_written_by_others_is_not_taken_up_or_says_the_same(
    tmp_path: Path, sql: str, left: dict[str, float]
) -> None:
    assert await altered(tmp_path, sql, 10.0) == left


async def test_what_is_over_is_not_taken_up_whatever_the_row_says(tmp_path: Path) -> None:
    assert await altered(tmp_path, "UPDATE sessions SET ends = ends + 9999", 60.0) == {}


async def test_all_are_sealed_anew_under_the_key_that_seals_now(tmp_path: Path) -> None:
    keys = new_key(), new_key()
    async with await Store.open(tmp_path / "store.db") as store:
        made = session("a", 100.0)
        async with Rows(store, Box(keys[1])).putting(made):
            pass
        assert await Rows(store, Box(*keys)).reseal([made]) == 1
        assert [found.id for found in await Rows(store, Box(keys[0])).read(0.0, 0.0)] == ["a"]
        assert list(await Rows(store, Box(keys[1])).read(0.0, 0.0)) == []
        assert await Rows(store, Box(keys[0])).reseal([]) == 0


async def test_what_changes_before_their_turn_is_sealed_as_it_is_then(tmp_path: Path) -> None:
    keys = new_key(), new_key()
    async with await Store.open(tmp_path / "store.db") as store:
        made = session("a", 100.0)
        async with Rows(store, Box(keys[1])).putting(made):
            pass
        async with store.transaction():
            waiting = asyncio.ensure_future(Rows(store, Box(*keys)).reseal([made]))
            await asyncio.sleep(0)
            made.glass = Glass("why", 90.0)
        await waiting
        (found,) = await Rows(store, Box(keys[0])).read(0.0, 0.0)
        assert found.glass == Glass("why", 90.0)


async def test_a_session_that_another_took_the_place_of_is_not_sealed_over_it(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "store.db") as store:
        rows, before, now = Rows(store, Box(new_key())), session("a", 100.0), session("a", 100.0)
        now.key = b"of another cookie"
        async with rows.putting(now):
            pass
        await rows.reseal([before])
        assert [found.key for found in await rows.read(0.0, 0.0)] == [now.key]
