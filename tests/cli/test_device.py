"""`leadglass device`, spoken to as people and scripts do."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from leadglass.cli import admin
from leadglass.cli import device as module
from leadglass.identity.settings import IdentitySettings, IssuerSettings
from support.control import Control, control_site
from support.device import ADMIN, ISSUER


@pytest.fixture
async def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Control]:
    async with control_site(tmp_path) as control:
        settings = SimpleNamespace(
            admin=SimpleNamespace(unix=control.admin),
            public_url=("https://pacs.example.org",),
            identity=issuers(ISSUER),
        )
        monkeypatch.setattr(admin, "load", lambda _: settings)
        monkeypatch.setenv("COLUMNS", "200")
        yield control


def issuers(*names: str) -> IdentitySettings:
    return IdentitySettings(issuers=tuple(IssuerSettings(issuer=name, audience="leadglass") for name in names))


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(module.app, arguments))


async def test_a_code_is_printed_for_people_and_scripts(control: Control) -> None:
    result = await run("code", "--owner", "dr.smith")
    assert result.exit_code == 0
    assert result.stdout.startswith("LG1-")
    assert result.stdout.count("\n") == 1
    assert "leadglass-agent enrol --gateway https://pacs.example.org --code LG1-" in result.stderr
    made = json.loads((await run("code", "--owner", "dr.smith", "--json")).stdout)
    assert (made["owner"], made["owner_issuer"]) == ("dr.smith", ISSUER)
    assert made["gateway"] == "https://pacs.example.org"


async def test_of_several_issuers_the_one_meant_is_named(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "https://other.example.org"
    monkeypatch.setattr(admin.settings_of(Path("any")), "identity", issuers(ISSUER, other))
    result = await run("code", "--owner", "dr.smith")
    assert (result.exit_code, other in result.stderr, result.stdout) == (2, True, "")
    result = await run("code", "--owner", "dr.smith", "--issuer", f"{other}/")  # compared character by character
    assert (result.exit_code, result.stdout) == (2, "")
    made = json.loads((await run("code", "--owner", "dr.smith", "--issuer", other, "--json")).stdout)
    assert made["owner_issuer"] == other
    assert control.site.events.kinds == ["device-code-issued"]


async def test_devices_are_listed(control: Control) -> None:
    assert "no devices yet" in (await run("list")).stdout
    agent = await control.site.enrol()
    assert "never" in (await run("list")).stdout
    await control.site.tell(agent)
    assert "1 pass" in (await run("list")).stdout
    await control.site.tell(agent, checks={"vpn": {"status": "fail"}, "firewall": {"status": "pass"}})
    result = await run("list")
    for word in (agent.id, "dr.smith", ISSUER, "ws-17", "active", "vpn"):
        assert word in result.stdout
    assert [device["id"] for device in json.loads((await run("list", "--json")).stdout)] == [agent.id]


async def test_one_is_shown(control: Control) -> None:
    agent = await control.site.enrol()
    await control.site.tell(agent, checks={"vpn": {"status": "fail", "value": [1], "reason": "[red]no tunnel[/red]"}})
    result = await run("show", agent.id)
    assert result.exit_code == 0
    for word in ("Debian GNU/Linux 13", "vpn", "[1]", "[red]no tunnel[/red]"):
        assert word in result.stdout
    assert json.loads((await run("show", agent.id, "--json")).stdout)["id"] == agent.id


async def test_one_is_revoked_once(control: Control) -> None:
    agent = await control.site.enrol()
    result = await run("revoke", agent.id, "--reason", "lost")
    assert (result.exit_code, result.stdout) == (0, f"{agent.id} is revoked\n")
    result = await run("revoke", agent.id, "--reason", "lost")
    assert result.exit_code == 1
    assert result.stderr.startswith("leadglass: error: no such device")
    assert "leadglass: hint: " in result.stderr
    shown = await control.site.devices.inventory.one(agent.id, ADMIN)
    assert shown is not None
    assert shown["revoked_reason"] == "lost"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "AQnobody"), 1),
        (("show", "../status"), 2),
        (("revoke", "AQ"), 2),
        (("code",), 2),
        (("code", "--owner", ""), 1),
        (("code", "--owner", "x", "--issuer", "https://unknown.example.org"), 2),
        (("destroy",), 2),
    ],
    ids=str,
)
async def test_exit_codes_are_for_scripts(control: Control, arguments: tuple[str, ...], code: int) -> None:
    assert (await run(*arguments)).exit_code == code


async def test_a_gateway_that_cannot_is_3(control: Control) -> None:
    control.site.events.broken = True
    result = await run("list")
    assert result.exit_code == 3
    assert "record" in result.stderr


async def test_a_gateway_that_is_not_there_is_3(control: Control) -> None:
    control.admin.unlink()
    result = await run("list")
    assert result.exit_code == 3
    assert "no gateway answers" in result.stderr
    assert "leadglass serve" in result.stderr


def test_a_configuration_that_is_not_there_is_3(tmp_path: Path) -> None:
    result = CliRunner().invoke(module.app, ["list", "-c", str(tmp_path / "none.yaml")])
    assert result.exit_code == 3
    assert "cannot read" in result.stderr
