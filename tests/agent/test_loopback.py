import asyncio
import gzip
import io
import json
import logging
import os
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from leadglass_agent.loopback import Loopback
from leadglass_agent.token import FileToken
from support.enrolled import Enrolled
from support.fakegateway import FakeGateway, problem
from support.viewer import PAGE, SECRET, Open, status


async def test_a_request_arrives_with_certificate_and_token(opened: Open, gateway: FakeGateway) -> None:
    seen = await opened.told("Accept: application/dicom+json", "Leadglass-Purpose: TREAT")
    assert seen["path"] == "/dicom-web/studies"
    assert {name: value for name, value in seen["headers"] if name != "Host"} == {
        "Accept": "application/dicom+json",
        "Leadglass-Purpose": "TREAT",
        "Accept-Encoding": "identity",
        "Authorization": "Bearer the-token",
    }


async def test_users_that_may_are_named(enrolled: Enrolled, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    door = Loopback(enrolled.member, FileToken(tmp_path / "token"), 0, secret=SECRET, uids=(12345,))
    await door.start()
    door._uids = frozenset({12345})  # without root, who may always
    try:
        assert status(await Open(door, door.port, tmp_path).ask()) == 403
        door._uids = frozenset({os.getuid()})
        assert status(await Open(door, door.port, tmp_path).ask()) == 200
    finally:
        await door.close()


SMUGGLED = [
    "Authorization: Bearer of-the-viewer",
    "Cookie: leadglass=1",
    "DPoP: proof",
    "Leadglass-Device-Proof: proof",
    "Leadglass-Decision-Id: forged",
    "Leadglass_Purpose: twin",
    "X-Forwarded-For: 10.0.0.1",
    "X-Forwarded-Host: evil",
    "Forwarded: for=10.0.0.1",
    "Via: 1.1 x",
    "TE: trailers",
    "Trailer: X",
    "Upgrade: websocket",
    "Keep-Alive: 5",
    "Proxy-Authorization: Basic eDp5",
    "Range: bytes=0-1",
    "Referer: http://127.0.0.1/secret",
    "User-Agent: viewer",
    "X-HTTP-Method-Override: DELETE",
    "If-None-Match: x",
    "Accept-Language: de",
]


async def test_only_listed_headers_pass_up(opened: Open) -> None:
    seen = await opened.told(*SMUGGLED)
    names = {name.lower() for name, _ in seen["headers"]}
    assert names <= {"host", "accept-encoding", "authorization", "accept"}
    assert [value for name, value in seen["headers"] if name == "Authorization"] == ["Bearer the-token"]


async def test_only_listed_headers_pass_down(opened: Open, gateway: FakeGateway) -> None:
    hostile = {
        "Set-Cookie": "a=1",
        "Location": "https://evil.example",
        "Access-Control-Allow-Origin": "*",
        "Server": "x",
        "Refresh": "0;url=x",
        "Leadglass-Decision-Id": "01J",
        "Warning": '299 - "x"',
        "Content-Type": "text/html",
    }

    async def pacs(_: web.Request) -> web.Response:
        return web.Response(body=b"x", headers=hostile)

    gateway.pacs = pacs
    head = (await opened.ask()).partition(b"\r\n\r\n")[0].decode()
    names = {line.partition(":")[0] for line in head.splitlines()[1:]}
    assert {"Leadglass-Decision-Id", "Warning", "Referrer-Policy", "Content-Security-Policy"} <= names
    assert not {"Set-Cookie", "Location", "Access-Control-Allow-Origin", "Refresh"} & names
    assert "Cross-Origin-Resource-Policy: same-origin" in head


@pytest.mark.parametrize(
    "path",
    ["/a/../b", "/a//b", "/%2e%2e/x", "/a%2Fb", "/x?a=%20b&a=+c", "//evil.example/x", "/@evil.example", "/a;b=c", "/"],
)
async def test_a_path_passes_as_it_was_written(opened: Open, path: str) -> None:
    assert (await opened.told(path=f"/{SECRET}{path}"))["path"] == path


@pytest.mark.parametrize(
    ("path", "lines", "method", "expected"),
    [
        pytest.param("/x#y", (), "GET", 400, id="fragment"),
        pytest.param("/é", (), "GET", 400, id="no-ascii"),
        pytest.param("/x", ("Content-Encoding: gzip", "Content-Length: 0"), "POST", 415, id="compressed-body"),
        pytest.param("/x", (), "PATCH", 405, id="method"),
        pytest.param("/x", (), "OPTIONS", 405, id="options-without-origin"),
        pytest.param("/x", ("X: " + "y" * 20_000,), "GET", 400, id="oversize-field"),
        pytest.param("/" + "y" * 20_000, (), "GET", 400, id="oversize-target"),
        pytest.param("/x", ("Content-Length: 1", "Transfer-Encoding: chunked"), "POST", 400, id="two-framings"),
        pytest.param("/x", ("Content-Length: 1", "Content-Length: 2"), "POST", 400, id="two-lengths"),
        pytest.param("/x", (" folded: x",), "GET", 400, id="folded"),
    ],
)
async def test_what_is_not_carried(  # noqa: PLR0917 - the columns of a table
    opened: Open,
    gateway: FakeGateway,
    caplog: pytest.LogCaptureFixture,
    path: str,
    lines: tuple[str, ...],
    method: str,
    expected: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    before = gateway.asked.count("pacs")
    assert status(await opened.ask(f"/{SECRET}{path}", *lines, method=method)) == expected
    assert gateway.asked.count("pacs") == before


async def test_a_store_streams_up_and_its_answer_down(opened: Open, gateway: FakeGateway) -> None:
    sizes: list[int] = []

    async def pacs(request: web.Request) -> web.Response:
        sizes.extend([len(chunk) async for chunk in request.content.iter_any()])
        return web.Response(status=202, body=request.headers["Content-Type"].encode())

    gateway.pacs = pacs
    total = 8 << 20
    async with aiohttp.ClientSession() as session:
        url = f"{opened.door.base}/dicom-web/studies"
        kind = {"Content-Type": 'multipart/related; type="application/dicom"'}
        async with session.post(url, data=io.BytesIO(bytes(total)), headers=kind) as reply:
            assert (reply.status, await reply.read()) == (202, kind["Content-Type"].encode())
    assert sum(sizes) == total
    assert max(sizes) < total


async def test_a_store_that_the_viewer_breaks_off_is_cut_for_the_gateway(opened: Open, gateway: FakeGateway) -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()
    arrived = asyncio.Event()

    async def pacs(request: web.Request) -> web.Response:
        arrived.set()
        try:
            await request.read()
            await ended.put("whole")
        except BaseException as error:
            await ended.put(type(error).__name__)
            raise
        return web.Response()

    gateway.pacs = pacs
    _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    head = f"POST /{SECRET}/x HTTP/1.1\r\nHost: 127.0.0.1:{opened.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode() + b"5\r\nhello\r\n")
    async with asyncio.timeout(10):
        await arrived.wait()
        writer.transport.abort()
        assert await ended.get() != "whole"


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("kind", ["application/dicom", "application/dicom+json"])
@pytest.mark.parametrize("length", [True, False], ids=["length", "chunked"])
async def test_an_answer_that_is_cut_is_cut_for_the_viewer(
    opened: Open, gateway: FakeGateway, version: str, kind: str, *, length: bool
) -> None:
    async def pacs(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        if length:
            response.content_length = 1_000_000
        await response.prepare(request)
        await response.write(b"x" * 1000)
        assert request.transport is not None
        request.transport.close()
        return response

    gateway.pacs = pacs
    lines = [f"GET /{SECRET}/x HTTP/{version}", f"Host: 127.0.0.1:{opened.port}", "Connection: close"]
    try:
        answer = await opened.raw("\n".join(lines))
    except ConnectionResetError:
        return
    # Whoever reads no reset must still see that it is not whole.
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b"chunked" in head and not body.endswith(b"0\r\n\r\n")) or (b"1000000" in head and len(body) < 1_000_000)


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize("accepts", ["gzip, deflate, br", "identity", "gzip;q=0", "GZIP;q=0.5"])
async def test_links_lead_back_through_the_door(
    opened: Open, gateway: FakeGateway, accepts: str, *, packed: bool
) -> None:
    asked: list[str] = []

    async def pacs(request: web.Request) -> web.Response:
        asked.append(request.headers["Accept-Encoding"])
        body = json.dumps([{"00081190": {"vr": "UR", "Value": [f"{gateway.url}/dicom-web/studies/1"]}}]).encode()
        headers = {"Content-Type": "application/dicom+json"} | ({"Content-Encoding": "gzip"} if packed else {})
        return web.Response(body=gzip.compress(body) if packed else body, headers=headers)

    gateway.pacs = pacs
    told = await opened.told(f"Accept-Encoding: {accepts}")
    assert told == [{"00081190": {"vr": "UR", "Value": [f"{opened.door.base}/dicom-web/studies/1"]}}]
    assert asked == ["gzip" if accepts.lower() in {"gzip, deflate, br", "gzip;q=0.5"} else "identity"]


async def test_pixels_pass_as_they_are(opened: Open, gateway: FakeGateway) -> None:
    body = os.urandom(1 << 20) + f'"{gateway.url}/x"'.encode()

    async def pacs(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/octet-stream")

    gateway.pacs = pacs
    assert (await opened.ask()).partition(b"\r\n\r\n")[2] == body


def ended() -> web.Response:
    return problem(403, "device-certificate-expired", decision_id="01J")


def forgotten() -> web.Response:
    return problem(403, "statement-invalid", decision_id="01J")


@pytest.mark.parametrize("refusal", [ended, forgotten], ids=["expired", "not-active"])
async def test_a_certificate_that_ended_is_renewed_and_the_request_had_again(
    opened: Open, gateway: FakeGateway, refusal: object
) -> None:
    assert status(await opened.ask()) == 200
    gateway.plan("pacs", refusal)  # type: ignore[arg-type]  # one of the two above
    assert status(await opened.ask()) == 200
    assert gateway.renewals == 2


async def test_a_machine_that_slept_finds_its_way(opened: Open, gateway: FakeGateway) -> None:
    assert status(await opened.ask()) == 200
    gateway.active.clear()
    answers = await asyncio.gather(*(opened.ask() for _ in range(8)))
    assert {status(answer) for answer in answers} == {200}
    assert gateway.renewals == 2  # once for all eight


async def test_it_is_had_again_once_and_no_more(opened: Open, gateway: FakeGateway) -> None:
    gateway.plan("pacs", ended, ended)
    answer = await opened.ask()
    assert status(answer) == 403
    assert b"device-certificate-expired" in answer
    assert gateway.asked.count("pacs") == 2


async def test_a_store_is_not_sent_twice_but_the_next_one_passes(opened: Open, gateway: FakeGateway) -> None:
    gateway.plan("pacs", ended)
    url = f"{opened.door.base}/x"
    async with aiohttp.ClientSession() as session:
        for expected in (403, 200):
            async with session.post(url, data=b"dicom") as reply:
                assert reply.status == expected
                await reply.read()
    assert gateway.asked.count("pacs") == 2
    assert gateway.renewals == 2


@pytest.mark.parametrize("reason", ["study-not-visible", "posture-stale"])
async def test_another_refusal_is_passed_as_it_is(opened: Open, gateway: FakeGateway, reason: str) -> None:
    gateway.plan("pacs", lambda: problem(403, reason, decision_id="01J", remediation=["Do x."]))
    answer = await opened.ask()
    assert status(answer) == 403
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["remediation"] == ["Do x."]
    assert (gateway.asked.count("pacs"), gateway.renewals) == (1, 1)


async def test_a_device_that_was_withdrawn_is_told_and_asks_no_more(opened: Open, gateway: FakeGateway) -> None:
    gateway.revoked = True
    for _ in range(3):
        answer = await opened.ask()
        assert status(answer) == 403
        assert b"Device withdrawn" in answer
    assert gateway.asked.count("renew") == 1


async def test_without_a_token_nobody_is_signed_in(opened: Open, gateway: FakeGateway) -> None:
    opened.token.unlink()
    answer = await opened.ask()
    assert status(answer) == 401
    assert b"Not signed in" in answer
    assert "pacs" not in gateway.asked


async def test_a_gateway_that_is_gone_and_back(opened: Open, gateway: FakeGateway) -> None:
    assert status(await opened.ask()) == 200
    await gateway.stop()
    answer = await opened.ask()
    assert status(answer) == 502
    assert b"cannot be reached" in answer
    await gateway.start()
    assert status(await opened.ask()) == 200


async def test_neither_token_nor_secret_is_ever_logged(
    opened: Open, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await opened.ask()
    await opened.ask("/wrong/x", "Authorization: Bearer of-the-viewer")
    await gateway.stop()
    await opened.ask()
    text = caplog.text + "".join(str(record.args) for record in caplog.records)
    assert "turned away" in text
    assert "not carried" in text
    for secret in ("the-token", "of-the-viewer", SECRET):
        assert secret not in text


async def test_a_listed_page_may_ask_and_read(opened: Open) -> None:
    asked = (f"Origin: {PAGE}", "Access-Control-Request-Method: GET", "Sec-Fetch-Site: cross-site")
    preflight = await opened.ask(f"/{SECRET}/x", *asked, method="OPTIONS")
    assert status(preflight) == 204
    for answer in (preflight, await opened.ask(f"/{SECRET}/x", *asked)):
        assert f"Access-Control-Allow-Origin: {PAGE}\r\n".encode() in answer
        assert b"Vary: Origin" in answer
        assert b"Allow-Credentials" not in answer
        assert b"Cross-Origin-Resource-Policy" not in answer
    assert b"Allow-Private-Network" not in preflight
    inside = await opened.ask(f"/{SECRET}/x", *asked, "Access-Control-Request-Private-Network: true", method="OPTIONS")
    assert b"Access-Control-Allow-Private-Network: true\r\n" in inside


async def test_the_door_listens_on_loopback_alone(opened: Open) -> None:
    runner = opened.door._listening._runner
    assert runner is not None
    assert [address[0] for address in runner.addresses] == ["127.0.0.1"]
    assert opened.door.base == f"http://127.0.0.1:{opened.port}/{SECRET}"


async def test_it_closes_while_an_answer_runs(enrolled: Enrolled, gateway: FakeGateway, tmp_path: Path) -> None:
    started, never = asyncio.Event(), asyncio.Event()

    async def pacs(_: web.Request) -> web.Response:
        started.set()
        await never.wait()
        return web.Response()

    gateway.pacs = pacs
    (tmp_path / "token").write_text("t")
    door = Loopback(enrolled.member, FileToken(tmp_path / "token"), 0, secret=SECRET)
    await door.start()
    asking = asyncio.ensure_future(Open(door, door.port, tmp_path).ask())
    await started.wait()
    async with asyncio.timeout(5):
        await door.close()
        await asyncio.gather(asking, return_exceptions=True)
    never.set()


async def test_tls_to_the_door_is_no_request(opened: Open) -> None:
    with pytest.raises((ssl.SSLError, OSError)):
        await asyncio.open_connection("127.0.0.1", opened.port, ssl=ssl.create_default_context())
