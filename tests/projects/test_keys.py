"""Keys of projects: sealed for their place, and taken up from nowhere else."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from leadglass.hazmat.mac import KEY_BYTES
from leadglass.model.errors import ConfigurationError, Refusal
from support.device import ADMIN
from support.projects import Desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path) as desk:
        await desk.made()
        await desk.made("heart")
        yield desk


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE project_keys SET sealed = (SELECT sealed FROM project_keys WHERE project = 'heart') WHERE project = 'lung'",
        "UPDATE project_keys SET generation = 2 WHERE project = 'lung'",
        "UPDATE project_keys SET sealed = zeroblob(60) WHERE project = 'lung'",
        "DELETE FROM project_keys WHERE project = 'lung'",
    ],
)
async def test_a_key_is_good_where_it_was_put(desk: Desk, change: str) -> None:
    await desk.store.close()
    with contextlib.closing(sqlite3.connect(desk.folder / "leadglass.db")) as hand, hand:
        assert hand.execute(change).rowcount == 1
    await desk.__aenter__()
    with pytest.raises(Refusal, match="project-closed"):
        desk.projects.get("lung")
    assert desk.projects.get("heart").state == "open"


async def test_a_key_file_that_others_can_read_is_refused(desk: Desk) -> None:
    desk.key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read"):
        await desk.again()
    desk.key.chmod(0o600)
    await desk.again()


@pytest.mark.parametrize("verb", ["destroy", "rotate_seal"])
async def test_a_key_that_cannot_be_written_changes_nothing(
    desk: Desk, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = desk.key.read_bytes()
    monkeypatch.setattr("leadglass.hazmat.aead.write_private", full)
    with pytest.raises(Refusal, match="store-unavailable"):
        await getattr(desk.projects, verb)(*(["lung"] if verb == "destroy" else []), ADMIN)
    assert desk.key.read_bytes() == before
    await desk.again()
    assert desk.projects.get("lung").generation == 1
    assert len(before) == KEY_BYTES
