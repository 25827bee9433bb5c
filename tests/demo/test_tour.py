"""The tour counts what did not go as told, and its exit code says so; tests/system/test_demo.py runs it for real."""

import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from rich.console import Console

from leadglass.clock import SystemClock
from leadglass.demo import tour as module
from leadglass.demo.idp import IdentityProvider
from leadglass.demo.tour import Answer, Tour, run
from leadglass.demo.world import DemoError, World


@pytest.fixture
async def tour(tmp_path: Path) -> AsyncIterator[Tour]:
    """A tour that asks a server which answers what its path says."""
    app = web.Application()

    async def say(request: web.Request) -> web.Response:
        reason = request.match_info["reason"]
        body = {"reasons": [reason], "remediation": ["do this"]}
        return web.json_response(
            body, status=int(request.match_info["status"]), content_type="application/problem+json",
            headers={"Leadglass-Decision-Id": "01"},
        )  # fmt: skip

    app.router.add_get("/{status}/{reason}", say)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    world = World(tmp_path, "", "", "", IdentityProvider("http://127.0.0.1:1", SystemClock()))
    world.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        yield Tour(world, Console(quiet=True), session)
    await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "status", "reason", "failed"),
    [
        ("/404/study-not-visible", 404, "study-not-visible", 0),
        ("/404/study-not-visible", 404, "", 0),
        ("/404/study-not-visible", 200, "", 1),
        ("/404/other", 404, "study-not-visible", 1),
    ],
)
async def test_a_step_that_goes_otherwise_is_counted(
    tour: Tour, path: str, status: int, reason: str, failed: int
) -> None:
    await tour.expect(path, status, reason)
    assert tour.failed == failed


@pytest.mark.parametrize(("lines", "failed"), [(["decision", "completion"], 0), (["completion"], 1), ([], 1)])
async def test_an_answer_without_a_line_in_the_record_is_counted(
    tour: Tour, monkeypatch: pytest.MonkeyPatch, lines: list[str], failed: int
) -> None:
    await tour.expect("/404/study-not-visible", 404)
    hit: dict[str, object] = {
        "decision_id": "01",
        "timestamp": "2026-11-23T20:00:00Z",
        "subject": None,
        "transaction": None,
    }
    hit |= {"reasons": ["oncologist-only"], "outcome": "refused"}

    async def said(*_: object, **__: object) -> str:
        return "".join(json.dumps({**hit, "type": kind}) + "\n" for kind in lines)

    monkeypatch.setattr(World, "run", said)
    await tour.the_record()
    assert tour.failed == failed


def test_an_answer_shows_its_reasons_or_its_size() -> None:
    assert str(Answer(200, {}, b"x" * 2_000)) == "200 2,000 bytes"
    problem = b'{"reasons": ["a", "b"]}'
    assert str(Answer(403, {"Content-Type": "application/problem+json"}, problem)) == "403 a, b"


def test_a_tour_that_cannot_go_on_is_code_1_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "tour"

    def mkdtemp(**_: Any) -> str:  # noqa: ANN401 - as tempfile has it
        folder.mkdir()
        (folder / "logs").mkdir()
        (folder / "logs/gateway.log").write_text("it said this")
        return str(folder)

    def broken(_: Path) -> None:
        raise DemoError("no PACS")

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    monkeypatch.setattr(module, "open_world", broken)
    assert run(keep=False) == 1
    said = capsys.readouterr().out
    assert "no PACS" in said
    assert "it said this" in said
    assert not folder.exists()
