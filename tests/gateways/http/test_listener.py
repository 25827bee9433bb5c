"""Listening: addresses, bounds on connections, drain."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import ValidationError

from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.listener import HttpListener
from leadglass.gateways.http.settings import Address, LimitsSettings, ListenSettings, Rate
from leadglass.model.errors import ConfigurationError
from leadglass.model.permit import Sealed
from leadglass.model.ports import BodySource, Reply
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest
from support.clock import FakeClock
from support.door import DECISION, QUICK, TEXT, FakePipeline, closed, door, get, post
from support.proxies import FORWARDED, XFF, proxy
from support.proxyv2 import header


async def test_a_taken_port_is_said_in_words() -> None:
    async with door() as running:
        listener = HttpListener(ListenSettings(http=running.address), FakePipeline(), FakeClock())
        with pytest.raises(ConfigurationError, match="cannot listen on"):
            await listener.start()
        await listener.stop()


async def test_the_peer_is_named() -> None:
    async with door() as running, running.client() as client:
        await client.send(get())
        await client.reply()
        (incoming,) = running.pipeline.incoming
        assert (incoming.door, incoming.peer.ip, incoming.peer.tls) == ("http", "127.0.0.1", False)
        assert incoming.peer.port == client.writer.get_extra_info("sockname")[1]


async def test_connections_over_the_bound_are_turned_away_and_counted() -> None:
    async with door(bounds=Bounds(connections=2)) as running:
        async with running.client() as one, running.client() as two:
            for client in (one, two):
                await client.send(get())
                assert (await client.reply())[0] == 200
            async with running.client() as three:
                await three.send(get())
                assert await three.rest() == b""
            assert running.listener.counts.turned_away == 1
        await closed(running)
        assert await running.works()


async def test_drain_ends_idle_connections_at_once_and_lets_exchanges_end() -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def waits(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        begun.set()
        await go.wait()
        await reply.forward(Sealed(200, TEXT, b"done"), DECISION)

    async with door(waits) as running, running.client() as idle, running.client() as busy:
        await busy.send(get())
        await begun.wait()
        draining = asyncio.get_running_loop().create_task(running.listener.drain())
        assert await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(running.address.host, running.address.port)
        go.set()
        status, fields, body = await busy.reply()
        assert (status, fields["connection"], body) == (200, "close", b"done")
        await asyncio.wait_for(draining, 2)
        assert running.listener.open == 0
        assert running.listener.counts.cuts == 0


async def test_a_request_that_comes_while_draining_is_answered_503() -> None:
    async with door() as running, running.client() as client:
        await client.send(get()[:-2])
        hub = running.listener._hub
        while not any(one._held for one in hub.connections):  # noqa: ASYNC110 - the kernel has no event for it
            await asyncio.sleep(0.001)
        draining = asyncio.get_running_loop().create_task(running.listener.drain())
        while not hub.draining:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0)
        await client.send(b"\r\n")
        status, fields, _ = await client.reply()
        assert (status, fields["connection"], fields["retry-after"]) == (503, "close", "5")
        assert [str(refusal) for refusal in running.pipeline.refused] == [Code.DRAINING]
        await client.close()
        await draining


async def test_drain_cuts_what_does_not_end() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async def forever(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        await reply.forward(Sealed(200, TEXT, endless(), None), DECISION)

    async with door(forever) as running, running.client() as client:
        await client.send(get())
        await client.reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(running.listener.drain(), 4 * QUICK.drain_seconds)
        with pytest.raises(ConnectionResetError):
            await client.reader.read(-1)
        assert running.listener.counts.cuts == 1


async def test_what_happens_is_counted() -> None:
    async with door() as running:
        for request in (get(), post(b"", "Content-Length: 05")):
            async with running.client() as client:
                await client.send(request)
                await client.reply()
        counts = running.listener.counts
        assert (counts.connections, counts.requests, counts.faults, counts.cuts) == (2, 2, 1, 0)


# --- behind proxies ------------------------------------------------------------------------------------------------
async def test_each_request_of_a_proxys_connection_has_its_own_client() -> None:
    async with door(proxies=[XFF]) as running, running.client() as client:
        for ip in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            await client.send(get("/studies", f"X-Forwarded-For: 10.9.9.9, {ip}"))
            assert (await client.reply())[0] == 200
        assert [incoming.peer.ip for incoming in running.pipeline.incoming] == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
        assert not running.listener._hub._sources  # idle, so it carries nobody


@pytest.mark.parametrize("field", ["Forwarded: for=192.0.2.1", "X-Forwarded-For: unknown", "Accept: */*"])
async def test_a_request_that_is_nobodys_is_refused_and_ends_the_connection(field: str) -> None:
    async with door(proxies=[XFF]) as running, running.client() as client:
        await client.send(get("/studies", field))
        status, fields, _ = await client.reply()
        assert (status, fields["connection"]) == (400, "close")
        assert [str(refusal) for refusal in running.pipeline.refused] == [Code.FORWARDING_MALFORMED]
        assert running.pipeline.incoming[0].peer.ip == "127.0.0.1"


@pytest.mark.parametrize(
    "field", ["X-Forwarded-For: 10.9.9.9", "Forwarded: for=10.9.9.9", "X-Real-IP: 10.9.9.9", "Client-Cert: :AAAA:"]
)
async def test_without_trusted_proxies_no_field_counts(field: str) -> None:
    async with door() as running, running.client() as client:
        await client.send(get("/studies", field))
        assert (await client.reply())[0] == 200
        peer = running.pipeline.incoming[0].peer
        assert (peer.ip, peer.certificate) == ("127.0.0.1", None)


async def test_requests_at_once_count_for_the_client_behind_the_proxy() -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def waits(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        begun.set()
        await go.wait()
        await reply.forward(Sealed(200, TEXT, b"done"), DECISION)

    bounds = replace(QUICK, connections_per_source=1)
    async with door(waits, bounds, [XFF]) as running, running.client() as one, running.client() as two:
        await one.send(get("/studies", "X-Forwarded-For: 192.0.2.1"))
        await begun.wait()
        await two.send(get("/studies", "X-Forwarded-For: 192.0.2.1"))
        assert (await two.reply())[0] == 429
        assert running.listener.counts.turned_away == 1
        async with running.client() as three:
            await three.send(get("/studies", "X-Forwarded-For: 192.0.2.2"))
            go.set()
            assert (await three.reply())[0] == 200
        assert (await one.reply())[0] == 200
        await one.send(get("/studies", "X-Forwarded-For: 192.0.2.1"))
        assert (await one.reply())[0] == 200


async def test_a_client_that_leaves_a_proxy_is_counted_no_more() -> None:
    begun = asyncio.Event()

    async def forever(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with door(forever, proxies=[XFF]) as running:
        async with running.client() as client:
            await client.send(get("/studies", "X-Forwarded-For: 192.0.2.1"))
            await begun.wait()
            assert running.listener._hub._sources == {"192.0.2.1": 1}
        await closed(running)
        assert not running.listener._hub._sources


async def test_certificates_come_by_the_field_where_that_is_agreed() -> None:
    async with door(proxies=[FORWARDED]) as running, running.client() as client:
        await client.send(get("/studies", "Forwarded: for=192.0.2.1", "Client-Cert: :AAAA:"))
        assert (await client.reply())[0] == 200
        peer = running.pipeline.incoming[0].peer
        assert (peer.certificate, peer.device_certificate) == (bytes(3), None)


async def test_plain_text_off_loopback_is_for_proxies_alone() -> None:
    everywhere = "0.0.0.0"  # noqa: S104 - what the test is about
    async with door(proxies=[proxy("x-forwarded-for", "192.0.2.0/24")], host=everywhere) as running:
        async with running.client() as client:
            await client.send(get())
            assert await client.rest() == b""
        assert (running.pipeline.incoming, running.listener.counts.turned_away) == ([], 1)
    async with door(proxies=[XFF], host=everywhere) as running, running.client() as client:
        await client.send(get("/studies", "X-Forwarded-For: 192.0.2.1"))
        assert (await client.reply())[0] == 200


async def test_another_list_of_proxies_counts_at_once() -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def waits(request: CleanRequest, body: BodySource, reply: Reply) -> None:
        begun.set()
        await go.wait()
        await reply.forward(Sealed(200, TEXT, b"done"), DECISION)

    field = "X-Forwarded-For: 192.0.2.1"
    async with door(waits, proxies=[XFF]) as running, running.client() as idle, running.client() as busy:
        await busy.send(get("/studies", field) + get("/studies", field))
        await begun.wait()
        running.listener.trust([])
        assert await idle.rest() == b""
        go.set()
        status, fields, _ = await busy.reply()
        assert (status, fields["connection"]) == (200, "close")
        assert await busy.rest() == b""  # the second request is not read under what was believed before
        async with running.client() as later:
            await later.send(get("/studies", field))
            assert (await later.reply())[0] == 200
        assert [incoming.peer.ip for incoming in running.pipeline.incoming] == ["192.0.2.1", "127.0.0.1"]


async def test_a_proxy_behind_a_tcp_proxy_speaks_for_its_clients() -> None:
    proxies = [proxy("proxy-v2", "127.0.0.0/8"), proxy("x-forwarded-for", "10.0.0.0/24")]
    async with door(proxies=proxies) as running, running.client() as client:
        await client.send(header("10.0.0.1") + get("/studies", "X-Forwarded-For: 192.0.2.1"))
        assert (await client.reply())[0] == 200
        await client.send(get("/studies"))
        assert (await client.reply())[0] == 400
        assert [incoming.peer.ip for incoming in running.pipeline.incoming] == ["192.0.2.1", "10.0.0.1"]


# --- settings ------------------------------------------------------------------------------------------------------
def test_settings_read_their_forms() -> None:
    settings = ListenSettings.model_validate({"http": "[::1]:8080"})
    assert settings.http == Address("::1", 8080)
    assert str(settings.http) == "[::1]:8080"
    limits = LimitsSettings.model_validate({"per_subject": "5/s"})
    assert (limits.per_subject, str(limits.per_source_unauthenticated)) == (Rate(5), "20/s")


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ({}, "no address"),
        ({"https": "0.0.0.0:8443"}, "https needs tls"),
        ({"http": "127.0.0.1"}, "host:port"),
        ({"http": "127.0.0.1:65536"}, "host:port"),
        ({"http": 8080}, "host:port"),
        ({"http": "127.0.0.1:80", "port": 1}, "Extra"),
    ],
)
def test_settings_refuse_what_cannot_be_meant(listen: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ListenSettings.model_validate(listen)


@pytest.mark.parametrize("rate", ["", "0/s", "5", 5, "5/m", "-5/s", "5.5/s"])
def test_rates_have_one_form(rate: object) -> None:
    with pytest.raises(ValidationError, match="such as 1000/s"):
        LimitsSettings.model_validate({"per_subject": rate})
