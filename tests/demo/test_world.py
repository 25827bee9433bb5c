"""What the tour stands on: files that the gateway takes, processes that end, and errors that say which."""

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from leadglass.clock import SystemClock
from leadglass.config.load import load
from leadglass.demo import world as module
from leadglass.demo.idp import IdentityProvider
from leadglass.demo.world import FORBIDDEN, DemoError, World, free_port, orthanc, until_answers


@pytest.fixture
def world(tmp_path: Path) -> World:
    idp = IdentityProvider("http://127.0.0.1:1", SystemClock())
    made = World(tmp_path, "https://127.0.0.1:8443", "http://127.0.0.1:9080", "the embedded archive", idp)
    module._write(made, port=8443, metrics=9080, pacs=8042)
    return made


def test_its_configuration_is_one(world: World) -> None:
    settings = load(world.config)
    assert settings.public_url == ("https://127.0.0.1:8443",)
    assert settings.upstreams["main"].kind == "generic"
    assert stat.S_IMODE((world.folder / FORBIDDEN).stat().st_mode) & stat.S_IXUSR


def test_signing_in_leaves_a_token_where_the_agent_reads_it(world: World) -> None:
    world.sign_in("radiologist")
    first = (world.folder / "token").read_text()
    world.sign_in("oncologist")
    assert (world.folder / "token").read_text() != first
    assert not (world.folder / "token.new").exists()


async def test_a_program_that_fails_is_told_with_what_it_said(world: World) -> None:
    with pytest.raises(DemoError, match="ended with 3"):
        await world.run(sys.executable, "-c", "print('why'); raise SystemExit(3)")
    assert await world.run(sys.executable, "-c", "print('well')") == "well\n"
    assert await world.run(sys.executable, "-c", "raise SystemExit(1)", code=None) == ""
    assert world.processes == []


async def test_a_process_is_ended_and_forgotten(world: World) -> None:
    process = await world.start("/bin/sleep", "60")
    await world.stop(process)
    assert process.returncode == -15
    assert world.processes == []
    await world.stop(process)


async def test_waiting_ends_when_the_program_has(world: World) -> None:
    process = await world.start("/bin/true")
    await process.wait()
    with pytest.raises(DemoError, match="ended with 0"):
        await until_answers(f"http://127.0.0.1:{free_port()}/", process)


async def test_waiting_has_an_end_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT", 0.2)
    with pytest.raises(DemoError, match="did not answer"):
        await asyncio.wait_for(until_answers(f"http://127.0.0.1:{free_port()}/"), 5)


def test_without_its_plugin_orthanc_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_PLUGINS", str(tmp_path))
    assert orthanc() is None
