"""Each archive is asked, and what it said stands at its own line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadglass.cli import config as module
from leadglass.config import check as checker
from leadglass.config.check import Finding, check
from support.clock import FakeClock
from support.gateway import idp_key, quick_prepare, write_site
from support.lying import lying, page
from support.orthanc import free_port

CLOCK = FakeClock()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checker, "prepare", quick_prepare)
    return write_site(tmp_path, "http://127.0.0.1:9", idp_key(), CLOCK.now())


def say(file: Path, *archives: str) -> None:
    lines = file.read_text().splitlines()
    (at,) = (at for at, line in enumerate(lines) if line.startswith("upstreams:"))
    file.write_text("\n".join((*lines[:at], "upstreams:", *(f"  {one}" for one in archives), *lines[at + 1 :])))


async def test_one_that_is_down_is_told_at_its_line_and_the_other_is_asked_all_the_same(file: Path) -> None:
    async with lying() as archive:
        say(
            file,
            f"gone: {{kind: orthanc, url: 'http://127.0.0.1:{free_port()}', mount: /g, wado_mount: /h}}",
            f"here: {{kind: generic, url: '{archive.url}'}}",
        )
        found = [one for one in await check(file, CLOCK, offline=False) if one.said is not None]
    assert [one.level for one in found if one.where == f"{file}:6: upstreams.gone"] == ["ok", "error"]
    words = {one.said["of"]: one for one in found if one.said and one.where == f"{file}:7: upstreams.here"}
    assert words["pages"].problem == "archive: pages: follow one another; taken as they come"
    assert words["pages"].said == {
        "archive": "here", "of": "pages", "found": "follow one another", "chosen": "taken as they come",
    }  # fmt: skip
    assert {one.level for one in words.values()} == {"ok"}


async def test_offline_nobody_is_asked(file: Path) -> None:
    async with lying() as archive:
        say(file, f"main: {{kind: generic, url: '{archive.url}'}}")
        found: list[Finding] = await check(file, CLOCK, offline=True)
    assert archive.connections == 0
    assert all(one.said is None for one in found)


def test_scripts_get_what_was_found_and_chosen(file: Path) -> None:
    told = [
        json.loads(line)
        for line in CliRunner().invoke(module.app, ["check", "-c", str(file), "--json"]).stdout.splitlines()
    ]
    (fault,) = [one for one in told if one["said"] and one["level"] == "error"]
    assert (fault["said"]["archive"], fault["said"]["of"]) == ("main", "reachable")


async def test_what_an_archive_says_does_not_reach_the_terminal(file: Path) -> None:
    async with lying(lambda _: page(("1.2\x1b[2J",))) as archive:
        say(file, f"main: {{kind: generic, url: '{archive.url}'}}")
        found = await check(file, CLOCK, offline=False)
    assert not any("\x1b" in f"{one.problem}{one.said}" for one in found)


async def test_an_archive_that_only_a_role_knows_is_told_at_its_line(file: Path) -> None:
    roles = file.parent / "policies/data/roles.yaml"
    text = "transactions: ['wado-rs.*']\nroles:\n  guest:\n    allow:\n      - actions: [retrieve]\n        upstreams: [main, vna]\n"
    roles.write_text(text)
    (fault,) = [one for one in await check(file, CLOCK, offline=True) if one.level == "error"]
    assert ("'vna'" in fault.problem, f"{roles}:6" in fault.problem) == (True, True)
