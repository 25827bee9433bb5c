"""What the next start will do to the store is said before it does."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from leadglass.config import check as checker
from leadglass.config.look import Finding
from leadglass.migrations.run import migrate
from leadglass.migrations.schema import HEAD, STEPS, pending
from support.clock import FakeClock
from support.gateway import idp_key, quick_prepare, write_site
from support.stores import FIRST


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_site(tmp_path, "http://127.0.0.1:9", idp_key(), FakeClock().now())


async def said(file: Path) -> Finding:
    with patch.object(checker, "prepare", quick_prepare):
        found = await checker.check(file, FakeClock(), offline=True)
    told = [one for one in found if one.where.endswith(": store") and "is writable" not in one.problem]
    (only,) = told
    return only


async def test_a_store_of_the_first_release_will_be_migrated(file: Path) -> None:
    store = file.parent / "var/leadglass.db"
    shutil.copyfile(FIRST, store)
    found = await said(file)
    assert found.level == "warning"
    coming = ", ".join(said for step, said in STEPS.items() if step != "1")
    assert f"has schema 1; the next start takes it to {HEAD}: {coming}" in found.problem
    assert "leadglass.db.schema-1" in found.fix
    assert pending(store).schema == "1", "looking changes nothing"
    migrate(store)
    found = await said(file)
    assert (found.level, found.problem) == ("ok", f"schema {HEAD}")


async def test_before_the_first_start_there_is_none(file: Path) -> None:
    assert "the first start makes it" in (await said(file)).problem


async def test_a_newer_store_is_a_fault(file: Path) -> None:
    store = file.parent / "var/leadglass.db"
    store.touch()
    migrate(store)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '99'")
    found = await said(file)
    assert found.level == "error"
    assert f"has schema 99, this version reads up to {HEAD}" in found.problem
    assert "newer" in found.fix


async def test_a_restore_that_was_interrupted_is_said(file: Path) -> None:
    (file.parent / "var/leadglass.db.restoring").write_text("{}")
    found = await said(file)
    assert (found.level, found.problem) == ("warning", "a restore was interrupted")
