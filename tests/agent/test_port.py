import socket

import aiohttp
import pytest
from aiohttp import web

from leadglass_agent.port import Port


async def echo(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.method} {request.raw_path} {len(await request.read())}")


async def mark(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Seen"] = "yes"


async def test_every_request_goes_to_one_place_on_loopback_alone() -> None:
    port = Port(echo, 0, body=10, prepare=mark)
    await port.start()
    assert port.number
    async with aiohttp.ClientSession() as session:
        async with session.put(f"http://127.0.0.1:{port.number}/a//b?c", data=b"x" * 10) as reply:
            assert (await reply.text(), reply.headers["Seen"]) == ("PUT /a//b?c 10", "yes")
        async with session.post(f"http://127.0.0.1:{port.number}/", data=b"x" * 11) as reply:
            assert reply.status == 413
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.2:{port.number}/")
        await port.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port.number}/")


async def test_a_port_that_is_taken_is_an_error_and_one_that_never_opened_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = Port(echo, taken.getsockname()[1])
        await port.close()
        with pytest.raises(OSError, match="in use"):
            await port.start()
        await port.close()
