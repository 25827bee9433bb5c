"""The PROXY v2 header before the handshake: read to the byte, from trusted proxies alone, and never in vain."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from leadglass.codec.proxyv2 import ProxyHeaderError, Source
from leadglass.gateways.http.preface import NothingSaidError, read_preface
from support.door import QUICK, Door, RawClient, closed, door, get
from support.doortls import authority, identity, tls_door
from support.proxies import V2, XFF
from support.proxyv2 import LOCAL, REFUSED, header


async def feed(*pieces: bytes, end: bool = True) -> tuple[Source | None, bytes]:
    """Return what was read of the pieces, and what was left in the socket."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        theirs.settimeout(0)

        async def say() -> None:
            with suppress(OSError):
                for piece in pieces:
                    await loop.sock_sendall(theirs, piece)
                    await asyncio.sleep(0)
                if end:
                    theirs.shutdown(socket.SHUT_WR)

        saying = asyncio.ensure_future(say())
        try:
            said = await read_preface(ours, 0.3)
        finally:
            await saying
        return said, await loop.sock_recv(ours, 65_536)


async def test_not_one_byte_of_the_client_is_taken() -> None:
    data = header("192.0.2.9", 4711) + b"client"
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))], [data[:13], data[13:30], data[30:]]):
        said, left = await feed(*pieces)
        assert said == Source("192.0.2.9", 4711)
        assert left == b"client"[: len(left)]
    assert await feed(LOCAL, b"x") == (None, b"x")


@pytest.mark.parametrize("bytewise", [False, True])
@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_believed_is_refused(data: bytes, why: str, bytewise: bool) -> None:  # noqa: FBT001 - a row
    pieces = [data[n : n + 1] for n in range(len(data))] if bytewise else [data]
    with pytest.raises(ProxyHeaderError, match=why):
        await feed(*pieces)


async def test_a_slow_header_ends_in_time_and_another_protocol_at_once() -> None:
    with pytest.raises(TimeoutError):
        await feed(header("192.0.2.9")[:20], end=False)
    with pytest.raises(ProxyHeaderError, match="no PROXY v2"):
        await feed(b"P", end=False)
    with pytest.raises(NothingSaidError):
        await feed()


# --- at the door -----------------------------------------------------------------------------------------------------
async def client_of(running: Door, *before: bytes, send: bytes = b"") -> tuple[int | None, bytes]:
    """Return the status of the reply to one request behind these bytes, None when there was none, and the rest."""
    async with running.client() as client:
        await client.send(b"".join(before) + (send or get()))
        try:
            return (await client.reply())[0], b""
        except (asyncio.IncompleteReadError, ConnectionError):
            return None, b""


async def test_the_client_is_whom_the_header_names() -> None:
    async with door(proxies=[V2]) as running:
        for source, ip in (
            ("192.0.2.9", "192.0.2.9"),
            ("::ffff:192.0.2.8", "192.0.2.8"),
            ("2001:db8::9", "2001:db8::9"),
        ):
            assert await client_of(running, header(source, 4711)) == (200, b"")
            peer = running.pipeline.incoming[-1].peer
            assert (peer.ip, peer.port) == (ip, 4711)
        assert await client_of(running, LOCAL) == (200, b"")
        assert running.pipeline.incoming[-1].peer.ip == "127.0.0.1"


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
async def test_the_door_lets_nothing_through_without_it(
    data: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with door(proxies=[V2]) as running, running.client() as client:
        await client.send(data)
        if "short" in why and why == "cut short":
            client.writer.write_eof()
        assert await client.rest() == b""
        assert running.pipeline.incoming == []
        assert running.listener.counts.prefaces_refused == 1
        assert why in caplog.text
        assert await client_of(running, header("192.0.2.9")) == (200, b"")


async def test_a_header_that_comes_too_slowly_ends_the_connection() -> None:
    async with door(proxies=[V2]) as running:
        async with running.client() as client:
            await client.send(header("192.0.2.9")[:-1])
            assert await asyncio.wait_for(client.rest(), 5) == b""
        async with running.client() as client:
            assert await asyncio.wait_for(client.rest(), 5) == b""
        assert running.listener.counts.prefaces_refused == 2
        assert running.listener.open == 0


async def test_a_check_that_only_connects_is_no_fault() -> None:
    async with door(proxies=[V2]) as running:
        async with running.client() as client:
            client.writer.write_eof()
            assert await client.rest() == b""
        assert running.listener.counts.prefaces_refused == 0


async def test_from_others_the_header_is_not_sniffed() -> None:
    for proxies in ([], [XFF], [V2.model_copy(update={"networks": ()})]):
        async with door(proxies=proxies) as running:
            assert (await client_of(running, header("192.0.2.9")))[0] == 400
            assert [incoming.peer.ip for incoming in running.pipeline.incoming] == ["127.0.0.1"]


async def test_connections_count_for_the_client_behind_the_proxy() -> None:
    async with door(proxies=[V2], bounds=replace(QUICK, connections_per_source=1)) as running:
        async with running.client() as one, running.client() as other:
            for client, source in ((one, "192.0.2.9"), (other, "192.0.2.8")):
                await client.send(header(source) + get())
                assert (await client.reply())[0] == 200
            assert (await client_of(running, header("192.0.2.9")))[0] is None
        await closed(running)
        assert (await client_of(running, header("192.0.2.9")))[0] == 200
        await closed(running)
        assert not running.listener._hub._sources


@asynccontextmanager
async def passed(address: tuple[str, int], before: bytes, context: ssl.SSLContext) -> AsyncIterator[RawClient]:
    """Send a header and then shake hands, as through a proxy that passes TLS on."""
    loop = asyncio.get_running_loop()
    bare = socket.socket()
    bare.settimeout(0)
    await loop.sock_connect(bare, address)
    await loop.sock_sendall(bare, before)
    client = RawClient(*await asyncio.open_connection(sock=bare, ssl=context, server_hostname="localhost"))
    try:
        yield client
    finally:
        await client.close()


async def test_devices_show_their_certificates_through_it(tmp_path: Path) -> None:
    ca = authority()
    shown = identity(ca, tmp_path / "client")
    async with tls_door(tmp_path, ca, proxies=[V2]) as running:
        address = (running.address.host, running.address.port)
        async with passed(address, header("192.0.2.9"), running.context(shown)) as client:
            await client.send(get())
            assert (await client.reply())[0] == 200
            peer = running.pipeline.incoming[-1].peer
            assert (peer.ip, peer.tls, peer.device_certificate) == ("192.0.2.9", True, shown.der)
        with pytest.raises(OSError):  # noqa: PT011 - a reset or an end of file, as it happens
            async with running.client(running.context(shown)):
                pass
