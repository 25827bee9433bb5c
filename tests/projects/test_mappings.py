"""Mappings: on disk before the reply leaves, written once, read seldom, and no store that fails is passed over."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from leadglass.deid.pseudonyms import UID, Made
from leadglass.model.errors import Refusal
from leadglass.projects import mappings as module
from leadglass.projects.mappings import Key, Mapping, Mappings
from leadglass.store import Store
from support.device import ADMIN
from support.projects import Desk

FOREIGN = "2.25.117570278973537996769800693687333333133"  # of the form, and of nobody here


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path) as desk:
        await desk.made()
        yield desk


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the store was asked for, one entry a transaction."""
    seen: list[str] = []
    whole = Store.transaction

    @asynccontextmanager
    async def counted(self: Store) -> AsyncIterator[AsyncConnection]:
        seen.append("transaction")
        async with whole(self) as connection:
            yield connection

    monkeypatch.setattr(Store, "transaction", counted)
    return seen


def made(desk: Desk, first: int, count: int) -> list[Made]:
    pseudonyms = desk.pseudonyms(desk.projects.get("lung"))
    for number in range(first, first + count):
        pseudonyms.uid(f"1.2.{number}")
    return pseudonyms.take()


def stored(desk: Desk) -> int:
    with contextlib.closing(sqlite3.connect(desk.folder / "leadglass.db")) as other:
        return int(other.execute("SELECT count(*) FROM project_pseudonyms").fetchone()[0])


async def test_it_is_on_disk_when_keeping_returns(desk: Desk) -> None:
    await desk.projects.keep(desk.projects.get("lung"), made(desk, 1, 1_200))  # more than are written at once
    assert stored(desk) == 1_200


async def test_what_is_known_costs_nothing(desk: Desk, transactions: list[str]) -> None:
    project = desk.projects.get("lung")
    await desk.projects.keep(project, made(desk, 1, 50))
    assert len(transactions) == 1
    await desk.projects.keep(project, made(desk, 1, 50))
    await desk.projects.keep(project, [])
    assert len(transactions) == 1
    await desk.projects.keep(project, made(desk, 1, 51))
    assert (len(transactions), stored(desk)) == (2, 51)


async def test_what_was_written_before_a_restart_is_written_over_with_nothing(desk: Desk) -> None:
    await desk.projects.keep(desk.projects.get("lung"), made(desk, 1, 5))
    await desk.again()
    await desk.projects.keep(desk.projects.get("lung"), made(desk, 1, 6))
    assert stored(desk) == 6


async def test_replies_that_wait_are_written_together(desk: Desk, transactions: list[str]) -> None:
    project = desk.projects.get("lung")
    await asyncio.gather(*(desk.projects.keep(project, made(desk, number, 3)) for number in range(0, 300, 3)))
    assert stored(desk) == 300
    assert len(transactions) <= 2


async def test_one_that_breaks_off_leaves_the_rest_to_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    project, write, begun = desk.projects.get("lung"), Mappings._write, asyncio.Event()
    calls: list[int] = []

    async def stuck(self: Mappings, new: dict[Key, Mapping]) -> None:
        calls.append(len(new))
        if len(calls) == 2:
            begun.set()
            await asyncio.Event().wait()
        await write(self, new)

    monkeypatch.setattr(Mappings, "_write", stuck)
    keeps = [asyncio.ensure_future(desk.projects.keep(project, made(desk, number, 3))) for number in (1, 4, 7)]
    await begun.wait()
    keeps[1].cancel()
    done = await asyncio.gather(*keeps, return_exceptions=True)
    assert [type(one) for one in done] == [type(None), asyncio.CancelledError, type(None)]
    assert calls == [3, 6, 6], "the second writes for the third, and the third for both"
    assert stored(desk) == 9


