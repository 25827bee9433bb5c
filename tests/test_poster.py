"""One post: what counts as taken (the rest is tests/audit/sinks/test_opa_http.py)."""

from pathlib import Path

import pytest
from aiohttp import web

from leadglass.model.errors import ConfigurationError
from leadglass.poster import Poster, Undelivered, bearer


async def test_a_redirect_is_not_followed() -> None:
    heard = []

    async def answer(request: web.Request) -> web.Response:
        heard.append((request.path, request.headers.get("Authorization"), await request.read()))
        raise web.HTTPTemporaryRedirect("/elsewhere")

    app = web.Application()
    app.router.add_post("/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    poster = Poster(f"http://127.0.0.1:{runner.addresses[0][1]}/here", bearer("t"), None, "x.ca", seconds=5)
    try:
        with pytest.raises(Undelivered, match="307"):
            await poster.post(b"body")
    finally:
        await poster.close()
        await runner.cleanup()
    assert heard == [("/here", "Bearer t", b"body")]


def test_a_bundle_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"notices\.webhook\.ca"):
        Poster("https://x.example", {}, tmp_path / "gone.pem", "notices.webhook.ca", seconds=5)
