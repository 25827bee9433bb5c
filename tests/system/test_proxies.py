"""The examples of docs/examples/proxies, each with the real program before a whole gateway.

Clients come from 127.0.0.9, so that the proxy's address and theirs are not the same.
"""

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from leadglass.codec import cookies
from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.settings import Address
from leadglass.hazmat.servercert import make_server_files
from leadglass.model.facts import Subject
from leadglass.model.login import SignedIn
from support.device import peer
from support.examples import EXAMPLES, Example, proxy
from support.gateway import CT, HOST, ISSUER, OWNER, Answer, Client, Running, running
from support.servicecert import SiteCa

FROM, BY = "127.0.0.9", {"uid": 0, "user": "root"}
METADATA = f"/dicom-web/studies/{CT.uid}/metadata"
FRAMES = f"/dicom-web/studies/{CT.uid}/series/{CT.instances[0].series}/instances/{CT.instances[0].sop}/frames/1"
MULTIPART = 'multipart/related; type="application/octet-stream"; boundary=b'
PART = b"--b\r\nContent-Type: application/octet-stream\r\n\r\n"
DELIMITER, END = b"\r\n--b--\r\n", b"0\r\n\r\n"
MIB = 1024 * 1024
UNDER_WAY = 64 * MIB
"""Far more than the buffers of kernels, far less than a proxy stores that stores."""
SPOOFED = (
    "X-Forwarded-For: 10.9.9.9", "Forwarded: for=10.9.9.9", "X-Real-IP: 10.9.9.9", "True-Client-IP: 10.9.9.9",
    "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http",
)  # fmt: skip
SERVICES = """\
  certificates: {ca: tls/site.pem, crl: null, rules: [{san_uri: "urn:example:modality:*", id: "modality-*"}]}
attributes:"""
CA = SiteCa(start=-86_400 * 365 * 5)  # proxies look at certificates by their own clock, the gateway by the test's

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)


