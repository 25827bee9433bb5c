"""A viewer of another origin at the loopback door, in a real browser that guards the local network."""

from pathlib import Path

import pytest
from playwright.async_api import Error

from leadglass_agent.loopback import Loopback
from leadglass_agent.token import FileToken
from support.browser import chromium, elsewhere, visit
from support.enrolled import Enrolled
from support.fakegateway import FakeGateway
from support.viewer import SECRET

pytestmark = pytest.mark.system
VIEWER, NEAR = "viewer.example.org", "viewer.example.org.evil.example"
READ = """url => fetch(url, {headers: {Accept: 'multipart/related; type="application/dicom"'}}).then(reply => reply.status)"""


async def test_a_listed_viewer_reads_by_way_of_the_agent_and_a_near_one_cannot(
    enrolled: Enrolled, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("the-token")
    token = FileToken(tmp_path / "token")
    door = Loopback(enrolled.member, token, 0, secret=SECRET, origins=(f"https://{VIEWER}",))
    await door.start()
    try:
        async with elsewhere(tmp_path / "elsewhere", VIEWER, NEAR) as at:
            # Pages from elsewhere count as public: the browser asks the person before it lets them reach this machine.
            public = f"--ip-address-space-overrides=127.0.0.1:{at[f'{VIEWER}:443']}=public"
            async with chromium(at=at, more=[public]) as browser:
                for host, allowed, reads in ((VIEWER, True, True), (VIEWER, False, False), (NEAR, True, False)):
                    before = gateway.asked.count("pacs")
                    async with visit(browser) as page:
                        if allowed:
                            await page.context.grant_permissions(["local-network-access"], origin=f"https://{host}")
                        await page.goto(f"https://{host}/")
                        if reads:
                            assert await page.evaluate(READ, f"{door.base}/dicom-web/studies") == 200
                        else:
                            with pytest.raises(Error, match="Failed to fetch"):
                                await page.evaluate(READ, f"{door.base}/dicom-web/studies")
                    assert gateway.asked.count("pacs") == before + reads
    finally:
        await door.close()
