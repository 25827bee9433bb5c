"""A consistent copy of a store that is in use: SQLite's online backup API over one read transaction.

The transaction is a snapshot (the store is in WAL mode), so writers go on meanwhile and the copy never starts over. It
begins between two transactions of theirs: nothing that is written down is half done in it.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from leadglass.limits import STORE_BUSY_SECONDS, STORE_COPY_PAGES

_RW: Final = "rw"  # not `ro`: a store that nobody has open needs its -shm made; SQLite gives it the owner of the store


def opened(file: Path, mode: str = _RW) -> sqlite3.Connection:
    """Return a connection to a store that exists. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, timeout=STORE_BUSY_SECONDS)
    connection.isolation_level = None  # or Python's sqlite3 begins transactions behind our back
    return connection


def copy(
    source: Path,
    target: Path,
    *,
    progress: Callable[[int], None] = lambda _: None,
    held: Callable[[], None] = lambda: None,
    pause: float = 0.0,
) -> None:
    """Copy the store `source` into the file `target` (0600, replaced), on disk when this returns.

    `held` is called when the snapshot stands, while nobody can write: it must be quick. `progress` is told how many bytes
    more were copied; `pause` seconds are left to others between two steps. Raises sqlite3.Error, OSError, and what `held`
    raises, with no `target` left behind.
    """
    target.unlink(missing_ok=True)
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.closing(opened(source)) as there, contextlib.closing(opened(target)) as here:
            here.execute("PRAGMA journal_mode=OFF")  # a copy that breaks off is thrown away whole
            here.execute("PRAGMA synchronous=OFF")  # that is done here, step by step
            size = int(there.execute("PRAGMA page_size").fetchone()[0])
            with contextlib.closing(opened(source)) as gate:
                gate.execute("BEGIN IMMEDIATE")  # waits for the transaction that is under way
                there.execute("BEGIN")
                there.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # the snapshot is of this moment
                held()
                gate.execute("ROLLBACK")
            left: list[int] = []

            def step(_status: int, remaining: int, total: int) -> None:
                progress(size * ((left[-1] if left else total) - remaining))
                left[:] = [remaining]
                os.fdatasync(handle)  # a little at a time: a large flush at the end would hold up the fsync of others
                if pause and remaining:
                    time.sleep(pause)  # between two pieces others get the disk; nothing is waited for

            there.backup(here, pages=STORE_COPY_PAGES, progress=step)
        os.fsync(handle)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