@dataclass
class Site:
    """A gateway behind a proxy, and a person: by token and device where TLS passes through, else by session."""

    run: Running
    example: Example
    address: Address
    shown: str

    @asynccontextmanager
    async def client(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        trusts = context or (self.run.context if self.example.passes else self.run.bare)
        client = Client(
            *await asyncio.open_connection(
                self.address.host, self.address.port, ssl=trusts, server_hostname=HOST, local_addr=(FROM, 0)
            )
        )
        try:
            yield client
        finally:
            client.writer.transport.abort()

    @property
    def frames(self) -> bytes:
        return f"GET {FRAMES} HTTP/1.1\r\nHost: {HOST}\r\n{self.shown}\r\n\r\n".encode()

    async def ask(self, target: str, *fields: str, host: str = HOST, context: ssl.SSLContext | None = None) -> Answer:
        async with asyncio.timeout(20), self.client(context) as client:
            await client.send("\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode())
            return await client.answer()


async def signed_in(run: Running) -> str:
    """Return the cookie of a session that is proven open on the device."""
    now = int(run.clock.now())
    who = Subject("person", OWNER, ISSUER, b"", now + 3600, ("radiologist",), mfa=True, acr="mfa", auth_time=now)
    cookie, session = await run.gateway.browsers.sessions.begin(SignedIn(who, now + 3600, "refresh"), FROM, None)
    device = {"id": run.agent.id, "name": "workstation", "owner": OWNER}
    await run.gateway.browsers.bindings.prove(session.id, device, peer())
    return f"Cookie: {cookies.SESSION}={cookie}"


@asynccontextmanager
async def site(folder: Path, example: Example) -> AsyncIterator[Site]:
    def change(folder: Path) -> None:
        make_server_files(folder / "tls", (HOST,), time.time())  # proxies look at them by their own clock
        (folder / "tls/site.pem").write_bytes(CA.pem)
        file = folder / "leadglass.yaml"
        certificates = "true" if example.file == "haproxy-terminating.cfg" else "false"
        trusted = f"[{{networks: [127.0.0.1/32], speaks: {example.speaks}, client_cert: {certificates}}}]"
        text = file.read_text().replace("metrics:", f"trusted_proxies: {trusted}\nmetrics:", 1)
        file.write_text(text.replace("attributes:", SERVICES, 1))

    # Waits as shipped, since proxies keep connections.
    async with running(folder / "site", bounds=Bounds(drain_seconds=1), change=change) as run:
        tls = folder / "site/tls"
        combined = tls / "combined.pem"
        combined.write_bytes((tls / "server.pem").read_bytes() + (tls / "server.key").read_bytes())
        files = {
            "pacs.pem": combined, "pacs.key": tls / "server.key", "leadglass-ca.pem": tls / "ca.pem",
            "services-ca.pem": tls / "site.pem",
        }  # fmt: skip
        with proxy(example, folder / "proxy", run.https, files) as address:
            shown = f"Authorization: Bearer {run.token()}" if example.passes else await signed_in(run)
            yield Site(run, example, address, shown)


@each
async def test_the_record_has_the_clients_address_whatever_it_says(example: Example, tmp_path: Path) -> None:
    async with site(tmp_path, example) as behind:
        answer = await behind.ask(METADATA, behind.shown, *SPOOFED)
        assert answer.status == 200, answer.body
        (line,) = behind.run.about(answer)
        assert line["client"]["ip"] == FROM
        stranger = await behind.ask(METADATA, *SPOOFED)
        assert stranger.status == 401
        (line,) = behind.run.about(stranger)
        assert line["client"]["ip"] == FROM
        for head in behind.run.archive.heads:
            assert "10.9.9.9" not in str(head)
            assert "evil.example" not in str(head)
        # What the archive builds its links from.
        said = {head["Forwarded"] for head in behind.run.archive.heads if "Forwarded" in head}
        assert said == {f'host="{HOST}";proto=https'}


@each
async def test_another_host_is_refused(example: Example, tmp_path: Path) -> None:
    async with site(tmp_path, example) as behind:
        answer = await behind.ask(METADATA, behind.shown, host="evil.example")
        if example.file == "Caddyfile":  # it serves its own name alone, and asks nobody
            assert (answer.status, answer.body) == (200, b"")
            assert behind.run.archive.relayed == []
        else:
            assert answer.reasons == ["host-unknown"]


@each
async def test_a_clients_own_certificate_field_is_nobodys(example: Example, tmp_path: Path) -> None:
    async with site(tmp_path, example) as behind:
        field = f"Client-Cert: :{base64.b64encode(CA.leaf().der).decode()}:"
        assert (await behind.ask(METADATA, field)).reasons == ["user-unauthenticated"]


async def test_haproxy_hands_on_the_certificate_of_a_service(tmp_path: Path) -> None:
    example = next(example for example in EXAMPLES if example.file == "haproxy-terminating.cfg")
    async with site(tmp_path, example) as behind:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(*CA.leaf(start=-86_400 * 365 * 5).write(behind.run.folder, "service"))
        answer = await behind.ask(METADATA, context=context)
        assert answer.reasons != ["user-unauthenticated"]
        (line,) = behind.run.about(answer)
        assert (line["subject"]["id"], line["client"]["ip"]) == ("modality-ct-2", FROM)


@each
async def test_large_replies_stream(example: Example, tmp_path: Path) -> None:
    go, total = asyncio.Event(), 48 * MIB

    async def send(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MULTIPART})
        await response.prepare(request)
        await response.write(PART + bytes(64 * 1024))
        await go.wait()
        for _ in range(total // MIB):
            await response.write(bytes(MIB))
        await response.write(DELIMITER)
        return response

    async with site(tmp_path, example) as behind:
        behind.run.archive.replaced[FRAMES] = send
        async with asyncio.timeout(60), behind.client() as client:
            await client.send(behind.frames)
            assert b" 200 " in await client.reader.readuntil(b"\r\n\r\n")
            await client.reader.readexactly(64 * 1024)  # while the archive holds the rest back
            go.set()
            rest, tail = await rest_of(client)
        assert rest > total
        assert DELIMITER in tail
        assert tail.endswith(END)


async def rest_of(client: Client) -> tuple[int, bytes]:
    """Return how many bytes of a chunked reply come until it ends or seems to, and the last of them."""
    total, tail = 0, b""
    with suppress(ConnectionError):
        while not tail.endswith(END) and (data := await client.reader.read(MIB)):
            total += len(data)
            tail = (tail + data)[-64:]
    return total, tail


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": MULTIPART})
    await response.prepare(request)
    await response.write(PART)
    while True:
        await response.write(bytes(64 * 1024))


async def standstill(behind: Site) -> None:
    """Wait until nothing moves any more: whatever can be stored on the way to a client that takes nothing is stored."""
    before, (connection,) = -1, [one for one in behind.run.gateway.listener._hub.connections if one.source is not None]
    while before != connection._written:
        before = connection._written
        await asyncio.sleep(0.5)


@each
async def test_a_cut_is_a_cut(example: Example, tmp_path: Path) -> None:
    """What comes after trust has ended was under way: mostly in the kernel's buffers, of each connection again."""
    async with site(tmp_path, example) as behind:
        behind.run.archive.replaced[FRAMES] = endless
        async with asyncio.timeout(60), behind.client() as client:
            await client.send(behind.frames)
            assert b" 200 " in await client.reader.readuntil(b"\r\n\r\n")
            await client.reader.readexactly(4 * MIB)
            await standstill(behind)
            await behind.run.gateway.revocations.revoke("user", OWNER, "lost", None, BY)
            rest, tail = await rest_of(client)
        assert DELIMITER not in tail
        assert tail.endswith(END) == (example.file == "Caddyfile"), "whether the reply seems whole"
        assert rest < UNDER_WAY, f"{rest / MIB:.1f} MiB"
        assert (await behind.ask(METADATA, behind.shown)).status in {401, 403}


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.passes], ids=lambda example: example.file)
async def test_nobody_else_may_speak_for_others(example: Example, tmp_path: Path) -> None:
    """A PROXY header that a client sends of its own, before its handshake, is the client's word and ends it."""
    async with site(tmp_path, example) as behind:
        reader, writer = await asyncio.open_connection(behind.address.host, behind.address.port, local_addr=(FROM, 0))
        with closing(writer):
            writer.write(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x09\x09\x09\x7f\x00\x00\x01\x00\x01\x01\xbb")
            assert await asyncio.wait_for(reader.read(), 20) in {b"", b"\x15\x03\x01\x00\x02\x02F"}
        assert behind.run.record("decision") == []
