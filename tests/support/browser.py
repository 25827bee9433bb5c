"""Chromium without a window, driven with Playwright: what people see is tested where they see it.

    async with chromium(run) as browser, visit(browser) as page:
        await page.goto(ORIGIN + "/.leadglass/v1/session")
        assert await violations(page) == []

The browser takes the gateway of a test for `HOST` on port 443, as people's browsers do. `enrolled` puts the device's
certificate between the two. Tests that ask for it are `@pytest.mark.system` and are skipped where Chromium is not.
"""

import asyncio
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from leadglass.hazmat.servercert import make_server_files
from leadglass_agent.keys import SoftwareKey
from leadglass_agent.proof import ProofPort
from leadglass_agent.state import State
from support.gateway import HOST, OWNER, Running
from support.tools import missing

_TOOLS = Path(__file__).parents[2] / ".tools"
# As root in a container there is no sandbox, no GPU and nobody to update for. SwiftShader draws WebGL on the processor.
_FLAGS = (
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
)  # fmt: skip
_PUMPED = 65_536
_LOOK_MS = 50


def package(name: str) -> Path:
    """Return the folder of an npm package that tests/provision.sh has fetched. Without it the test is skipped."""
    folder = _TOOLS / "npm" / name
    if not folder.is_dir():
        missing(f"the npm package {name}")
    return folder


@asynccontextmanager
async def chromium(
    *gateways: Running, at: Mapping[str, int] | None = None, more: Iterable[str] = ()
) -> AsyncIterator[Browser]:
    """Start Chromium. `at` maps authorities (host:port) to ports of loopback, beside the gateway at HOST:443.

    `more` are further flags.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("Chromium (Debian: chromium)")
    places = {f"{HOST}:443": run.https.port for run in gateways} | dict(at or {})
    rules = ",".join(f"MAP {name} 127.0.0.1:{port}" for name, port in places.items())
    flags = [*_FLAGS, *more, *([f"--host-resolver-rules={rules}"] if rules else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, chromium_sandbox=False, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visit(browser: Browser, **options: Any) -> AsyncIterator[Page]:  # noqa: ANN401 - those of Playwright
    """Open a page of a person with no past: no cookies, no cache. Certificates of tests are taken as they are."""
    context = await browser.new_context(ignore_https_errors=True, **options)
    try:
        yield await context.new_page()
    finally:
        await context.close()


@asynccontextmanager
async def elsewhere(folder: Path, *names: str) -> AsyncIterator[dict[str, int]]:
    """Serve an empty page of other origins, https and these names; give where each is, as `chromium` takes it."""
    files = make_server_files(folder, names, time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>elsewhere</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield dict.fromkeys((f"{name}:443" for name in names), int(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


@asynccontextmanager
async def enrolled(run: Running) -> AsyncIterator[int]:
    """Listen as the gateway does and pass on what comes with the device's certificate; give the port.

    A reply that the gateway cuts is cut here too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(run.folder / "tls/server.pem", run.folder / "tls/server.key")
    open_now: set[asyncio.StreamWriter] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(_PUMPED):
                writer.write(piece)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            ahead = await asyncio.open_connection(run.https.host, run.https.port, ssl=run.context, server_hostname=HOST)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, ahead[1]}
        open_now.update(both)
        await asyncio.gather(pump(reader, ahead[1]), pump(ahead[0], writer))
        open_now.difference_update(both)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_now:
            writer.transport.abort()
        await server.wait_closed()


@asynccontextmanager
async def answering(
    run: Running, *, gateway: str = f"https://{HOST}", uids: tuple[int, ...] = (os.getuid(),)
) -> AsyncIterator[ProofPort]:
    """Let the agent of the enrolled device answer pages of `gateway`, where the gateway tells pages to look for it."""
    key, state = SoftwareKey(run.agent.key.private), State(gateway, run.agent.id, OWNER, ())
    port = ProofPort(
        key, state, run.gateway.settings.sessions.device_port, uids=uids,
        now=run.clock.now, monotonic=run.clock.monotonic,
    )  # fmt: skip
    await port.start()
    try:
        yield port
    finally:
        await port.close()


@cache
def _axe() -> str:
    return (package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


async def violations(page: Page, part: str = "html") -> list[str]:
    """Return what axe-core finds at fault with the page, or with a part of it: one line an element."""
    await page.evaluate(_axe())
    found = await page.evaluate("part => axe.run(part).then(told => told.violations)", part)
    return [f"{fault['id']}: {node['html']} ({fault['help']})" for fault in found for node in fault["nodes"]]


async def picture(page: Page, name: str) -> None:
    """Take the picture `name` of the docs, when the environment says where pictures go (`PICTURES=docs/images`)."""
    if folder := os.environ.get("PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


# How many grey values the image on the canvas has; an empty one has one.
_GREYS = """() => {
    const canvas = document.querySelector('.cornerstone-canvas');
    if (!canvas || !canvas.width) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(data.filter((_, at) => at % 4 === 0)).size;
}"""


async def until(page: Page, condition: str, *, seconds: float = 30.0) -> None:
    """Wait until an expression is true on the page. Playwright's own wait evaluates text there, which our pages forbid (CSP)."""
    async with asyncio.timeout(seconds):
        await page.evaluate(
            f"() => new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, {_LOOK_MS}); look(); }})"
        )


async def drawn(page: Page) -> None:
    """Wait until OHIF has drawn an image."""
    await until(page, f"({_GREYS})() > 3", seconds=90.0)
