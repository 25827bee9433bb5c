"""The event channel in a real browser: a page of the gateway hears events until its session ends, a page elsewhere nothing."""

from pathlib import Path

import pytest

from support.browser import chromium, elsewhere, enrolled, until, visit
from support.gateway import CT, HOST, MR, fake_archive
from support.oidc import DEVICE, ORIGIN, V1, site
from support.ups import Ups, allowing, report, workitem

pytestmark = pytest.mark.system
URL = f"wss://{HOST}/dicom-web/subscribers/VIEWER"
OPEN = """url => new Promise(done => {
    window.told = [];
    const socket = new WebSocket(url);
    socket.onopen = () => done('open');
    socket.onmessage = message => window.told.push(message.data);
    socket.onclose = event => { window.code = event.code; done('closed'); };
})"""


async def test_a_page_of_the_gateway_hears_events_and_a_page_elsewhere_does_not(tmp_path: Path) -> None:
    ups = Ups()
    async with (
        fake_archive(more=ups.add_to) as archive,
        site(tmp_path / "site", gateway={"archive": archive, "upstream_more": "enable: [ups-rs.events]"}) as place,
        enrolled(place.run) as device,
        elsewhere(tmp_path / "elsewhere", "evil.example") as at,
        chromium(at={f"{HOST}:443": device} | at) as browser,
        visit(browser) as page,
    ):
        allowing(place.run.folder)
        await place.run.gateway.reload()
        ups.put(workitem("1.9.1", CT.uid), workitem("1.9.2", MR.uid))
        await page.goto(f"{ORIGIN}{V1}login")
        await page.wait_for_url(ORIGIN + DEVICE)
        assert await page.evaluate(OPEN, URL) == "open"
        await ups.tell("VIEWER", report("1.9.2"), report("1.9.1"))
        await until(page, "window.told.length > 0")
        assert await page.evaluate("window.told") == [report("1.9.1")]

        other = await page.context.new_page()
        await other.goto("https://evil.example/")
        assert await other.evaluate(OPEN, URL) == "closed"
        assert len(ups.heads) == 1

        (session,) = place.run.gateway.browsers.sessions.all()
        await place.run.gateway.browsers.sessions.end(session["id"], "lost", {"user": "root"})
        await until(page, "window.code > 0")
        assert await page.evaluate("window.code") == 1008
