"""Bringing a store to the schema of this release, under a lock that its caller holds.

A copy of a store that holds anything is made first. Each step is one transaction with its mark in it (SQLite's DDL is
transactional once nobody commits behind our back), so what a crash leaves is the store before or after a step, and the
next start goes on from there.
"""

import logging
import sqlite3
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from leadglass.hazmat.files import sync_folder
from leadglass.limits import STORE_BUSY_SECONDS
from leadglass.migrations.copy import copy
from leadglass.migrations.schema import HEAD, STEPS, copy_of, pending
from leadglass.model.errors import ConfigurationError

_log = logging.getLogger("leadglass.store")


def migrate(file: Path, *, busy_seconds: float = STORE_BUSY_SECONDS) -> tuple[str, ...]:
    """Take the steps that the store in `file` lacks and return them. Raises ConfigurationError, with it as it was."""
    found = pending(file)
    if not found.steps:
        return ()
    if found.schema is not None:
        kept = copy_of(file, found.schema)
        draft = kept.with_name(f".{kept.name}")
        try:
            copy(file, draft)
            draft.replace(kept)
            sync_folder(kept.parent)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"the store {file} is not migrated, since no copy of it can be made first: {error}",
                hint=f"make room for {kept}",
            ) from None
        _log.warning("the store goes from schema %s to %s; as it was, it is kept in %s", found.schema, HEAD, kept)
    try:
        upgrade(file, HEAD, busy_seconds)
    except DBAPIError as error:
        raise ConfigurationError(
            f"cannot migrate the store {file}: {error.orig}", hint="is another leadglass running on it?"
        ) from None
    for step in found.steps:
        _log.info("schema %s: %s", step, STEPS[step])
    return found.steps


def upgrade(file: Path, step: str, busy_seconds: float = STORE_BUSY_SECONDS) -> None:
    """Take the steps up to `step`, without a copy. Raises DBAPIError."""
    engine = create_engine(
        f"sqlite:///{file}", poolclass=NullPool, connect_args={"timeout": busy_seconds}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def connect(dbapi: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy hands in the driver's own
        dbapi.isolation_level = None  # or Python's sqlite3 commits before DDL
        dbapi.execute("PRAGMA synchronous=FULL")
        dbapi.execute("PRAGMA foreign_keys=OFF")  # a table that is rebuilt is dropped for a moment

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:  # noqa: ANN401 - likewise
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, step)
    finally:
        engine.dispose()
