"""The store: what must survive a restart and is no record. SQLAlchemy 2 over sqlite, one file, one metadata.

Each package declares its tables on `metadata` in its own `tables.py`. Transactions of this process take turns; each is
BEGIN IMMEDIATE, so that it has the write lock from its first statement or says at once that it cannot.

Who has a store open, migrates or restores one holds the lock beside it (`.lock`): a second gateway on it would not see
what the first one revokes, since what each request asks is kept in memory.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Column, Integer, MetaData, Table, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from leadglass import locks
from leadglass.limits import STORE_BUSY_SECONDS
from leadglass.migrations.schema import pending
from leadglass.model.errors import ConfigurationError, Refusal, refuse
from leadglass.model.reasons import Code

metadata = MetaData()

Table("leadglass_schema", metadata, Column("version", Integer, nullable=False))  # for the first release alone


class Store:
    """An open store. Made by `Store.open`; an async context manager that closes it."""

    def __init__(self, engine: AsyncEngine, lock: int) -> None:
        self._engine, self._lock = engine, lock

    @classmethod
    async def open(cls, file: Path, *, busy_seconds: float = STORE_BUSY_SECONDS) -> Self:
        """Open the store in `file` (0600), making file, folder (0700) and tables when they are not there.

        A store of an earlier release is migrated first. `busy_seconds` is how long to wait for another process's lock.
        Raises ConfigurationError when it cannot be opened, is locked, is no store, or was written by a newer version.
        """
        _make_private(file)
        lock = locked(file)
        try:
            if pending(file).steps:
                await asyncio.to_thread(_migrate, file, busy_seconds)
        except BaseException:
            os.close(lock)
            raise
        store = cls(_engine(file, busy_seconds), lock)
        try:
            async with store.transaction():
                pass
        except Refusal as refusal:
            await store.close()
            raise ConfigurationError(
                f"cannot use the store {file}: {refusal.detail}",
                hint="is another leadglass running on it, or is it not a leadglass store?",
            ) from None
        except BaseException:
            await store.close()
            raise
        return store

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run a block in one transaction: committed at its end, rolled back when anything is raised.

        Raises Refusal `store-unavailable` when the store is locked, full or broken; IntegrityError passes. Do not nest.
        """
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise refuse(Code.STORE_UNAVAILABLE, str(error.orig)) from None
        except PoolTimeout:
            raise refuse(Code.STORE_UNAVAILABLE, "the transaction before does not end") from None

    async def usable(self) -> bool:
        """Return whether the store can be written now."""
        try:
            async with self.transaction():
                return True
        except Refusal:
            return False

    async def close(self) -> None:
        """Close it. The file is whole afterwards, without a write-ahead log beside it."""
        await self._engine.dispose()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def locked(file: Path) -> int:
    """Take the lock of the store in `file` and return its descriptor; closing that lets go. Raises ConfigurationError."""
    return locks.take(
        file.with_name(f"{file.name}.lock"),
        f"another process has the store {file} open",
        "one gateway, one store: stop the other leadglass, or wait until it has migrated or restored it",
    )


def _migrate(file: Path, busy_seconds: float) -> None:
    from leadglass.migrations.run import migrate  # Alembic is needed at few starts

    migrate(file, busy_seconds=busy_seconds)


def _make_private(file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        file.chmod(0o600)
    except OSError as error:
        raise ConfigurationError(
            f"cannot open the store {file}: {error.strerror}", hint="`store:` names a file the gateway may write"
        ) from None


def _engine(file: Path, busy_seconds: float) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        pool_size=1,  # transactions take turns; sqlite has one writer anyway
        max_overflow=0,
        pool_timeout=busy_seconds + 1.0,
        connect_args={"timeout": busy_seconds},
        hide_parameters=True,  # errors must not carry what was stored
    )

    @event.listens_for(engine.sync_engine, "connect")
    def connect(dbapi: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy hands in its own adapter
        dbapi.isolation_level = None  # or Python's sqlite3 begins transactions behind our back
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a revocation must survive a power cut
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:  # noqa: ANN401 - likewise
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
