"""What the steps make is what the program's tables say, to the column: neither is changed without the other."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

import leadglass.app  # noqa: F401 - it declares all tables
from leadglass import migrations
from leadglass.migrations.run import migrate
from leadglass.migrations.schema import HEAD, STEPS
from leadglass.store import metadata
from support.stores import nothing, put_first

SCRIPTS = ScriptDirectory(str(Path(migrations.__file__).parent))


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


@pytest.mark.parametrize("begin", [nothing, put_first])
def test_the_steps_make_the_tables_of_the_program(tmp_path: Path, begin: Callable[[Path], None]) -> None:
    begin(tmp_path)
    migrate(tmp_path / "leadglass.db")
    engine = create_engine(f"sqlite:///{tmp_path}/leadglass.db")
    try:
        with engine.connect() as connection:
            assert differences(connection) == []
            connection.execute(text("DROP INDEX ix_signals_seen_until"))
            assert differences(connection) != [], "a difference is seen"
    finally:
        engine.dispose()


def test_the_steps_are_one_line_and_all_are_listed() -> None:
    found = [script.revision for script in SCRIPTS.walk_revisions()]
    assert found[::-1] == list(STEPS)
    assert SCRIPTS.get_heads() == [HEAD]
