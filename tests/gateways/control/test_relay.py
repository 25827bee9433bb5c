"""The relay carries method, path, media type, body and sealed facts, and nothing else of a client's."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from leadglass.gateways.control import relay as module
from leadglass.gateways.control.peer import HEADER, PeerSeal
from leadglass.gateways.control.relay import ControlRelay
from leadglass.gateways.control.sockets import UnixServer
from leadglass.limits import CONTROL_BODY_BYTES, CONTROL_CONNECTIONS, CONTROL_REPLY_BYTES
from leadglass.model.errors import Refusal
from leadglass.model.ports import ControlDoor
from leadglass.model.request import Headers
from support.control import request
from support.device import peer

SEAL = PeerSeal()
JSON = Headers({"content-type": "application/json"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def asked(folder: Path, handler: Handler, headers: Headers = JSON) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return what the relay makes of the reply of `handler`."""
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{tail:.*}", handler)
    server = UnixServer(app, folder / "control.sock")
    await server.start()
    try:
        async with ControlRelay(folder / "control.sock", SEAL) as relay:
            door: ControlDoor = relay
            reply = await door.ask(request("/.leadglass/v1/enrol", headers=headers), b'{"a":1}', peer("AQ"))
            return reply.status, dict(reply.headers), reply.body
    finally:
        await server.close()


async def test_only_what_is_listed_travels(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def handler(got: web.Request) -> web.Response:
        seen.append(got)
        assert await got.read() == b'{"a":1}'
        answer = web.Response(status=201, text="{}", content_type="application/json")
        answer.set_cookie("x", "y")
        answer.headers["X-Internal"] = "1"
        answer.headers["Retry-After"] = "7"
        return answer

    evil = {HEADER.lower(): "forged", "cookie": "c", "authorization": "Bearer t", "content-type": "application/json"}
    status, headers, body = await asked(tmp_path, handler, headers=Headers(evil))
    assert (status, body) == (201, b"{}")
    assert set(headers) == {b"content-type", b"retry-after", b"cache-control"}
    assert SEAL.open(seen[0].headers[HEADER], "POST", "/.leadglass/v1/enrol") == peer("AQ")
    assert {name.lower() for name in seen[0].headers} == {
        "host",
        HEADER.lower(),
        "content-type",
        "content-length",
        "connection",
    }


@pytest.mark.parametrize("size", [CONTROL_REPLY_BYTES, CONTROL_REPLY_BYTES + 1])
async def test_replies_are_bounded(tmp_path: Path, size: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * size)

    if size > CONTROL_REPLY_BYTES:
        with pytest.raises(Refusal, match="internal-fault"):
            await asked(tmp_path, handler)
    else:
        assert len((await asked(tmp_path, handler))[2]) == size


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://elsewhere.test/"})

    status, headers, _ = await asked(tmp_path, handler)
    assert status == 302
    assert b"location" not in headers


async def test_a_control_side_that_hangs_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONTROL_SECONDS", 0.05)

    async def handler(got: web.Request) -> web.Response:
        while got.transport is not None:  # noqa: ASYNC110 - aiohttp says only so that the client hung up
            await asyncio.sleep(0.01)
        return web.Response()

    with pytest.raises(Refusal, match="internal-fault") as caught:
        await asked(tmp_path, handler)
    assert "Timeout" in caught.value.detail


async def test_one_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    async with ControlRelay(tmp_path / "nothing.sock", SEAL) as relay:
        with pytest.raises(Refusal, match="internal-fault"):
            await relay.ask(request("/.leadglass/v1/enrol"), b"", peer())


async def test_a_query_and_a_large_body_are_refused_here(tmp_path: Path) -> None:
    async with ControlRelay(tmp_path / "nothing.sock", SEAL) as relay:
        with pytest.raises(Refusal, match="http-malformed"):
            await relay.ask(request("/.leadglass/v1/enrol", query=(("a", "1"),)), b"", peer())
        with pytest.raises(Refusal, match="body-too-large"):
            await relay.ask(request("/.leadglass/v1/enrol"), b"x" * (CONTROL_BODY_BYTES + 1), peer())


@pytest.mark.parametrize(
    ("waits", "method"),
    [
        ("login", "GET"),
        ("callback", "GET"),
        ("logout", "POST"),
        ("backchannel-logout", "POST"),
        ("signals", "POST"),
        ("why", "GET"),
    ],
)
async def test_whoever_waits_for_an_issuer_keeps_no_device_from_being_seen(
    tmp_path: Path, waits: str, method: str
) -> None:
    """A slow issuer, or strangers that have it asked, must not end what runs: no posture and no proof waits behind."""
    waiting, enough, go_on = 0, asyncio.Event(), asyncio.Event()

    async def handler(got: web.Request) -> web.Response:
        nonlocal waiting
        if got.path.endswith(f"/{waits}"):
            waiting += 1
            if waiting == CONTROL_CONNECTIONS:
                enough.set()
            await go_on.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    server = UnixServer(app, tmp_path / "control.sock")
    await server.start()
    try:
        async with ControlRelay(tmp_path / "control.sock", SEAL) as relay, asyncio.TaskGroup() as group:
            for _ in range(CONTROL_CONNECTIONS + 1):
                group.create_task(relay.ask(request(f"/.leadglass/v1/{waits}", method), b"", peer()))
            await enough.wait()
            async with asyncio.timeout(5):
                for path in ("posture", "session/device", "session", "nonce"):
                    assert (await relay.ask(request(f"/.leadglass/v1/{path}"), b"{}", peer("AQ"))).status == 200
            go_on.set()
    finally:
        await server.close()
