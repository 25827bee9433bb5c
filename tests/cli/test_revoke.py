"""`leadglass revoke`, spoken to as people and scripts do."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from leadglass.cli import admin
from leadglass.cli import revoke as module
from leadglass.cli.main import app
from leadglass.model.errors import Refusal
from leadglass.revocation.revocations import token_value
from support.control import Control, control_site
from support.gateway import CT
from support.oidc import V1, Browser, Site, site


@pytest.fixture
async def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Control]:
    async with control_site(tmp_path) as control:
        settings = SimpleNamespace(admin=SimpleNamespace(unix=control.admin))
        monkeypatch.setattr(admin, "load", lambda _: settings)
        monkeypatch.setenv("COLUMNS", "200")
        yield control


async def run(*arguments: str, typed: str | None = None) -> Result:
    return await asyncio.to_thread(lambda: CliRunner().invoke(module.app, arguments, input=typed))


@pytest.mark.parametrize(
    ("arguments", "kind", "value"),
    [
        (("user", "dr.demo"), "user", "dr.demo"),
        (("device", "AQdevice"), "device", "AQdevice"),
        (("token", "a.b.c"), "token", token_value("a.b.c")),
    ],
)
async def test_each_kind_is_revoked(control: Control, arguments: tuple[str, ...], kind: str, value: str) -> None:
    result = await run(*arguments, "--reason", "left", "--for", "2h")
    assert result.exit_code == 0
    assert "is revoked until" in result.stdout
    (held,) = control.site.revocations.all()
    assert (held.kind, held.value, held.reason) == (kind, value, "left")
    assert held.until == control.site.clock.now() + 7200


async def test_a_token_is_read_from_standard_input_and_never_shown(control: Control) -> None:
    result = await run("token", "-", "--reason", "found in a ticket", typed="a.b.c\n")
    assert "for good" in result.stdout
    assert "a.b.c" not in result.stdout
    assert control.site.revocations.all()[0].value == token_value("a.b.c")


async def test_what_is_revoked_is_listed_and_lifted(control: Control) -> None:
    assert "nothing is revoked" in (await run("list")).stdout
    made = json.loads((await run("user", "dr.demo", "--reason", "[red]left[/red]", "--json")).stdout)
    listed = (await run("list")).stdout
    for word in (made["id"], "user", "dr.demo", "for good", "[red]left[/red]"):
        assert word in listed
    assert [row["id"] for row in json.loads((await run("list", "--json")).stdout)] == [made["id"]]
    assert "is trusted again" in (await run("lift", made["id"])).stdout
    again = await run("lift", made["id"])
    assert again.exit_code == 1
    assert again.stderr.startswith("leadglass: error: no revocation has this id")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("user", "dr.demo"), 2),
        (("user", "dr.demo", "--reason", "x", "--for", "soon"), 2),
        (("user", "dr.demo", "--reason", "x", "--for", "0h"), 2),
        (("user", "dr.demo", "--reason", ""), 1),
        (("lift", "../status"), 2),
    ],
)
async def test_what_makes_no_sense_is_refused(control: Control, arguments: tuple[str, ...], code: int) -> None:
    assert (await run(*arguments)).exit_code == code
    assert control.site.revocations.all() == []


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as place:
        yield place


async def say(place: Site, *words: str) -> Result:
    arguments = [*words, "-c", str(place.run.folder / "leadglass.yaml")]
    return await asyncio.to_thread(CliRunner().invoke, app, arguments)


async def status(browser: Browser) -> int:
    return (await browser.ask(f"/dicom-web/studies/{CT.uid}/metadata")).status


def id_of(place: Site) -> str:
    name: str = place.run.gateway.browsers.sessions.all()[0]["id"]
    return name


async def test_a_session_is_ended(place: Site) -> None:
    browser = await place.signed_in()
    name, sessions = id_of(place), place.run.gateway.browsers.sessions
    assert await status(browser) == 200
    result = await say(place, "revoke", "session", name, "--reason", "left a browser open")
    assert (result.exit_code, result.output.startswith(f"session {name} is revoked until")) == (0, True)
    assert await status(browser) == 401
    with pytest.raises(Refusal) as caught:
        await sessions.authenticate(browser.cookies["__Host-leadglass"])
    assert caught.value.withdrawn, "it would pass as nobody's while observing"
    assert place.events("session-ended")[-1]["why"] == "left a browser open"
    assert place.events("revoked")[-1]["kind"] == "session"
    assert (await say(place, "revoke", "session", name, "--reason", "again")).exit_code == 1
    assert not (await browser.ask(V1 + "session")).json["signed_in"]


async def test_a_session_is_refused_for_a_time_and_then_goes_on(place: Site) -> None:
    browser = await place.signed_in()
    result = await say(place, "revoke", "session", id_of(place), "--reason", "looking into it", "--for", "10s")
    assert result.exit_code == 0
    answer = await browser.ask(f"/dicom-web/studies/{CT.uid}/metadata")
    assert (answer.status, answer.reasons) == (403, ["access-revoked"])
    await browser.sign_in()  # the same session at the same browser: a sign-in does not lift it
    assert await status(browser) == 403
    place.run.clock.advance(11)
    assert await status(browser) == 200


@pytest.mark.parametrize(("name", "code"), [("0123456789abcdef", 1), ("x", 2), ("../status", 2)])
async def test_no_such_session(place: Site, name: str, code: int) -> None:
    assert (await say(place, "revoke", "session", name, "--reason", "x")).exit_code == code
    assert place.run.gateway.revocations.all() == []
