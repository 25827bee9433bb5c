"""One piece of memory for all connections: never read into while anybody still holds a part of it."""

import asyncio
import socket
import ssl
from functools import partial
from pathlib import Path

import pytest

from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.settings import Address
from leadglass.limits import UPSTREAM_READ_BYTES, UPSTREAM_START_BYTES
from leadglass.model.ask import Ask
from leadglass.model.permit import Sealed
from leadglass.model.ports import BodySource, Reply
from leadglass.model.request import CleanRequest
from leadglass.upstream.memory import Memory
from leadglass.upstream.upstream import Upstream
from support.door import DECISION, TEXT, door, get
from support.doortls import TlsDoor, tls_door
from support.rawupstream import Exchange, raw_upstream
from support.upstreams import opened, permit

_SIZE = 3 * 1024 * 1024 + 17
_CLIENTS = 6


def _body(number: int) -> bytes:
    return bytes([number + 1]) * _SIZE


async def _answer(exchange: Exchange) -> None:
    number = int(exchange.head.split(b"/studies/", 1)[1].split(b" ", 1)[0])
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _SIZE + _body(number))


async def _relay(upstream: Upstream, request: CleanRequest, _: BodySource, reply: Reply) -> None:
    ask = Ask("GET", "dicomweb", request.path, authority="pacs.example.org")
    answer = await upstream.open(permit(request.path), ask)
    await reply.forward(Sealed(200, TEXT, answer, answer.length), DECISION)


async def _fetch(address: Address, number: int, tls: ssl.SSLContext | None) -> bytes:
    """Fetch a reply through a small receive buffer: most of what is written has to wait."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    line.setblocking(False)  # noqa: FBT003 - the name of it says which
    await asyncio.get_running_loop().sock_connect(line, (address.host, address.port))
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection(sock=line, ssl=tls, server_hostname=name, limit=16 * 1024)
    try:
        writer.write(get(f"/studies/{number}"))
        await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(_SIZE)
    finally:
        writer.close()


async def _side_by_side(folder: Path, *, secure: bool) -> list[bool]:
    """Fetch different replies at the same time; return of each whether it is its own."""
    async with (
        raw_upstream(_answer) as archive,
        opened(archive.url) as upstream,
        tls_door(folder, bounds=Bounds()) if secure else door(bounds=Bounds()) as front,
        asyncio.timeout(60),
    ):
        front.pipeline.act = partial(_relay, upstream)
        tls = front.context() if isinstance(front, TlsDoor) else None
        bodies = await asyncio.gather(*(_fetch(front.address, number, tls) for number in range(_CLIENTS)))
    return [body == _body(number) for number, body in enumerate(bodies)]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_nobody_gets_bytes_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, secure: bool) -> None:
    given: list[Memory] = []
    renew = Memory.renew

    def watched(self: Memory) -> None:
        given.append(self)
        renew(self)

    monkeypatch.setattr(Memory, "renew", watched)
    assert await _side_by_side(tmp_path, secure=secure) == [True] * _CLIENTS
    assert secure or len(given) > _CLIENTS  # else nobody was kept waiting, and nothing has been shown


def test_renewed_memory_is_another() -> None:
    memory = Memory()
    held = memory.whole[:4]
    held[:] = b"mine"
    memory.renew()
    memory.start[:4] = b"next"
    assert bytes(held) == b"mine"
    assert (len(memory.start), len(memory.whole)) == (UPSTREAM_START_BYTES, UPSTREAM_READ_BYTES)
