import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web

from leadglass_agent.gateway import Gateway, Refused, Unreachable, origin, tls
from leadglass_agent.keys import SessionKey
from support.fakegateway import Authority, FakeGateway, problem


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://PACS.Example.org", "https://pacs.example.org"),
        ("https://pacs.example.org/", "https://pacs.example.org"),
        ("https://pacs.example.org:443", "https://pacs.example.org"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_an_address_has_one_form(given: str, address: str) -> None:
    assert origin(given) == address


@pytest.mark.parametrize(
    "given",
    [
        "http://pacs.example.org",
        "pacs.example.org",
        "https://",
        "https://a@pacs.example.org",
        "https://pacs.example.org/dicom-web",
        "https://pacs.example.org?x",
        "https://pacs.example.org#x",
        "https://pacs.example.org:x",
        "https://pacs.example.org:99999",
        "https://pács.example.org",
        "",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        origin(given)


def test_tls_is_verified_and_modern() -> None:
    context = tls((Authority("a").pem,))
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert len(context.get_ca_certs()) == 1  # pinned: not the system's beside it


def test_trust_that_is_no_certificate_is_an_error() -> None:
    with pytest.raises((ssl.SSLError, ValueError)):
        tls(("garbage",))


async def test_a_gateway_of_another_authority_is_not_spoken_to(gateway: FakeGateway) -> None:
    async with Gateway(gateway.url, tls((Authority("another").pem,))) as opened:
        with pytest.raises(Unreachable, match="does not trust"):
            await opened.call("GET", "nonce")
    assert gateway.asked == []


async def test_a_certificate_for_another_name_is_not_trusted(gateway: FakeGateway) -> None:
    url = gateway.url.replace("127.0.0.1", "localhost")
    async with Gateway(url, tls((gateway.serving.pem,))) as opened:
        with pytest.raises(Unreachable, match="does not trust"):
            await opened.call("GET", "nonce")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="html"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"{" + b" " * 300_000 + b"}", id="oversize"),
    ],
)
async def test_an_answer_that_is_no_object_is_no_gateways(gateway: FakeGateway, body: bytes) -> None:
    gateway.plan("nonce", lambda: web.Response(body=body))
    async with Gateway(gateway.url, tls((gateway.serving.pem,))) as opened:
        with pytest.raises(Unreachable, match="is it a Leadglass gateway"):
            await opened.call("GET", "nonce")


async def test_a_redirect_is_not_followed(gateway: FakeGateway) -> None:
    gateway.plan("nonce", lambda: web.Response(status=307, headers={"Location": "/elsewhere"}))
    async with Gateway(gateway.url, tls((gateway.serving.pem,))) as opened:
        with pytest.raises(Unreachable, match="answered 307"):
            await opened.call("GET", "nonce")
    assert gateway.asked == ["nonce"]


async def test_an_answer_in_many_pieces_is_read_whole(gateway: FakeGateway) -> None:
    nonce = {"nonce": "n" * 200_000}
    gateway.plan("nonce", lambda: web.json_response(nonce))
    async with Gateway(gateway.url, tls((gateway.serving.pem,))) as opened:
        assert await opened.call("GET", "nonce") == nonce


@pytest.mark.parametrize(
    ("members", "certificate"),
    [
        ({"reasons": ["device-certificate-expired"]}, True),
        ({"reasons": ["statement-invalid"]}, True),
        ({"reasons": ["statement-invalid"], "error": "nonce"}, False),
        ({"reasons": ["device-required"]}, True),
        ({"reasons": ["study-not-visible"]}, False),
        ({"reasons": "device-certificate-expired"}, False),
        ({"reasons": None, "remediation": 3}, False),
    ],
)
def test_a_refusal_tells_whether_the_certificate_is_at_fault(members: dict[str, object], certificate: bool) -> None:  # noqa: FBT001 - a column
    assert Refused(403, members).certificate is certificate
    assert not Refused(500, members).certificate


async def test_a_refusal_speaks(gateway: FakeGateway) -> None:
    gateway.plan("nonce", lambda: problem(429, "rate-limited", remediation=["Wait."], decision_id="01J"))
    async with Gateway(gateway.url, tls((gateway.serving.pem,))) as opened:
        with pytest.raises(Refused, match=r"no: rate-limited Wait\.") as raised:
            await opened.call("GET", "nonce")
    assert (raised.value.status, raised.value.decision_id) == (429, "01J")


def test_the_key_of_a_certificate_touches_no_disk(tmp_path: Path) -> None:
    gateway = FakeGateway(tmp_path)
    key = SessionKey()
    gateway.device_id = "device"
    tls((gateway.serving.pem,), (gateway._certificate(key.public_jwk()), key))
    with pytest.raises(ssl.SSLError):
        tls((gateway.serving.pem,), (gateway._certificate(key.public_jwk()), SessionKey()))
    assert not [*tmp_path.iterdir()]


async def test_an_exchange_that_runs_outlives_the_certificate_it_began_with(gateway: FakeGateway) -> None:
    going, go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        going.set()
        await go.wait()
        return web.json_response({"nonce": "late"})

    gateway._nonce = slow  # type: ignore[method-assign]  # a slow gateway
    await gateway.stop()
    await gateway.start()
    async with Gateway(gateway.url, tls((gateway.serving.pem,))) as opened:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(opened.call("GET", "nonce"))
            await going.wait()
            old = opened._connections
            await opened.present(tls((gateway.serving.pem,)))
            assert old is not None
            assert not old.session.closed
            go.set()
        assert running.result() == {"nonce": "late"}
        assert old.session.closed


async def test_one_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await Gateway("https://g", tls(())).call("GET", "nonce")
