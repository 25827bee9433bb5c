"""The browser of tests, held to a gateway and to planted faults."""

from pathlib import Path

import pytest
from playwright.async_api import Error

from support.browser import chromium, enrolled, violations, visit
from support.gateway import CT, HOST
from support.oidc import DEVICE, ORIGIN, V1, site

pytestmark = pytest.mark.system

_STUDY = f"{ORIGIN}/dicom-web/studies/{CT.uid}/metadata"


async def test_a_person_signs_in_with_a_browser_on_an_enrolled_device(tmp_path: Path) -> None:
    async with site(tmp_path) as here, enrolled(here.run) as port:
        for at, status in (({}, 403), ({f"{HOST}:443": port}, 200)):
            async with chromium(here.run, at=at) as browser, visit(browser) as page:
                await page.goto(f"{ORIGIN}{V1}login")
                await page.wait_for_url(ORIGIN + DEVICE)  # where no agent answers
                answer = await page.goto(_STUDY)
                assert answer is not None
                assert answer.status == status


async def test_what_the_gateway_cuts_is_cut_for_the_browser(tmp_path: Path) -> None:
    async with (
        site(tmp_path) as here,
        enrolled(here.run) as port,
        chromium(at={f"{HOST}:443": port}) as browser,
        visit(browser) as page,
    ):
        await page.goto(f"{ORIGIN}{V1}session")
        await here.run.gateway.listener.stop()
        with pytest.raises(Error, match="net::ERR_"):
            await page.goto(_STUDY)


async def test_axe_sees_a_planted_fault() -> None:
    async with chromium() as browser, visit(browser) as page:
        await page.set_content('<html lang="en"><title>t</title><main><h1>t</h1><img src="data:,"></main></html>')
        assert [fault.partition(":")[0] for fault in await violations(page)] == ["image-alt"]
