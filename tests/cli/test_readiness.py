"""`leadglass audit readiness`, spoken to as people and scripts do."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from leadglass.cli import admin
from leadglass.cli.main import app
from leadglass.model.errors import ConfigurationError
from leadglass.model.reasons import Code
from leadglass.policy import sources
from support.observed import ObservedSite


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", "readiness", *arguments])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObservedSite:
    settings = SimpleNamespace(
        audit=SimpleNamespace(file=tmp_path / "decisions.jsonl"), policy=SimpleNamespace(path=None)
    )
    monkeypatch.setattr(admin, "load", lambda _: settings)
    monkeypatch.setenv("COLUMNS", "400")
    return ObservedSite(tmp_path)


async def test_somebody_would_notice(site: ObservedSite) -> None:
    await site.ask()
    await site.ask(Code.NOT_GRANTED, who="dr.\x1b[2Jb", viewer="[red]Weasis[/red]")
    await site.audit.close()
    said = run()
    assert said.exit_code == 1
    for words in (
        "2 requests observed", "not-granted: refused 1, rows hidden 0; people 1, devices 1, viewers 1",
        "fix: Ask the administrator for a role that does.", "People who would be refused: 1", "People who would notice nothing: 1",
        "[red]Weasis[/red]", "dr.\\x1b[2Jb", "Not ready: 1 of 2 people would be refused.",
    ):  # fmt: skip
        assert words in said.stdout, words
    assert "\x1b" not in said.stdout


async def test_a_script_reads_lines(site: ObservedSite) -> None:
    await site.ask(Code.NOT_GRANTED)
    await site.ask(revision="r2")
    await site.audit.close()
    lines = [json.loads(line) for line in run("--json").stdout.splitlines()]
    assert [line["type"] for line in lines] == ["reason", "person", "viewer", "summary"]
    assert lines[0]["fix"] == "Ask the administrator for a role that does."
    assert lines[-1]["people"] == {"refused": 1, "rows": 0, "ready": 0}
    assert lines[-1]["ready"] is False
    later = run("--since", lines[-1]["revised"])
    assert later.exit_code == 0
    assert "Ready to enforce: nobody would be refused." in later.stdout


async def test_lists_that_would_be_shorter_are_told_and_are_no_refusal(site: ObservedSite) -> None:
    await site.ask(rows=True)
    await site.audit.close()
    said = run()
    assert (said.exit_code, "People who would miss rows of lists: 1" in said.stdout) == (0, True)


async def test_a_change_of_policy_names_what_to_leave_out(site: ObservedSite) -> None:
    await site.ask(Code.NOT_GRANTED)
    await site.ask(revision="r2")
    await site.audit.close()
    assert "--since 2027-01-15T08:02:00.000000Z" in run().stdout


async def test_many_are_cut_to_a_page(site: ObservedSite) -> None:
    for number in range(45):
        await site.ask(who=f"dr.{number}")
    await site.audit.close()
    assert "and 5 more; --json has all" in run().stdout


async def test_nothing_observed_is_a_no_with_a_hint(site: ObservedSite) -> None:
    await site.ask(enforcing=True)
    await site.audit.close()
    said = run()
    assert said.exit_code == 1
    assert "nothing was observed" in said.stderr
    assert "mode.observe_until" in said.stderr


async def test_a_policy_that_cannot_be_read_leaves_the_gateways_own_fixes(
    site: ObservedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ConfigurationError("broken")

    monkeypatch.setattr(sources, "read", broken)
    await site.ask(Code.NOT_GRANTED)
    await site.audit.close()
    assert "Ask the administrator for a role" in run().stdout


def test_without_a_record_it_could_not(site: ObservedSite) -> None:
    site.file.unlink()
    assert run().exit_code == 3