async def test_a_store_that_cannot_be_written_keeps_the_reply(desk: Desk) -> None:
    project = desk.projects.get("lung")
    with contextlib.closing(sqlite3.connect(desk.folder / "leadglass.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):  # nothing is remembered that was not written
            with pytest.raises(Refusal, match="store-unavailable"):
                await desk.projects.keep(project, made(desk, 1, 3))
        other.execute("ROLLBACK")
    await desk.projects.keep(project, made(desk, 1, 3))
    assert stored(desk) == 3


async def test_ordinary_uids_cost_nothing(desk: Desk, transactions: list[str]) -> None:
    for uid in ("1.2.3", "1.2.840.10008.1.1", "2.25.12345", "2.25.329800735698586629295641978511506172918"):
        assert await desk.projects.original(uid) is None
    assert transactions == []


async def test_a_uid_that_only_looks_like_one_is_asked_once(
    desk: Desk, transactions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PSEUDONYMS_UNKNOWN", 2)
    for _ in range(3):
        assert await desk.projects.original(FOREIGN) is None
    assert len(transactions) == 1
    for one in made(desk, 1, 2):
        assert await desk.projects.original(one.pseudonym) is None
    assert len(transactions) == 3
    await desk.projects.original(FOREIGN)
    assert len(transactions) == 4, "what is remembered of these is bounded"


async def test_one_that_comes_to_be_is_found_though_it_was_asked_before(desk: Desk) -> None:
    project, (one,) = desk.projects.get("lung"), made(desk, 1, 1)
    assert await desk.projects.original(one.pseudonym) is None
    await desk.projects.keep(project, [one])
    assert await desk.projects.original(one.pseudonym) == (project, "1.2.1")


async def test_what_is_remembered_is_bounded(
    desk: Desk, transactions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PSEUDONYMS_REMEMBERED", 10)
    project, (first, *rest) = desk.projects.get("lung"), made(desk, 1, 30)
    await desk.projects.keep(project, [first, *rest])
    assert await desk.projects.original(first.pseudonym) == (project, "1.2.1")
    assert len(transactions) == 2, "it was looked for in the store"
    assert await desk.projects.original(first.pseudonym) == (project, "1.2.1")
    assert len(transactions) == 2


@pytest.mark.parametrize(
    "change",
    [
        (
            "UPDATE project_pseudonyms SET sealed ="
            " (SELECT sealed FROM project_pseudonyms WHERE pseudonym = '{other}') WHERE pseudonym = '{one}'"
        ),
        "UPDATE project_pseudonyms SET sealed = x'00' WHERE pseudonym = '{one}'",
        "UPDATE project_pseudonyms SET kind = 'patient-id' WHERE pseudonym = '{one}'",
        "UPDATE project_pseudonyms SET project = 'heart' WHERE pseudonym = '{one}'",
    ],
)
async def test_who_writes_to_the_store_without_the_key_makes_nothing_open(desk: Desk, change: str) -> None:
    one, other = made(desk, 1, 2)
    await desk.made("heart")
    await desk.projects.keep(desk.projects.get("lung"), [one, other])
    await desk.again()
    with contextlib.closing(sqlite3.connect(desk.folder / "leadglass.db")) as hand, hand:
        assert hand.execute(change.format(one=one.pseudonym, other=other.pseudonym)).rowcount == 1
    assert await desk.projects.original(one.pseudonym) is None
    assert await desk.projects.reidentify("lung", one.pseudonym) == []
    assert await desk.projects.original(other.pseudonym) is not None


async def test_a_project_destroyed_meanwhile_spoils_nothing_of_others(desk: Desk) -> None:
    heart = await desk.made("heart")
    lung, mine = desk.projects.get("lung"), made(desk, 1, 1)
    pseudonyms = desk.pseudonyms(heart)
    pseudonyms.uid("1.2.9")
    destroyed, kept, others = await asyncio.gather(
        desk.projects.destroy("lung", ADMIN),
        desk.projects.keep(lung, mine),
        desk.projects.keep(heart, theirs := pseudonyms.take()),
        return_exceptions=True,
    )
    assert not isinstance(destroyed, BaseException)
    assert isinstance(kept, Refusal)
    assert others is None
    assert stored(desk) == 1
    assert await desk.projects.original(theirs[0].pseudonym) == (heart, "1.2.9")


async def test_a_kind_is_not_taken_for_another(desk: Desk) -> None:
    project = desk.projects.get("lung")
    (one,) = made(desk, 1, 1)
    await desk.projects.keep(project, [one])
    assert await desk.projects.original_identifier(project, UID, one.pseudonym) == "1.2.1"
    assert await desk.projects.original_identifier(project, "accession-number", one.pseudonym) is None
