"""A viewer on another origin, in a real browser: it reads with a token where its origin is listed, and nowhere else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Error

from support.browser import chromium, elsewhere, enrolled, visit
from support.gateway import CT, HOST, Running, running

pytestmark = pytest.mark.system
VIEWER, NEAR = "viewer.example.org", "viewer.example.org.evil.example"
METADATA = f"https://{HOST}/dicom-web/studies/{CT.uid}/metadata"
READ = """async ([url, token]) => {
    const headers = {Accept: 'multipart/related; type="application/dicom", application/dicom+json'};
    if (token) headers.Authorization = `Bearer ${token}`;
    const reply = await fetch(url, {headers});
    const told = name => reply.headers.get(name);
    return {status: reply.status, id: told('Leadglass-Decision-Id'), challenge: told('WWW-Authenticate'), body: await reply.json()};
}"""


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Running]:
    def change(folder: Path) -> None:
        with (folder / "leadglass.yaml").open("a") as file:
            file.write(f"cors: {{origins: [https://{VIEWER}]}}\n")

    async with running(tmp_path, change=change) as run:
        yield run


async def read(browser: Browser, host: str, *asked: str, times: int = 1) -> Any:  # noqa: ANN401 - as JSON is
    async with visit(browser) as page:
        await page.goto(f"https://{host}/")
        return [await page.evaluate(READ, [METADATA, *asked]) for _ in range(times)]


async def test_a_page_of_a_listed_origin_reads_with_a_token_and_a_near_one_cannot(run: Running, tmp_path: Path) -> None:
    async with enrolled(run) as device, elsewhere(tmp_path / "elsewhere", VIEWER, NEAR) as at:
        names = {f"{HOST}:443": device} | at
        async with chromium(at=names) as browser:
            before = run.gateway.listener.counts.requests
            first, again = await read(browser, VIEWER, run.token(), times=2)
            assert (first["status"], again["status"]) == (200, 200)
            assert first["body"][0]["0020000D"]["Value"] == [CT.uid]
            assert run.gateway.listener.counts.requests == before + 3  # one preflight, which the browser keeps
            (refused,) = await read(browser, VIEWER)
            assert (refused["status"], refused["body"]["reasons"]) == (401, ["user-unauthenticated"])
            assert refused["challenge"].startswith("Bearer ")
            assert refused["id"] == refused["body"]["decision_id"]

            run.archive.clear()
            with pytest.raises(Error, match="Failed to fetch"):
                await read(browser, NEAR, run.token())
            assert run.archive.asked == []  # its browser asked first
