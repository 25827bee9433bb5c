"""The tour's browser tells a whole reply from one that was cut, and says where a sign-in stopped.

tests/system/test_demo.py lets it sign in for real.
"""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from leadglass.clock import SystemClock
from leadglass.demo.browser import Browser, Sip, _rest
from leadglass.demo.idp import IdentityProvider
from leadglass.demo.world import DemoError, World
from leadglass.hazmat.servercert import make_server_files


@pytest.mark.parametrize(
    ("body", "whole"),
    [(b"5\r\nhello\r\n0\r\n\r\n", True), (b"5\r\nhello\r\n", False), (b"", False)],
    ids=["whole", "ended between chunks", "nothing"],
)
async def test_a_reply_is_whole_when_its_last_chunk_has_come(body: bytes, *, whole: bool) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(body)
    reader.feed_eof()
    assert await _rest(reader) == Sip(len(body), whole)


async def test_a_reset_is_a_cut() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"5\r\nhello\r\n0\r\n\r\n")
    reading = asyncio.ensure_future(_rest(reader))
    await asyncio.sleep(0)
    reader.set_exception(ConnectionResetError())
    assert (await reading).came == 15
    broken = asyncio.StreamReader()
    broken.set_exception(ConnectionResetError())
    assert await _rest(broken) == Sip(0, whole=False)


async def test_a_sign_in_that_stops_says_where(tmp_path: Path) -> None:
    app = web.Application()  # it knows no path at all
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    make_server_files(tmp_path / "tls", ("127.0.0.1",), SystemClock().now())
    public = f"http://127.0.0.1:{runner.addresses[0][1]}"
    world = World(tmp_path, public, "", "", IdentityProvider("http://127.0.0.1:1", SystemClock()))
    try:
        async with Browser(world) as browser:
            with pytest.raises(DemoError, match="v1/login with 404"):
                await browser.sign_in("radiologist")
            with pytest.raises(DemoError, match="session/device answered 404"):
                await browser.show_device()
    finally:
        await runner.cleanup()
