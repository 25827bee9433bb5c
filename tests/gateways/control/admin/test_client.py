"""What the command line hears from the admin socket."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from leadglass.gateways.control.admin import client as module
from leadglass.gateways.control.admin.client import AdminRefused, GatewayAbsent, ask
from leadglass.gateways.control.sockets import UnixServer, bind
from support.control import Control


async def test_an_answer_is_given(control: Control) -> None:
    assert await asyncio.to_thread(ask, control.admin, "GET", "/status") == {"version": "0.1.0"}
    made = await asyncio.to_thread(
        ask, control.admin, "POST", "/devices/codes", {"owner": "dr.smith", "issuer": "https://idp.example.org"}
    )
    assert made["owner"] == "dr.smith"


async def test_a_refusal_carries_words_and_a_hint(control: Control) -> None:
    with pytest.raises(AdminRefused) as caught:
        await asyncio.to_thread(ask, control.admin, "GET", "/devices/nobody")
    assert (caught.value.status, caught.value.hint) == (404, "`leadglass device list` shows all")


@pytest.mark.parametrize("kind", ["nothing", "dead", "file"])
def test_a_gateway_that_is_not_there_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "admin.sock"
    if kind == "dead":
        bind(path).close()
    elif kind == "file":
        path.touch()
    with pytest.raises(GatewayAbsent, match="no gateway answers"):
        ask(path, "GET", "/status")


async def answering(path: Path, handler: Callable[[web.Request], Awaitable[web.Response]]) -> UnixServer:
    app = web.Application()
    app.router.add_get("/status", handler)
    server = UnixServer(app, path)
    await server.start()
    return server


async def test_another_service_on_the_socket_is_said(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    server = await answering(tmp_path / "admin.sock", handler)
    with pytest.raises(AdminRefused, match="answered 200"):
        await asyncio.to_thread(ask, tmp_path / "admin.sock", "GET", "/status")
    await server.close()


async def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ADMIN_SECONDS", 0.05)

    async def handler(got: web.Request) -> web.Response:
        while got.transport is not None:  # noqa: ASYNC110 - aiohttp says only so that the client hung up
            await asyncio.sleep(0.01)
        return web.Response()

    server = await answering(tmp_path / "admin.sock", handler)
    with pytest.raises(GatewayAbsent, match="did not answer"):
        await asyncio.to_thread(ask, tmp_path / "admin.sock", "GET", "/status")
    await server.close()
