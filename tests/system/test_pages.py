"""Every page that a person may meet, in a browser: axe-core finds nothing at fault, with and without light, wide and narrow."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from leadglass.policy import sources
from support.browser import chromium, enrolled, picture, violations, visit
from support.gateway import HOST
from support.oidc import ORIGIN, V1, Site, site

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

Way: TypeAlias = Callable[[Page, Site], Awaitable[None]]


async def _sign_in(page: Page, here: Site, at: str = "session") -> None:
    here.oidc.acr = "mfa"
    await page.goto(f"{ORIGIN}{V1}login?issuer={here.oidc.url}")
    await page.goto(f"{ORIGIN}{V1}{at}")


async def _not_signed_in(page: Page, _: Site) -> None:
    await page.goto(f"{ORIGIN}/dicom-web/studies")


async def _refused(page: Page, here: Site) -> None:
    await _sign_in(page, here)
    await here.run.tell("fail")
    await page.goto(f"{ORIGIN}/dicom-web/studies")
    await here.run.tell("pass")


async def _step_up(page: Page, here: Site) -> None:
    here.oidc.acr = "pwd"
    await page.goto(f"{ORIGIN}{V1}login?issuer={here.oidc.url}")
    await page.goto(f"{ORIGIN}/dicom-web/studies")


async def _choose(page: Page, _: Site) -> None:
    await page.goto(f"{ORIGIN}{V1}login?return=/viewer")


async def _sign_in_refused(page: Page, _: Site) -> None:
    await page.goto(f"{ORIGIN}{V1}callback?state=forged&code=x")


async def _device(page: Page, here: Site) -> None:
    await _sign_in(page, here, "session/device")
    await expect(page.get_by_role("status")).to_contain_text("No agent answers")


async def _no_session(page: Page, _: Site) -> None:
    await page.goto(f"{ORIGIN}{V1}session")


async def _sessions(page: Page, here: Site) -> None:
    sessions = here.run.gateway.browsers.sessions
    for old in sessions.all():  # those of other tests
        await sessions.end(old["id"], "ended-by-administrator", {})
    for _ in range(2):
        await here.signed_in(f"?issuer={here.oidc.url}")
    await _sign_in(page, here)


async def _sign_out(page: Page, here: Site) -> None:
    await _sign_in(page, here, "logout")


async def _signed_out(page: Page, _: Site) -> None:
    await page.goto(f"{ORIGIN}{V1}logout")


async def _emergency(page: Page, _: Site) -> None:
    await page.goto(f"{ORIGIN}{V1}emergency")


async def _break_glass(page: Page, here: Site) -> None:
    await _sign_in(page, here, "break-glass?return=/dicom-web/studies")


async def _why(page: Page, here: Site) -> None:
    await _refused(page, here)
    await page.get_by_role("link", name="Why").click()


PAGES: dict[str, tuple[Way, str]] = {  # how one comes to a page -> its title
    "not-signed-in": (_not_signed_in, "Not signed in"),
    "refused": (_refused, "Device not healthy"),
    "step-up": (_step_up, "Second factor required"),
    "choose-issuer": (_choose, "Sign in"),
    "sign-in-refused": (_sign_in_refused, "Not signed in"),
    "device": (_device, "Checking this device"),
    "no-session": (_no_session, "You are not signed in"),
    "sessions": (_sessions, "You are signed in"),
    "sign-out": (_sign_out, "Sign out"),
    "signed-out": (_signed_out, "You are signed out"),
    "emergency": (_emergency, "Emergency code"),
    "break-glass": (_break_glass, "Break the glass"),
    "why": (_why, "Why this was refused"),
}
LOOKS = {"light": {"color_scheme": "light"}, "dark": {"color_scheme": "dark"}}
SIZES = {"wide": {"width": 1000, "height": 640}, "narrow": {"width": 320, "height": 640}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "policies/data").mkdir(parents=True)
    shipped = (sources.shipped() / "data/break_glass.yaml").read_text()
    (folder / "policies/data/break_glass.yaml").write_text(shipped.replace("enabled: false", "enabled: true"))
    async with site(folder, providers=2) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(here: Site) -> AsyncIterator[Browser]:
    async with enrolled(here.run) as port, chromium(at={f"{HOST}:443": port}) as started:
        yield started


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_shuts_nobody_out(here: Site, browser: Browser, name: str, look: str, size: str) -> None:
    way, title = PAGES[name]
    async with visit(browser, viewport=SIZES[size], **LOOKS[look]) as page:
        elsewhere: list[str] = []
        page.on("request", lambda request: elsewhere.append(request.url))
        await way(page, here)
        await expect(page).to_have_title(title)
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        assert await violations(page) == []
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, "it scrolls sideways"
        ours = (ORIGIN, here.oidc.url, *(other.url for other in here.others), here.run.gateway.settings.sessions.agent)
        assert [url for url in elsewhere if not url.startswith(ours)] == []
        await picture(page, f"page-{name}-{look}-{size}")


async def test_a_page_works_by_keyboard_alone(here: Site, browser: Browser) -> None:
    async with visit(browser, java_script_enabled=False) as page:
        await _sessions(page, here)
        before = await page.get_by_role("button", name="End it: the session since").count()
        assert before >= 2
        for _ in range(2):  # past "Sign out" to the first of the others
            await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="End it: the session since").first).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="End it: the session since")).to_have_count(before - 1)
        await page.goto(f"{ORIGIN}{V1}logout")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page).not_to_have_title("Sign out")


async def test_a_fault_in_a_page_is_seen(browser: Browser) -> None:
    async with visit(browser) as page:
        await page.set_content(
            '<html lang="en"><title>x</title><main><h1>x</h1><p style="color:#aaa">pale</p></main></html>'
        )
        assert [fault.partition(":")[0] for fault in await violations(page)] == ["color-contrast"]
