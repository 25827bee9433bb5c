"""OHIF as it comes, opened in a browser through the gateway, in front of Orthanc."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, Response, Route, expect

from leadglass.demo.studies import CT_STUDY, all_instances, encode
from support.browser import answering, chromium, drawn, package, picture, violations, visit
from support.oidc import ORIGIN, V1, Site, site
from support.orthanc import Orthanc

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

SLICES = 60
# Lets the page look at once at its device, and waits until it is known: a clock that ran on meanwhile would part them.
PROVEN = """new Promise((proven) => {
  document.addEventListener("leadglass-device", (event) => event.detail.state === "proven" && proven());
  document.dispatchEvent(new Event("leadglass-device-check"));
})"""
VIEWER = f"{ORIGIN}/viewer?StudyInstanceUIDs={CT_STUDY}"


@dataclass
class Reading:
    """A person who reads the CT. `frames` are the slices that came whole; `gate` lets no more than `first` through until it is open."""

    here: Site
    page: Page
    frames: set[str] = field(default_factory=set)
    first: int = SLICES
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        self.page.on("response", self._came)
        await self.page.route("**/frames/1", self._pass)

    def _came(self, response: Response) -> None:
        if response.url.endswith("/frames/1") and response.status == 200:
            self.frames.add(response.url)
            if len(self.frames) == SLICES:
                self.complete.set()

    async def _pass(self, route: Route) -> None:
        self.first -= 1
        if self.first < 0 and not self.gate.is_set():
            self.waiting.set()
            await self.gate.wait()
        await route.continue_()

    async def open(self) -> None:
        await self.page.goto(f"{ORIGIN}{V1}login?return=/viewer?StudyInstanceUIDs={CT_STUDY}")
        await self.page.wait_for_url(VIEWER)

    async def drawn(self) -> None:
        await drawn(self.page)

    async def whole(self) -> None:
        async with asyncio.timeout(60):
            await self.complete.wait()
        await expect(self.page.get_by_role("alertdialog")).to_be_hidden()


@asynccontextmanager
async def reading(folder: Path, orthanc: Orthanc, port: int, first: int = SLICES) -> AsyncIterator[Reading]:
    for dataset in all_instances():
        if dataset.StudyInstanceUID == CT_STUDY and dataset.Modality == "CT":
            orthanc.upload(encode(dataset))
    static = f'static: {{/: "{package("ohif") / "dist"}"}}\n'
    archive = {"upstream": orthanc.url, "kind": "orthanc"}
    async with (
        site(folder, sessions=f"{{device_port: {port}}}", gateway=archive, settings=static) as here,
        answering(here.run),
        chromium(here.run) as browser,
        visit(browser, viewport={"width": 1100, "height": 700}) as page,
    ):
        read = Reading(here, page, first=first)
        await read.watch()
        yield read


async def test_a_ct_is_drawn_and_nothing_leaves_the_origin(
    tmp_path: Path, orthanc: Orthanc, unused_tcp_port: int
) -> None:
    async with reading(tmp_path, orthanc, unused_tcp_port) as read:
        asked: list[str] = []
        complaints: list[str] = []
        read.page.on("request", lambda request: asked.append(request.url))
        read.page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        await read.open()
        await read.drawn()
        await read.whole()
        assert await read.page.evaluate("crossOriginIsolated")
        assert complaints == []
        agent = read.here.run.gateway.settings.sessions.agent
        elsewhere = [url for url in asked if not url.startswith((ORIGIN, read.here.oidc.url, agent, "data:", "blob:"))]
        assert elsewhere == []
        assert not any("eyJ" in url for url in asked)
        transactions = {line["action"]["transaction"] for line in read.here.run.record("decision")}
        assert "static.file" in transactions


async def test_a_refusal_covers_the_images_and_resuming_brings_what_is_missing(
    tmp_path: Path, orthanc: Orthanc, unused_tcp_port: int
) -> None:
    async with reading(tmp_path, orthanc, unused_tcp_port, first=10) as read:
        page = read.page
        await read.open()
        await read.waiting.wait()
        await read.here.run.tell("fail")
        read.gate.set()
        dialog = page.get_by_role("alertdialog")
        await expect(dialog).to_contain_text("Switch on the firewall of this computer.", timeout=30_000)
        decision = await dialog.locator("dd").last.inner_text()
        line = next(line for line in read.here.run.record() if line["decision_id"] == decision)
        assert [reason["code"] for reason in line["decision"]["reasons"]] == ["posture-failed"]
        assert await violations(page, "leadglass-viewer") == []
        await picture(page, "viewer-refused")
        assert len(read.frames) < SLICES
        await read.here.run.tell("pass")
        await page.get_by_role("button", name="Try again").click()
        await read.whole()
        await read.drawn()
        await page.get_by_text("Skip all").click()
        await page.get_by_text("Confirm and hide").click()
        await picture(page, "viewer")


async def test_a_session_that_ends_is_signed_in_again_from_the_viewer(
    tmp_path: Path, orthanc: Orthanc, unused_tcp_port: int
) -> None:
    async with reading(tmp_path, orthanc, unused_tcp_port, first=10) as read:
        page, sessions = read.page, read.here.run.gateway.browsers.sessions
        await read.open()
        await read.waiting.wait()
        await sessions.end(sessions.all()[0]["id"], "ended-by-administrator", {"reason": "test"})
        read.gate.set()
        await page.get_by_role("alertdialog").get_by_role("link", name="Sign in").click(timeout=30_000)
        await page.wait_for_url(VIEWER)
        read.frames.clear()
        await read.drawn()


async def test_long_viewing_does_not_end_with_a_token(tmp_path: Path, orthanc: Orthanc, unused_tcp_port: int) -> None:
    async with reading(tmp_path, orthanc, unused_tcp_port, first=10) as read:
        await read.open()
        await read.waiting.wait()
        before = len(read.here.oidc.asked)
        for _ in range(read.here.oidc.seconds // 60 + 1):  # the device reports all the while
            read.here.run.clock.advance(60)
            await read.here.run.tell("pass")
            await read.page.evaluate(PROVEN)
        read.gate.set()
        await read.whole()
        await read.drawn()
        grants = [form["grant_type"] for name, form in read.here.oidc.asked[before:] if name == "token"]
        assert grants == ["refresh_token"]
