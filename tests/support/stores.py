"""Stores of earlier releases, as these wrote them (tests/vectors/store), and what is in a store."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

from leadglass.migrations import run

VECTORS = Path(__file__).parents[1] / "vectors/store"
FIRST = VECTORS / "schema-1.db"
BEFORE = VECTORS / "schema-3.db"  # the last one without projects
MARKS = {"alembic_version", "leadglass_schema"}


def put_first(folder: Path) -> None:
    """Put a store of the first release into a folder."""
    shutil.copyfile(FIRST, folder / "leadglass.db")
    (folder / "leadglass.db").chmod(0o600)


def put_before(folder: Path) -> None:
    """Put a store without projects into a folder."""
    shutil.copyfile(BEFORE, folder / "leadglass.db")
    (folder / "leadglass.db").chmod(0o600)


def nothing(_folder: Path) -> None:
    """Leave a folder empty."""


def bring_up(folder: Path) -> None:
    """Migrate the store in a folder."""
    run.migrate(folder / "leadglass.db")


def rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables but the marks of the schema."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall())  # noqa: S608 - names of our own tables
            for name in names
            if name not in MARKS
        }


def statements_after(file: Path, step: str) -> list[str]:
    """Return the statements that a new store is made of once `step` was taken."""
    run.upgrade(file, step)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        return [" ".join(str(sql).split()) for (sql,) in found]
