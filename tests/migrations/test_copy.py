"""A copy of a store that is in use: of one moment, in small steps, private, and whole or not there."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from leadglass.migrations import copy as copying
from leadglass.migrations.copy import copy, opened

ROWS = 20_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "store.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, "y" * 100) for n in range(ROWS)))
    return file


def count(file: Path) -> int:
    with closing(opened(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


def test_it_is_of_the_moment_it_began_whatever_is_written_meanwhile(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source)) as writer:
        steps: list[int] = []

        def step(size: int) -> None:
            steps.append(size)
            with writer:  # would wait for a lock that the copy held, and be told "database is locked"
                writer.execute("INSERT INTO t VALUES (?, 'later')", (ROWS + len(steps),))

        target = tmp_path / "copy.db"
        copy(source, target, progress=step)
    assert count(target) == ROWS
    assert count(source) == ROWS + len(steps)
    assert len(steps) > 2, "it is made in steps"
    assert sum(steps) == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_nobody_writes_in_its_moment(source: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(source, timeout=0)) as writer:

        def held() -> None:
            with pytest.raises(sqlite3.OperationalError, match="locked"), writer:
                writer.execute("DELETE FROM t")

        def later(_: int) -> None:
            with writer:
                writer.execute("DELETE FROM t")

        copy(source, tmp_path / "copy.db", held=held, progress=later)
    assert count(tmp_path / "copy.db") == ROWS


def test_it_waits_for_the_transaction_that_is_under_way(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "STORE_BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")  # what it does may be written down already
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            copy(source, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_one_that_breaks_off_is_not_there(source: Path, tmp_path: Path) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        copy(source, tmp_path / "copy.db", progress=full)
    assert not (tmp_path / "copy.db").exists()


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        copy(tmp_path / "none.db", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []
