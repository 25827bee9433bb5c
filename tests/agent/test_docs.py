"""docs/agent.md says what the code does: every check, setting and command has its row, and no row is left over."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from leadglass_agent.checks import platform_checks
from leadglass_agent.cli import app
from leadglass_agent.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/agent.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """Return the rows of the first table under a heading that starts with `heading`: name -> the other cells."""
    section = PAGE.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:3] == "| `"
    ]
    return {first.strip("` "): rest for first, *rest in cells}


def test_every_check_has_its_row() -> None:
    told = {
        check.id: [check.passes, check.reads, check.values, f"{check.interval:.0f}"]
        for check in platform_checks("linux")
    }
    assert rows("Checks") == told


def test_every_setting_has_its_row_and_default() -> None:
    table = rows("Settings")
    assert list(table) == [field.name for field in fields(Settings)]
    defaults = Settings()
    for name in ("forbidden_software", "report_every", "proxy_port", "proof_port", "viewer_origins"):
        value = getattr(defaults, name)
        assert json.loads(table[name][0].strip("`")) == (list(value) if isinstance(value, tuple) else value)


def test_every_command_has_its_row() -> None:
    named = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(rows("Run")) == named


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).resolve().exists()


def test_the_unit_starts_what_there_is_and_as_the_page_says() -> None:
    unit = (ROOT / "agent/systemd/leadglass-agent.service").read_text(encoding="utf-8")
    assert "leadglass-agent run --state /var/lib/leadglass-agent" in unit
    for line in (
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "StateDirectory=leadglass-agent",
        "StateDirectoryMode=0700",
    ):
        assert line in unit.splitlines()
    # These would hide what the checks look at.
    assert not re.search(r"^(ProtectProc|PrivateDevices|ProtectHome=(yes|tmpfs)|PrivateTmp)", unit, re.MULTILINE)
