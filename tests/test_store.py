"""The store: private, versioned, one transaction at a time, and clear words when it cannot be used."""

import asyncio
import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from leadglass.migrations.schema import HEAD
from leadglass.model.errors import ConfigurationError, Refusal
from leadglass.store import Store, locked
from support.stores import put_first


async def run(store: Store, *statements: str, fault: Exception | None = None) -> None:
    """Run statements in one transaction that ends with `fault`."""
    async with store.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))
        if fault:
            raise fault


async def test_file_and_folder_are_for_the_gateway_alone(tmp_path: Path) -> None:
    file = tmp_path / "var" / "leadglass.db"
    async with await Store.open(file) as store:
        assert await store.usable()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [file.parent, *file.parent.iterdir()]}
    assert modes.pop("var") == 0o700
    assert set(modes.values()) == {0o600}


async def test_a_readable_file_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    file.touch(mode=0o644)
    async with await Store.open(file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_what_is_committed_is_there_after_reopening(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    async with await Store.open(file) as store, store.transaction() as connection:
        await connection.execute(text("CREATE TABLE t (x INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO t VALUES (7)"))
    async with await Store.open(file) as store, store.transaction() as connection:
        assert (await connection.execute(text("SELECT x FROM t"))).scalars().all() == [7]


async def test_a_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "leadglass.db") as store:
        await run(store, "CREATE TABLE t (x INTEGER PRIMARY KEY)")
        with pytest.raises(LookupError):
            await run(store, "INSERT INTO t VALUES (7)", fault=LookupError())
        async with store.transaction() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar() == 0


async def test_constraint_faults_are_the_callers(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "leadglass.db") as store:
        await run(store, "CREATE TABLE t (x TEXT PRIMARY KEY)", "INSERT INTO t VALUES ('a')")
        with pytest.raises(IntegrityError):
            await run(store, "INSERT INTO t VALUES ('a')")


async def test_errors_do_not_carry_what_was_stored(tmp_path: Path) -> None:
    async def twice(store: Store) -> None:
        async with store.transaction() as connection:
            for _ in range(2):
                await connection.execute(text("INSERT INTO t VALUES (:x)"), {"x": "secret"})

    async with await Store.open(tmp_path / "leadglass.db") as store:
        await run(store, "CREATE TABLE t (x TEXT PRIMARY KEY)")
        with pytest.raises(IntegrityError) as caught:
            await twice(store)
        assert "secret" not in str(caught.value)


async def test_transactions_take_turns(tmp_path: Path) -> None:
    async with await Store.open(tmp_path / "leadglass.db") as store:
        await run(store, "CREATE TABLE t (x INTEGER)", "INSERT INTO t VALUES (0)")

        async def increment() -> None:
            async with store.transaction() as connection:
                value = (await connection.execute(text("SELECT x FROM t"))).scalar_one()
                await asyncio.sleep(0)
                await connection.execute(text("UPDATE t SET x = :x"), {"x": value + 1})

        await asyncio.gather(*(increment() for _ in range(20)))
        async with store.transaction() as connection:
            assert (await connection.execute(text("SELECT x FROM t"))).scalar() == 20


async def test_a_lock_held_elsewhere_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    async with await Store.open(file, busy_seconds=0.05) as store:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(Refusal, match="store-unavailable") as caught:
                async with store.transaction():
                    pass
            assert caught.value.detail == "database is locked"
            assert not await store.usable()
        finally:
            other.close()
        assert await store.usable()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError, match="database is locked") as refused:
            await Store.open(file, busy_seconds=0.05)
        assert "another leadglass" in refused.value.hint


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    async with await Store.open(file) as store, store.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = version_num + 1"))
    with pytest.raises(ConfigurationError, match=f"this version reads up to {HEAD}"):
        await Store.open(file)


async def test_a_store_of_the_first_release_is_migrated(tmp_path: Path) -> None:
    put_first(tmp_path)
    file = tmp_path / "leadglass.db"
    async with await Store.open(file) as store, store.transaction() as connection:
        assert (await connection.execute(text("SELECT value FROM revocations"))).scalars().all() == ["dr.gone"]
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar() == HEAD


async def test_nobody_opens_a_store_that_another_has_open(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    async with await Store.open(file):
        with pytest.raises(ConfigurationError, match="another process has the store"):
            await Store.open(file)
    held = locked(file)
    with pytest.raises(ConfigurationError, match="another process has the store"):
        await Store.open(file)
    os.close(held)
    async with await Store.open(file) as store:
        assert await store.usable()


@pytest.mark.parametrize("kind", ["folder", "garbage", "unreachable"])
async def test_what_is_no_store_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "leadglass.db"
    if kind == "folder":
        file.mkdir()
    elif kind == "garbage":
        file.write_bytes(b"not a database, but long enough to be looked at" * 100)
    else:
        (tmp_path / "leadglass.db").write_bytes(b"")
        file = file / "below-a-file.db"
    with pytest.raises(ConfigurationError):
        await Store.open(file)
