"""Conversations with a provider: bounded, JSON or nothing, and nothing followed."""

from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from leadglass.identity.wire import HttpWire
from leadglass.limits import PROVIDER_REPLY_BYTES
from leadglass.model.login import ProviderUnavailable


async def answer(request: web.Request) -> web.Response:
    if request.path == "/form":
        return web.json_response({"auth": request.headers.get("Authorization"), **dict(await request.post())})
    replies: dict[str, Callable[[], web.Response]] = {
        "/refused": lambda: web.json_response({"error": "invalid_grant"}, status=400),
        "/empty": web.Response,
        "/busy": lambda: web.json_response({"error": "slow_down"}, status=429),
        "/broken": lambda: web.json_response({}, status=500),
        "/moved": lambda: web.Response(status=302, headers={"Location": "/form"}, text="<html>"),
        "/twice": lambda: web.Response(text='{"a": 1, "a": 2}'),
        "/list": lambda: web.Response(text="[]"),
        "/large": lambda: web.Response(body=b" " * (PROVIDER_REPLY_BYTES + 1)),
    }
    return replies[request.path]()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{any}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_what_is_asked_and_answered(url: str) -> None:
    wire = HttpWire()
    assert await wire(f"{url}/form", {"a": "b c"}, "Basic x") == (200, {"auth": "Basic x", "a": "b c"})
    assert await wire(f"{url}/refused") == (400, {"error": "invalid_grant"})
    assert await wire(f"{url}/empty") == (200, {})
    await wire.close()


@pytest.mark.parametrize("path", ["broken", "busy", "moved", "twice", "list", "large"])
async def test_what_cannot_be_used_says_so_and_quotes_nothing(url: str, path: str) -> None:
    wire = HttpWire()
    with pytest.raises(ProviderUnavailable) as unavailable:
        await wire(f"{url}/{path}?secret=1", {"code": "very-secret"})
    assert "secret" not in unavailable.value.cause
    await wire.close()


async def test_nobody_there() -> None:
    wire = HttpWire()
    with pytest.raises(ProviderUnavailable):
        await wire("http://127.0.0.1:1/x")
    await wire.close()
