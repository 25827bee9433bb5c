"""Migrations: from the first release's own store, with a copy kept, and whole whenever the process is killed."""

import stat
from pathlib import Path

import pytest

from leadglass.migrations import run
from leadglass.migrations.run import migrate
from leadglass.migrations.schema import HEAD, STEPS, pending
from leadglass.model.errors import ConfigurationError
from support import killed
from support.stores import BEFORE, FIRST, put_before, put_first, rows


def kept(file: Path, vector: Path = FIRST) -> dict[str, object]:
    """Return what a store holds in the tables that an earlier release had; those that came since are empty."""
    found, first = rows(file), rows(vector)
    assert not any(held for table, held in found.items() if table not in first)
    return {table: found[table] for table in first}


def test_a_store_of_the_first_release_keeps_all_its_rows(tmp_path: Path) -> None:
    put_first(tmp_path)
    file = tmp_path / "leadglass.db"
    before = rows(file)
    assert all(before.values()), "the vector has a row in each table"
    assert migrate(file) == tuple(step for step in STEPS if step != "1")
    assert kept(file) == before
    assert pending(file).schema == HEAD
    assert migrate(file) == ()


def test_a_store_of_the_release_before_projects_keeps_all_its_rows(tmp_path: Path) -> None:
    put_before(tmp_path)
    file = tmp_path / "leadglass.db"
    before = rows(file)
    assert all(before.values()), "the vector has a row in each table"
    assert migrate(file) == ("4",)
    assert kept(file, BEFORE) == before
    assert rows(tmp_path / "leadglass.db.schema-3") == before


def test_a_copy_is_kept_of_what_it_was(tmp_path: Path) -> None:
    put_first(tmp_path)
    migrate(tmp_path / "leadglass.db")
    kept = tmp_path / "leadglass.db.schema-1"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert rows(kept) == rows(FIRST)
    assert pending(kept).schema == "1"


def test_an_empty_store_is_made_without_a_copy(tmp_path: Path) -> None:
    file = tmp_path / "leadglass.db"
    file.touch()
    assert migrate(file) == tuple(STEPS)
    assert [path.name for path in tmp_path.iterdir()] == ["leadglass.db"]


def test_no_copy_no_migration(tmp_path: Path) -> None:
    put_first(tmp_path)
    (tmp_path / "leadglass.db.schema-1").mkdir()
    with pytest.raises(ConfigurationError, match="no copy of it can be made"):
        migrate(tmp_path / "leadglass.db")
    assert pending(tmp_path / "leadglass.db").schema == "1"


@pytest.mark.parametrize(
    ("start", "schemas"), [("put_first", set(STEPS)), ("put_before", {"3", "4"}), ("nothing", {None, *STEPS})]
)
def test_killed_at_any_step_the_next_start_finishes(tmp_path: Path, start: str, schemas: set[str | None]) -> None:
    left = killed.folders(tmp_path, f"support.stores:{start}", "support.stores:bring_up")
    seen = {pending(folder / "leadglass.db").schema for folder in left}
    assert seen == schemas, "it was killed before, between and after the steps"
    assert len(left) > 20
    for folder in left:
        file = folder / "leadglass.db"
        migrate(file)
        assert pending(file).schema == HEAD
        vector, schema = {"put_first": (FIRST, "1"), "put_before": (BEFORE, "3")}.get(start, (None, ""))
        if vector is not None:
            assert kept(file, vector) == rows(vector)
            assert rows(folder / f"leadglass.db.schema-{schema}") == rows(vector)


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_first(tmp_path)
    file = tmp_path / "leadglass.db"
    from leadglass.migrations.copy import opened

    with opened(file) as connection:  # the index that the step makes is there already
        connection.execute("CREATE INDEX ix_signals_seen_until ON signals_seen (jti)")
    with pytest.raises(ConfigurationError, match="already exists"):
        run.migrate(file)
    assert pending(file).schema == "1"
