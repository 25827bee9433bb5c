"""What a start would do to a store is known beforehand, and what is no store of ours is refused in words."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from leadglass.migrations.run import migrate
from leadglass.migrations.schema import HEAD, STEPS, Pending, pending
from leadglass.model.errors import ConfigurationError
from support.stores import FIRST


def made(file: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return file


def test_what_is_to_come_is_known(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    assert pending(file) == Pending(None, tuple(STEPS))
    assert not file.exists(), "looking makes nothing"
    file.touch()
    assert pending(file) == Pending(None, tuple(STEPS))
    assert pending(FIRST) == Pending("1", tuple(STEPS)[1:])
    migrate(file)
    assert pending(file) == Pending(HEAD, ())


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('99')"],
         f"has schema 99, this version reads up to {HEAD}"),
        (["CREATE TABLE leadglass_schema (version INTEGER)", "INSERT INTO leadglass_schema VALUES (7)"],
         "has schema 7"),
        (["CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('1'), ('2')"],
         "has schema 1, 2"),
        (["CREATE TABLE recipes (name TEXT)"], "a database of something else"),
    ],
)  # fmt: skip
def test_what_is_not_ours_to_read_is_refused(tmp_path: Path, statements: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        pending(made(tmp_path / "leadglass.db", *statements))
    assert refused.value.hint


def test_a_mark_that_was_never_set_counts_as_none(tmp_path: Path) -> None:
    file = made(tmp_path / "leadglass.db", "CREATE TABLE alembic_version (version_num TEXT)")
    assert pending(file).schema is None


def test_the_first_release_refuses_a_migrated_store(tmp_path: Path) -> None:
    """It looked at one number alone, and took 1."""
    file = tmp_path / "leadglass.db"
    migrate(file)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version FROM leadglass_schema").fetchall() == [(2,)]


def test_garbage_is_no_store(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    file.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(ConfigurationError, match="cannot read the store"):
        pending(file)
