"""viewer.js in a browser, between a page that reads images in every way and a server that fails in every way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from support.browser import chromium, violations, visit

pytestmark = pytest.mark.system

IMAGE = "pixels " * 20_000
ID = "01MCC5RM0076M8911KVFF1CBB9"
REFUSED = {
    "title": "Device not healthy", "detail": "The firewall is off.", "reasons": ["posture-failed"], "decision_id": ID,
    "remediation": ["Switch on the firewall of this computer."],
}  # fmt: skip
STEP_UP = 'Bearer realm="leadglass", error="insufficient_user_authentication", acr_values="mfa phr", max_age="600"'
ANSWERS: dict[str, tuple[int, str | dict[str, Any], dict[str, str]]] = {
    "image": (200, IMAGE, {}),
    "refuse": (403, REFUSED, {}),
    "hidden": (
        404,
        {
            **REFUSED,
            "reasons": ["study-not-visible"],
            "ways": [
                {"path": f"/.leadglass/v1/why?decision={ID}", "words": "Why, and what would help"},
                {
                    "path": "/.leadglass/v1/break-glass?return=%2Fdicom-web%2Fstudies%2F1",
                    "words": "Break the glass in an emergency",
                },
                {"path": "https://evil.example/", "words": "Elsewhere"},
                {"path": "javascript:alert(1)", "words": "Script"},
            ],
        },
        {},
    ),
    "device": (403, {**REFUSED, "reasons": ["device-required"]}, {}),
    "step-up": (401, REFUSED, {"WWW-Authenticate": STEP_UP}),
    "broken": (502, "<html>bad gateway</html>", {}),
    "bombed": (431, {**REFUSED, "reasons": ["head-too-large"], "detail": "The head is too large."}, {}),
    "malformed": (400, "malformed", {}),
}
# Each way a viewer may read, as a promise of the text it got. `streamed` is how OHIF reads frames.
WAYS = {
    "text": "path => fetch(path).then(reply => reply.text())",
    "buffer": "path => fetch(new Request(path)).then(reply => reply.arrayBuffer()).then(b => new TextDecoder().decode(b))",
    "streamed": """async path => {
        const reply = await fetch(path);
        const reader = reply.body.getReader();
        let text = '';
        for (let piece = await reader.read(); !piece.done; piece = await reader.read())
            text += new TextDecoder().decode(piece.value);
        return reply.url.endsWith(path) && reply.status === 200 ? text : 'not what was asked for';
    }""",
    "xhr": """path => new Promise((done, failed) => {
        const xhr = new XMLHttpRequest();
        xhr.onreadystatechange = () => {
            if (xhr.readyState === 4) xhr.status === 200 ? done(xhr.responseText) : failed('state ' + xhr.status);
        };
        xhr.onerror = () => failed('error');
        xhr.open('GET', path);
        xhr.setRequestHeader('X-Kept', 'yes');
        xhr.send();
    })""",
    "xhr of bytes": """path => new Promise((done, failed) => {
        const xhr = new XMLHttpRequest();
        xhr.open('GET', path);
        xhr.responseType = 'arraybuffer';
        xhr.setRequestHeader('X-Kept', 'yes');
        xhr.addEventListener('load', () => xhr.status === 200 ? done(new TextDecoder().decode(xhr.response)) : failed('load'));
        xhr.addEventListener('error', () => failed('error'));
        xhr.send();
    })""",
}


@dataclass
class Server:
    """Answers /dicom-web/* with what is planned, in order, and with the image when nothing is."""

    plan: list[str] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    purposes: list[str | None] = field(default_factory=list)
    signed_in: bool = False
    down: bool = False
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.headers.get("X-Kept")))
        self.purposes.append(request.headers.get("Leadglass-Purpose"))
        act = "reset" if self.down else self.plan.pop(0) if self.plan else "image"
        if act == "reset" and request.transport is not None:
            request.transport.abort()
            act = "image"  # nobody hears it any more
        if act == "cut":
            reply = web.StreamResponse(headers={"Content-Length": str(len(IMAGE)), "Leadglass-Decision-Id": ID})
            await reply.prepare(request)
            await reply.write(IMAGE[: len(IMAGE) // 2].encode())
            await asyncio.sleep(0.05)  # let the browser have it, so that the cut is in the middle
            if request.transport is not None:
                request.transport.abort()
            return reply
        status, document, fields = ANSWERS[act]
        if isinstance(document, str):
            return web.Response(status=status, text=document, headers=fields)
        return web.json_response(document, status=status, headers=fields, content_type="application/problem+json")

    async def page(self, _: web.Request) -> web.Response:
        body = (
            '<!doctype html><html lang="en"><head><title>Viewer</title>'
            '<script src="/viewer.js" data-roots="/dicom-web /wado"></script></head>'
            '<body><main><h1>Viewer</h1><button id="below">Below</button></main></body></html>'
        )
        policy = "default-src 'none'; script-src 'self' 'unsafe-eval'; connect-src 'self'"
        return web.Response(text=body, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def script(self, _: web.Request) -> web.Response:
        text = resources.files("leadglass.static").joinpath("assets/viewer.js").read_text(encoding="utf-8")
        return web.Response(text=text, content_type="text/javascript")

    async def session(self, _: web.Request) -> web.Response:
        return web.json_response({"signed_in": self.signed_in})


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Server, Page]]:
    server, app = Server(), web.Application()
    app.router.add_get("/viewer", server.page)
    app.router.add_get("/viewer.js", server.script)
    app.router.add_get("/.leadglass/v1/session", server.session)
    app.router.add_route("*", "/{other:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with chromium() as browser, visit(browser) as page:
            await page.goto(f"{server.url}/viewer?StudyInstanceUIDs=1.2.3")
            page.set_default_timeout(15_000)
            yield server, page
    finally:
        await runner.cleanup()


def read(page: Page, way: str, path: str = "/dicom-web/studies/1") -> "asyncio.Task[str]":
    return asyncio.ensure_future(page.evaluate(WAYS[way], path))


async def test_what_is_answered_comes_as_it_is_in_every_way() -> None:
    async with opened() as (server, page):
        for way in WAYS:
            assert await read(page, way) == IMAGE, way
        assert not await page.get_by_role("alertdialog").is_visible()
        assert len(server.asked) == len(WAYS)


@pytest.mark.parametrize("trouble", ["refuse", "broken", "bombed", "lost", "cut"])
async def test_a_request_in_trouble_is_held_until_the_person_resumes(trouble: str) -> None:
    """Nothing but the whole image ever reaches the viewer, whichever way it reads."""
    acts = {"lost": [], "cut": ["cut", "cut"]}.get(trouble, [trouble])
    words = {"refuse": "The firewall is off.", "broken": "The archive answered 502", "bombed": "too large"}.get(
        trouble, "connection was lost"
    )
    async with opened() as (server, page):
        dialog = page.get_by_role("alertdialog")
        for way in WAYS:
            server.plan += acts
            server.down = trouble == "lost"  # a browser itself asks again when a kept connection is reset
            got = read(page, way)
            await expect(dialog).to_contain_text(words)
            assert not got.done(), way
            server.down = False
            await page.get_by_role("button", name="Try again").click()
            assert await got == IMAGE, way
            await expect(dialog).to_be_hidden()
        if trouble == "cut":
            assert {kept for method, kept in server.asked if kept is not None} == {"yes"}


async def test_one_break_mends_itself() -> None:
    async with opened() as (server, page):
        for way in WAYS:
            for act in ("reset", "cut"):
                server.plan.append(act)
                assert await read(page, way) == IMAGE, (way, act)
        assert not await page.get_by_role("alertdialog").is_visible()


async def test_a_cut_is_explained_by_what_is_answered_next() -> None:
    async with opened() as (server, page):
        server.plan += ["cut", "refuse"]
        got = read(page, "streamed")
        dialog = page.get_by_role("alertdialog")
        await expect(dialog).to_contain_text("Switch on the firewall of this computer.")
        await expect(dialog).to_contain_text(ID)
        await page.get_by_role("button", name="Try again").click()
        assert await got == IMAGE


async def test_the_dialog_is_accessible_and_covers() -> None:
    async with opened() as (server, page):
        server.plan.append("refuse")
        got = read(page, "text")
        dialog = page.get_by_role("alertdialog", name="Device not healthy", include_hidden=False)
        await expect(dialog).to_have_accessible_description("The firewall is off. The images shown are not complete.")
        assert await violations(page) == []
        await expect(page.get_by_role("button", name="Try again")).to_be_focused()
        for _ in range(4):  # the focus stays inside, whatever is pressed
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.id") != "below"
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_visible()
        assert await page.evaluate("document.elementFromPoint(5, 5).localName") == "leadglass-viewer"
        assert await page.evaluate("document.documentElement.dataset.leadglass") == "incomplete"
        await page.get_by_role("button", name="Try again").focus()
        await page.keyboard.press("Enter")
        assert await got == IMAGE
        assert await page.evaluate("document.documentElement.dataset.leadglass") is None


async def test_who_looks_at_what_is_here_is_told_that_it_is_incomplete() -> None:
    async with opened() as (server, page):
        server.plan.append("refuse")
        got = read(page, "text")
        await page.get_by_role("button", name="Look at what is here").click()
        banner = page.get_by_role("status")
        await expect(banner).to_contain_text("Incomplete: images are missing.")
        assert await violations(page) == []
        await banner.get_by_role("button", name="Why").click()
        await expect(page.get_by_role("alertdialog")).to_contain_text("The firewall is off.")
        await page.get_by_role("button", name="Look at what is here").click()
        await banner.get_by_role("button", name="Try again").click()
        assert await got == IMAGE
        await expect(banner).to_be_hidden()


async def test_a_step_up_leads_to_the_sign_in_and_back_here() -> None:
    async with opened() as (server, page):
        server.plan.append("step-up")
        read(page, "xhr").add_done_callback(lambda done: done.exception())
        link = await page.get_by_role("link", name="Sign in").get_attribute("href")
        back = "%2Fviewer%3FStudyInstanceUIDs%3D1.2.3"
        assert link == f"/.leadglass/v1/login?return={back}&acr_values=mfa+phr&max_age=600"


async def test_a_sign_in_elsewhere_resumes() -> None:
    async with opened() as (server, page):
        server.plan.append("step-up")
        got = read(page, "xhr")
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        await page.evaluate("dispatchEvent(new Event('focus'))")
        await expect(page.get_by_role("alertdialog")).to_be_visible()
        server.signed_in = True
        await page.evaluate("dispatchEvent(new Event('focus'))")
        assert await got == IMAGE


async def test_a_device_that_proves_itself_resumes() -> None:
    async with opened() as (server, page):
        server.plan.append("device")
        got = read(page, "streamed")
        link = await page.get_by_role("link", name="Check this device").get_attribute("href")
        assert link == "/.leadglass/v1/session/device?return=%2Fviewer%3FStudyInstanceUIDs%3D1.2.3"
        proven = "state => document.dispatchEvent(new CustomEvent('leadglass-device', {detail: {state}}))"
        await page.evaluate(proven, "asking")
        await expect(page.get_by_role("alertdialog")).to_be_visible()
        await page.evaluate(proven, "proven")
        assert await got == IMAGE


async def test_what_the_viewer_asked_wrongly_is_its_own() -> None:
    async with opened() as (server, page):
        server.plan += ["malformed"] * 2
        assert await read(page, "text") == "malformed"
        with pytest.raises(Exception, match="state 400"):
            await read(page, "xhr")
        server.plan.append("refuse")
        assert "firewall" in await read(page, "text", "/elsewhere")  # no path of the archive
        assert not await page.get_by_role("alertdialog").is_visible()


async def test_what_changes_something_is_sent_once_and_only_told() -> None:
    async with opened() as (server, page):
        server.plan.append("refuse")
        status = await page.evaluate("fetch('/dicom-web/studies', {method: 'POST', body: 'x'}).then(r => r.status)")
        assert status == 403
        dialog = page.get_by_role("alertdialog")
        await expect(dialog).to_contain_text("The firewall is off.")
        await expect(dialog).not_to_contain_text("not complete")
        await page.get_by_role("button", name="Close").click()
        await expect(dialog).to_be_hidden()
        assert server.asked == [("POST", None)]


async def test_what_the_viewer_gives_up_stays_given_up() -> None:
    async with opened() as (server, page):
        server.plan.append("refuse")
        await page.evaluate(
            """() => {
                window.given = new XMLHttpRequest();
                given.open('GET', '/dicom-web/studies/1');
                given.onload = () => { window.loaded = true; };
                given.send();
            }"""
        )
        await expect(page.get_by_role("alertdialog")).to_be_visible()
        await page.evaluate("given.abort()")
        await page.get_by_role("button", name="Try again").click()
        assert await read(page, "text") == IMAGE
        assert [method for method, _ in server.asked] == ["GET", "GET"]
        assert await page.evaluate("window.loaded") is None


async def test_a_refusal_leads_on_and_back_to_this_page() -> None:
    async with opened() as (server, page):
        server.plan = ["hidden"]
        reading = read(page, "text")
        glass = page.get_by_role("link", name="Break the glass in an emergency")
        await expect(glass).to_have_attribute(
            "href", "/.leadglass/v1/break-glass?return=%2Fviewer%3FStudyInstanceUIDs%3D1.2.3"
        )
        why = page.get_by_role("link", name="Why, and what would help")
        await expect(why).to_have_attribute("href", f"/.leadglass/v1/why?decision={ID}")
        await expect(why).to_have_attribute("target", "_blank")
        assert await page.get_by_role("link").count() == 2
        assert await violations(page) == []
        await page.get_by_role("button", name="Try again").click()
        assert await reading == IMAGE


async def test_a_viewer_for_one_purpose_says_so_with_every_request() -> None:
    async with opened() as (server, page):
        await page.evaluate("window.leadglass = { purpose: 'HRESCH' }")
        for way in WAYS:
            server.plan = ["cut", "refuse"]  # and whenever it asks again
            reading = read(page, way)
            await page.get_by_role("button", name="Try again").click()
            assert await reading == IMAGE
        assert len(server.purposes) == 3 * len(WAYS)
        assert set(server.purposes) == {"HRESCH"}
        await page.evaluate("fetch('/elsewhere').then(reply => reply.text())")
        assert server.purposes[-1] is None
        await page.evaluate("window.leadglass = undefined")
        assert await read(page, "xhr") == IMAGE
        assert server.purposes[-1] is None
