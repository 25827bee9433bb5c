"""`leadglass project`: made, listed, rotated, closed, as the administrator sees it."""

import asyncio
from pathlib import Path

import orjson
from typer.testing import CliRunner

from leadglass.cli.main import app
from support.gateway import running

RUNNER = CliRunner()


async def test_make_list_rotate_close(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        config = str(tmp_path / "leadglass.yaml")

        async def run(*words: str) -> tuple[int, str]:
            result = await asyncio.to_thread(RUNNER.invoke, app, ["project", *words, "-c", config])
            return result.exit_code, result.stdout

        create = ("create", "lung", "--title", "Lung study", "--profile", "basic")
        assert "no projects" in (await run("list"))[1]
        code, told = await run(*create)
        assert (code, "make a backup" in told) == (0, True)
        assert (await run(*create))[0] == 1
        assert (await run("create", "Lung", "--title", "x", "--profile", "basic"))[0] == 2
        assert (await run("create", "heart", "--title", " ", "--profile", "basic"))[0] == 2
        code, told = await run("create", "heart", "--title", "Heart", "--profile", "basic", "--json")
        assert orjson.loads(told)["state"] == "open"
        assert [one["name"] for one in orjson.loads((await run("list", "--json"))[1])] == ["heart", "lung"]
        assert "Lung study" in (await run("list"))[1]
        code, told = await run("rotate", "lung")
        assert "lung has key 2" in told
        assert orjson.loads((await run("rotate", "lung", "--json"))[1])["generation"] == 3
        assert (await run("rotate", "none"))[0] == 1
        assert await run("close", "lung") == (0, "project lung is closed\n")
        assert (await run("rotate", "lung"))[0] == 1
        assert place.gateway.projects.get("heart").title == "Heart"


async def test_a_key_is_destroyed_only_when_the_name_was_said_once_more(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        config = str(tmp_path / "leadglass.yaml")

        async def run(*words: str) -> tuple[int, str]:
            result = await asyncio.to_thread(RUNNER.invoke, app, ["project", *words, "-c", config])
            return result.exit_code, result.stdout

        await run("create", "lung", "--title", "Lung study", "--profile", "basic")
        for words in ((), ("--confirm", "heart")):
            assert (await run("close", "lung", "--destroy-key", *words))[0] == 2
        assert place.gateway.projects.get("lung").state == "open"
        code, told = await run("close", "lung", "--destroy-key", "--confirm", "lung")
        assert (code, "destroy those too" in told) == (0, True)
        assert "destroyed" in (await run("list"))[1]
        kinds = [line["kind"] for line in place.record("event") if line["kind"].startswith("project")]
        assert kinds == ["project-created", "project-key-destroyed"]


async def test_keys_of_projects_are_sealed_anew(tmp_path: Path) -> None:
    async with running(tmp_path):
        words = ["keys", "rotate", "projects", "-c", str(tmp_path / "leadglass.yaml")]
        result = await asyncio.to_thread(RUNNER.invoke, app, words)
        assert (result.exit_code, "0 keys of projects are sealed anew" in result.stdout) == (0, True)
