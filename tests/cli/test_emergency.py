"""`leadglass emergency`: codes made, listed and withdrawn, as the administrator sees them."""

import asyncio
from pathlib import Path

import orjson
from typer.testing import CliRunner

from leadglass.cli.main import app
from support.gateway import running

RUNNER = CliRunner()


async def test_make_list_withdraw(tmp_path: Path) -> None:
    async with running(tmp_path) as place:
        config = str(tmp_path / "leadglass.yaml")

        async def run(*words: str) -> tuple[int, str]:
            result = await asyncio.to_thread(RUNNER.invoke, app, ["emergency", *words, "-c", config])
            return result.exit_code, result.stdout

        assert "no codes" in (await run("list"))[1]
        code, slips = await run("codes", "--count", "2")
        assert code == 0
        assert slips.count("    LGE-") == 2
        assert "https://pacs.example.org/.leadglass/v1/emergency" in slips
        code, told = await run("codes", "--count", "1", "--for", "Dr Demo", "--days", "30", "--json")
        (made,) = orjson.loads(told)
        assert (made["name"], made["url"]) == ("Dr Demo", "https://pacs.example.org/.leadglass/v1/emergency")
        code, listed = await run("list", "--json")
        held = orjson.loads(listed)
        assert [one["state"] for one in held] == ["open"] * 3
        assert made["code"] not in listed
        assert "Dr Demo" in (await run("list"))[1]
        assert await run("withdraw", made["id"].lower(), "--reason", "lost") == (0, f"{made['id']} is withdrawn\n")
        assert (await run("withdraw", made["id"], "--reason", "lost"))[0] == 1
        assert (await run("withdraw", "x", "--reason", "lost"))[0] == 2
        assert (await run("codes", "--for", " "))[0] == 2
        kinds = [line["kind"] for line in place.record("event") if line["kind"].startswith("emergency")]
        assert kinds == ["emergency-codes-made", "emergency-codes-made", "emergency-code-withdrawn"]
