"""A real browser and a real agent on one machine: signed in, bound to the device, and cut off when the agent is gone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from leadglass.limits import DEVICE_PROOF_SECONDS
from support.browser import answering, chromium, violations, visit
from support.gateway import CT
from support.oidc import DEVICE, ORIGIN, V1, Site, site

pytestmark = pytest.mark.system
METADATA = f"{ORIGIN}/dicom-web/studies/{CT.uid}/metadata"
ASK = "url => fetch(url, {headers: {Accept: 'application/dicom+json'}}).then(reply => reply.status)"


@pytest.fixture
async def place(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Site]:
    async with site(tmp_path, sessions=f"{{device_port: {unused_tcp_port}}}", seconds=86_400) as opened:
        yield opened


async def signed_in(place: Site, page: Page, landing: str = V1 + "session") -> None:
    await page.goto(f"{ORIGIN}{V1}login?return={landing}")


async def test_signing_in_binds_the_session_and_goes_on(place: Site) -> None:
    async with answering(place.run), chromium(place.run) as browser, visit(browser) as page:
        await signed_in(place, page, "/dicom-web/studies")
        await page.wait_for_url(ORIGIN + "/dicom-web/studies")
        await page.goto(ORIGIN + V1 + "session")
        assert await page.evaluate(ASK, METADATA) == 200
        (bound,) = place.events("session-device-bound")
        assert bound["device"]["id"] == place.run.agent.id
        decisions = [line for line in place.run.record("decision") if line.get("device")]
        assert {line["device"]["binding"] for line in decisions} == {"proof"}


async def test_without_an_agent_the_page_says_how_to_get_it(place: Site) -> None:
    async with chromium(place.run) as browser, visit(browser) as page:
        await signed_in(place, page, "/dicom-web/studies")
        status = page.get_by_role("status")
        await expect(status).to_contain_text("No agent answers on this computer")
        await expect(page.get_by_role("heading", name="What you can do")).to_be_visible()
        await expect(page.get_by_text("Start leadglass-agent on this computer")).to_be_visible()
        assert page.url.startswith(ORIGIN + DEVICE)
        assert await violations(page) == []
        assert await page.evaluate(ASK, METADATA) == 403
        async with answering(place.run):  # it looks again by itself, and at once when it is told to
            await page.evaluate("document.dispatchEvent(new Event('leadglass-device-check'))")
            await page.wait_for_url(ORIGIN + "/dicom-web/studies")
            await page.goto(ORIGIN + V1 + "session")
            assert await page.evaluate(ASK, METADATA) == 200


async def test_the_agent_of_another_gateway_and_of_another_user_do_not_sign(place: Site) -> None:
    async with chromium(place.run) as browser, visit(browser) as page:
        async with answering(place.run, gateway="https://pacs.example.org.evil.example"):
            await signed_in(place, page)
            await expect(page.get_by_role("status")).to_contain_text("No agent answers")
        assert place.events("session-device-bound") == []


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "denied"])
async def test_a_browser_that_guards_the_local_network(place: Site, *, allowed: bool) -> None:
    """Local Network Access: a page from elsewhere may reach programs on this computer if the person lets it."""
    elsewhere = f"--ip-address-space-overrides=127.0.0.1:{place.run.https.port}=public"
    async with answering(place.run), chromium(place.run, more=[elsewhere]) as browser, visit(browser) as page:
        if allowed:
            await page.context.grant_permissions(["local-network-access"], origin=ORIGIN)
        await signed_in(place, page)
        told = "This computer is known." if allowed else "No agent answers on this computer"
        await expect(page.get_by_role("status")).to_contain_text(told)
        if not allowed:
            await expect(page.get_by_text("allow it in the settings of the site")).to_be_visible()
        assert len(place.events("session-device-bound")) == allowed


async def test_scripts_off(place: Site) -> None:
    async with chromium(place.run) as browser, visit(browser, java_script_enabled=False) as page:
        await page.goto(ORIGIN + V1 + "login")
        await expect(page.get_by_text("Your browser runs no scripts")).to_be_visible()
        await expect(page.get_by_role("link", name="Continue")).to_be_visible()


async def passing(place: Site, page: Page, seconds: int) -> None:
    """Let time pass for the gateway, for the device, which reports, and for the page."""
    place.run.clock.advance(seconds)
    place.run.agent.nonce = place.run.gateway.devices.nonces.new()
    await place.run.tell()
    await page.clock.fast_forward(seconds * 1000)


async def test_it_is_renewed_while_the_page_is_open_and_lapses_when_the_agent_is_gone(place: Site) -> None:
    run = place.run
    async with chromium(run) as browser, visit(browser) as page:
        await page.clock.install()
        async with answering(place.run):
            await signed_in(place, page)
            await page.wait_for_url(ORIGIN + V1 + "session")
            await expect(page.get_by_role("status")).to_have_text("This computer is known.")
            for _ in range(3):
                async with page.expect_response(lambda reply: reply.request.method == "POST" and DEVICE in reply.url):
                    await passing(place, page, 240)
                assert await page.evaluate(ASK, METADATA) == 200
        await passing(place, page, 240)
        await expect(page.get_by_role("status")).to_contain_text("No agent answers")
        await passing(place, page, DEVICE_PROOF_SECONDS - 240)
        assert await page.evaluate(ASK, METADATA) == 403
        async with answering(place.run):
            await page.clock.fast_forward(60_000)
            await expect(page.get_by_role("status")).to_have_text("This computer is known.")
        assert await page.evaluate(ASK, METADATA) == 200
    await run.gateway.browsers.bindings.look()
    assert len(place.events("session-device-bound")) == 2


async def test_a_page_of_another_site_gets_nothing_from_the_agent(place: Site) -> None:
    attack = """async url => {
        const told = [];
        for (const media of ["application/json", "text/plain"]) {
            try {
                const reply = await fetch(url, {method: "POST", headers: {"Content-Type": media},
                    body: JSON.stringify({nonce: "n", sid: "s"})});
                told.push(await reply.text());
            } catch (error) { told.push("blocked"); }
        }
        return told;
    }"""
    async with (
        answering(place.run) as port,
        chromium(place.run, at={"evil.example:80": port.port}) as browser,
        visit(browser) as page,
    ):
        await page.goto("data:text/html,<p>evil</p>")
        assert await page.evaluate(attack, f"http://127.0.0.1:{port.port}/v1/proof") == ["blocked", "blocked"]
        reply = await page.goto("http://evil.example/")  # the same port by another name: DNS rebinding
        assert reply is not None
        assert reply.status == 403
        told = await page.evaluate(attack, "/v1/proof")
        assert all('"proof"' not in text for text in told)
