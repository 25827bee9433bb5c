"""People of a real Keycloak: signing in with a phone's code, step-up, its tokens, sign-out from both ends, and its silence."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from leadglass.codec.control import DEVICE
from support.gateway import CT, MR
from support.keycloak import PERSON, Keycloak, through_forms
from support.orthanc import Orthanc
from support.whole import V1, Whole, whole

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]
METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
MFA = "?acr_values=mfa"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, keycloak: Keycloak, orthanc: Orthanc) -> AsyncIterator[Whole]:
    async with whole(tmp_path_factory.mktemp("whole"), keycloak, orthanc) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module")
async def browser(site: Whole) -> AsyncIterator[aiohttp.ClientSession]:
    async with site.session() as session:
        site.forms.clear()
        yield session


async def test_a_person_signs_in_with_password_and_code_and_reads_a_study(
    site: Whole, browser: aiohttp.ClientSession
) -> None:
    assert await site.get(browser, METADATA) == (401, ["user-unauthenticated"])
    back = await site.sign_in(browser, MFA)
    assert (back.status, back.headers["Location"], site.forms) == (303, DEVICE, ["password", "code"])
    assert await site.get(browser, METADATA) == (200, [])
    assert await site.get(browser, f"/dicom-web/studies/{MR.uid}/metadata") == (404, ["study-not-visible"])


async def test_a_password_alone_is_stepped_up_by_the_code_alone(site: Whole, browser: aiohttp.ClientSession) -> None:
    await site.sign_in(browser)
    reply = await browser.get(site.origin + METADATA, headers={"Accept": "*/*"})
    assert (reply.status, (await reply.json(content_type=None))["reasons"]) == (401, ["mfa-required"])
    assert site.forms == ["password"]
    await site.sign_in(browser, MFA)
    assert site.forms == ["password", "code"]
    assert await site.get(browser, METADATA) == (200, [])
    stepped = (await site.event("session-stepped-up"))["session"]
    assert (stepped["subject"], stepped["issuer"], stepped["acr"]) == (PERSON, site.keycloak.issuer, "mfa")


async def test_a_wrong_password_begins_no_session(site: Whole, browser: aiohttp.ClientSession) -> None:
    begun = await site.navigate(browser, V1 + "login")
    with pytest.raises(AssertionError, match="no way out"):
        await through_forms(browser, begun.headers["Location"], site.forms, password="not it")
    assert await site.get(browser, METADATA) == (401, ["user-unauthenticated"])


async def test_an_administrator_at_the_issuer_ends_the_session_here(
    site: Whole, browser: aiohttp.ClientSession
) -> None:
    await site.sign_in(browser, MFA)
    assert await site.get(browser, METADATA) == (200, [])
    await asyncio.to_thread(site.keycloak.end_sessions)  # answered when the clients have been told
    assert await site.get(browser, METADATA) == (401, ["user-unauthenticated"])
    assert (await site.event("session-ended", why="back-channel"))["session"]["subject"] == PERSON


async def test_signing_out_here_signs_out_there(site: Whole, browser: aiohttp.ClientSession) -> None:
    await site.sign_in(browser, MFA)
    out = await site.post(browser, V1 + "logout", {})
    assert out.status == 303
    assert out.headers["Location"].startswith(f"{site.keycloak.issuer}/protocol/openid-connect/logout")
    assert await site.get(browser, METADATA) == (401, ["user-unauthenticated"])
    site.forms.clear()
    page = await browser.get(out.headers["Location"])
    assert page.status == 200, await page.text()


async def test_a_keycloak_that_hangs_ends_nothing_that_was_begun(site: Whole, browser: aiohttp.ClientSession) -> None:
    await site.sign_in(browser, MFA)
    async with site.session() as other:
        begun = await site.navigate(other, V1 + "login" + MFA)
        back = await through_forms(other, begun.headers["Location"], site.forms)
        with site.keycloak.down():
            assert await site.get(browser, METADATA) == (200, [])
            ready = await other.get(site.world.metrics + "/health/ready")
            assert ready.status == 200
            refused = await site.navigate(other, back.removeprefix(site.origin))
            assert (refused.status, "sign-in-unavailable" in await refused.text()) == (503, True)
            assert await site.get(other, METADATA) == (401, ["user-unauthenticated"])
        await site.sign_in(other, MFA)
        assert await site.get(other, METADATA) == (200, [])


async def test_the_agent_signs_in_from_a_terminal_and_a_viewer_reads_through_its_door(
    site: Whole, browser: aiohttp.ClientSession
) -> None:
    state, announced = site.world.folder / "agent", site.world.folder / "door.json"
    given = ("--issuer", site.keycloak.issuer, "--client-id", "leadglass-agent", "--acr", "mfa")
    login = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "leadglass_agent.cli", "login", "--no-browser", "--state", state, *given,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert login.stdout is not None
    await login.stdout.readline()
    url = (await login.stdout.readline()).decode().strip()
    back = await browser.get(await through_forms(browser, url, site.forms))
    assert (back.status, site.forms) == (200, ["password", "code"])
    assert await login.wait() == 0
    await site.world.start(
        "leadglass-agent", "proxy", "--state", str(state), "--port", "0", "--announce", str(announced)
    )
    async with asyncio.timeout(30):
        while not announced.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.05)
    door = json.loads(announced.read_text())["base"]
    read = await browser.get(door + METADATA)
    assert (read.status, len(await read.json(content_type=None))) == (200, len(CT.instances))
    assert (await site.world.run("leadglass-agent", "logout", "--state", str(state))) == "signed out\n"
    refused = await browser.get(door + METADATA)
    assert (refused.status, "leadglass-agent login" in await refused.text()) == (401, True)
