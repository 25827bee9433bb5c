"""`leadglass session`: the list, as the administrator sees it."""

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner

from leadglass.cli.main import app
from leadglass.limits import DEVICE_PROOF_SECONDS
from support.oidc import site

RUNNER = CliRunner()


async def test_who_is_signed_in_is_listed(tmp_path: Path) -> None:
    async with site(tmp_path) as place:
        config = str(tmp_path / "leadglass.yaml")

        async def told(*words: str) -> str:
            result = await asyncio.to_thread(RUNNER.invoke, app, ["session", "list", *words, "-c", config])
            assert result.exit_code == 0
            return result.output

        assert "nobody is signed in" in await told()
        browser = await place.signed_in()
        (session,) = place.run.gateway.browsers.sessions.all()
        assert "dr.demo" in await told()
        assert session["id"] in await told()
        assert "none" in await told()
        await browser.prove(place.run.agent)
        assert "proven" in await told()
        (held,) = json.loads(await told("--json"))
        assert (held["device"]["id"], held["device"]["silent"]) == (place.run.agent.id, False)
        place.run.clock.advance(DEVICE_PROOF_SECONDS)
        assert "silent" in await told()
