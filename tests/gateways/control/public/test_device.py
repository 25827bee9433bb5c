"""The page that proves a device: its words, with and without script, and what it may load and ask."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from support.oidc import DEVICE, ORIGIN, V1, Site, site

SCRIPT = V1 + "device.js"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path, sessions="{device_port: 9999}") as opened:
        yield opened


async def test_the_page_says_what_it_does_and_how_to_get_the_agent(place: Site) -> None:
    browser = await place.signed_in()
    shown = await browser.look(f"{DEVICE}?return=%2Fviewer%2F%3Fa%3Db")
    text = shown.body.decode()
    assert shown.status == 200
    assert f'<script src="{SCRIPT}" data-return="/viewer/?a=b"></script>' in text
    assert 'role="status"' in text
    assert "Your browser runs no scripts" in text  # until one says something else
    assert "leadglass-agent enrol --gateway https://pacs.example.org" in text
    assert '<a class="go" href="/viewer/?a=b">Continue</a>' in text


async def test_it_runs_our_script_alone_and_asks_nobody_but_us_and_the_agent(place: Site) -> None:
    browser = await place.signed_in()
    for path in (DEVICE, V1 + "session"):
        shown = await browser.look(path)
        rules = dict(rule.strip().split(" ", 1) for rule in shown.headers["content-security-policy"].split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["script-src"] == ORIGIN + SCRIPT
        assert rules["connect-src"] == "'self' http://127.0.0.1:9999"
        assert rules["frame-ancestors"] == "'none'"
        scripts = re.findall(r"<script[^>]*>[^<]*</script>|\son[a-z]+=", shown.body.decode())
        assert [script for script in scripts if f'src="{SCRIPT}"' not in script] == []
    plain = await place.browser().look(V1 + "login?return=//evil.example")
    assert "script-src" not in plain.headers.get("content-security-policy", "")


LANDINGS = ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", '/"><script>', DEVICE]


@pytest.mark.parametrize("landing", LANDINGS)
async def test_it_leads_nowhere_but_to_us(place: Site, landing: str) -> None:
    browser = await place.signed_in()
    text = (await browser.look(f"{DEVICE}?return={quote(landing, safe='')}")).body.decode()
    assert f'data-return="{V1}session"' in text
    assert "evil" not in text


async def test_who_is_not_signed_in_is_led_there(place: Site) -> None:
    shown = await place.browser().look(DEVICE)
    assert (shown.status, b"You are not signed in" in shown.body, V1.encode() + b"login" in shown.body) == (
        200,
        True,
        True,
    )
    assert b"<script" not in shown.body


async def test_a_script_is_told_where_the_agent_is(place: Site) -> None:
    browser = await place.signed_in()
    state = (await browser.ask(DEVICE)).json
    assert (state["agent"], state["device"], state["renew_in"]) == ("http://127.0.0.1:9999/v1/proof", None, 0)
    assert set(state["challenge"]) == {"nonce", "sid"}
    name = place.run.gateway.browsers.sessions.all()[0]["id"]
    assert name not in str(state["challenge"])
    again = (await browser.ask(DEVICE)).json
    assert again["challenge"]["nonce"] != state["challenge"]["nonce"]
    assert again["challenge"]["sid"] == state["challenge"]["sid"]


async def test_the_script_is_a_script(place: Site) -> None:
    given = await place.browser().ask(SCRIPT)
    assert given.headers["content-type"] == "text/javascript; charset=utf-8"
    assert given.headers["x-content-type-options"] == "nosniff"
    assert b"document.currentScript" in given.body


async def test_the_page_of_the_session_says_which_device(place: Site) -> None:
    browser = await place.signed_in()
    assert b"<dt>Device</dt><dd>none</dd>" in (await browser.look(V1 + "session")).body
    assert (await browser.prove(place.run.agent)).status == 200
    assert place.run.agent.id.encode() in (await browser.look(V1 + "session")).body
