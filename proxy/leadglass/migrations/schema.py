"""Which schema a store has, and what is between it and this release. Knows nothing of Alembic, so a start stays quick."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadglass.migrations.copy import opened
from leadglass.model.errors import ConfigurationError

STEPS: Final = {
    "1": "devices, certificates, codes, sessions, revocations, security events",
    "2": "an index of when security events are forgotten",
    "3": "when the gateway first observed",
    "4": "projects, their keys and pseudonyms",
}
HEAD: Final = max(STEPS, key=int)
_VERSION_TABLE: Final = "alembic_version"
_FIRST_TABLE: Final = "leadglass_schema"  # what the first release wrote its one version into


@dataclass(frozen=True, slots=True)
class Pending:
    """What a start would do to a store: the schema it has (None: it is empty), and the steps to come."""

    schema: str | None
    steps: tuple[str, ...]


def schema_of(connection: sqlite3.Connection, file: Path) -> str | None:
    """Return the schema of an open store, None for an empty one. Raises ConfigurationError for what is none of ours."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    versions: list[str] = []
    if _VERSION_TABLE in tables:  # empty when a migration was interrupted before its first step
        versions = [str(row[0]) for row in connection.execute(f"SELECT version_num FROM {_VERSION_TABLE}")]  # noqa: S608 - a constant
    if not versions and _FIRST_TABLE in tables:
        versions = [str(row[0]) for row in connection.execute(f"SELECT version FROM {_FIRST_TABLE}")]  # noqa: S608 - a constant
    if not versions and not tables - {_VERSION_TABLE}:
        return None
    if not versions:
        raise ConfigurationError(
            f"{file} is a database of something else", hint="`store:` names a file of leadglass's own"
        )
    if versions[1:] or versions[0] not in STEPS:
        raise ConfigurationError(
            f"the store {file} has schema {', '.join(versions)}, this version reads up to {HEAD}",
            hint="run the version of leadglass that wrote it, or a newer one; or restore a backup of this version",
        )
    return versions[0]


def pending(file: Path) -> Pending:
    """Return what a start would do to the store in `file`. Raises ConfigurationError when it is none."""
    if not file.exists() or file.stat().st_size == 0:
        return Pending(None, tuple(STEPS))
    try:
        with contextlib.closing(opened(file)) as connection:
            schema = schema_of(connection, file)
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"cannot read the store {file}: {error}", hint="is it a leadglass store, and is it yours to read?"
        ) from None
    return Pending(schema, tuple(step for step in STEPS if schema is None or int(step) > int(schema)))


def copy_of(file: Path, schema: str) -> Path:
    """Return where the copy goes that is made before a store of `schema` is migrated."""
    return file.with_name(f"{file.name}.schema-{schema}")
