"""A person at their own computer: Chromium, OHIF, a real Keycloak with a phone's code, an agent, and a CT in Orthanc.

Signed in by a password, stepped up by the code, known by their device, reading; and revoked in the middle of it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from leadglass.demo.studies import CT_STUDY, all_instances, encode
from support.browser import chromium, drawn, package, picture, violations, visit
from support.keycloak import PASSWORD, PERSON, Keycloak, totp
from support.orthanc import Orthanc
from support.whole import Whole, whole

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]
SLICES, FIRST = 60, 20


@pytest.fixture
async def site(tmp_path: Path, keycloak: Keycloak, orthanc: Orthanc) -> AsyncIterator[Whole]:
    for dataset in all_instances():
        if dataset.StudyInstanceUID == CT_STUDY and dataset.Modality == "CT":
            orthanc.upload(encode(dataset))
    static = f'static: {{/: "{package("ohif") / "dist"}"}}\n'
    async with whole(tmp_path / "whole", keycloak, orthanc, static) as site:
        yield site


class Gate:
    """Lets no more than the first slices through until it is opened, so that a revocation comes while people scroll."""

    def __init__(self) -> None:
        self.passed, self.reached, self.opened = 0, asyncio.Event(), asyncio.Event()

    async def __call__(self, route: Route) -> None:
        self.passed += 1
        if self.passed > FIRST and not self.opened.is_set():
            self.reached.set()
            await self.opened.wait()
        await route.continue_()


async def sign_in(page: Page) -> None:
    """Give Keycloak the password, and the phone's code when it asks for that."""
    await page.get_by_label("Username").fill(PERSON)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign In").click()


async def test_sign_in_step_up_read_and_be_revoked_while_scrolling(site: Whole) -> None:
    viewer = f"{site.origin}/viewer?StudyInstanceUIDs={CT_STUDY}"
    async with chromium() as browser, visit(browser, viewport={"width": 1100, "height": 700}) as page:
        gate = Gate()
        await page.route("**/frames/1", gate)
        await page.goto(viewer)
        await picture(page, "sign-in")
        assert await violations(page) == []
        await page.get_by_role("link", name="Sign in").click()
        await sign_in(page)

        await page.wait_for_url(viewer)  # by way of the page on which the agent shows the device
        await expect(page.get_by_role("heading", name="second factor")).to_be_visible()
        assert await violations(page) == []
        await page.get_by_role("link", name="Sign in").click()
        await page.locator("#otp").fill(totp(time.time()))
        await page.get_by_role("button", name="Sign In").click()

        await page.wait_for_url(viewer)
        await drawn(page)
        await gate.reached.wait()
        (session,) = json.loads(await site.run("session", "list", "--json"))
        await site.run("revoke", "session", session["id"], "--reason", "seen at the wrong desk")
        gate.opened.set()
        dialog = page.get_by_role("alertdialog")
        await expect(dialog).to_be_visible(timeout=30_000)
        await picture(page, "revoked")
        assert await violations(page, "leadglass-viewer") == []
        assert gate.passed < SLICES + FIRST
    assert (await site.event("session-stepped-up"))["session"]["acr"] == "mfa"
    assert (await site.event("session-device-bound"))["session"]["id"] == session["id"]
