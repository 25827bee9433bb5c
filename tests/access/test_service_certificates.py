"""Services by their certificate through a whole gateway: no token, no device, and an end when the CRL says so."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.gateway import CT, HOST, Answer, Client, Running, running
from support.servicecert import Leaf, SiteCa
from support.trickle import trickle

CA = SiteCa()
LEAF = CA.leaf()
TARGET = f"/dicom-web/studies/{CT.uid}/metadata"
SETTINGS = """\
  certificates:
    ca: tls/site.pem
    crl: tls/site.crl
    rules: [{san_uri: "urn:example:modality:*", id: "modality-*", roles: [radiologist]}]
attributes:"""


def site(folder: Path) -> None:
    (folder / "tls/site.pem").write_bytes(CA.pem)
    (folder / "tls/site.crl").write_bytes(CA.crl())
    (folder / "policies/data/devices.yaml").write_text("shared: {}\nexempt_service_roles: [radiologist]\n")
    file = folder / "leadglass.yaml"
    file.write_text(file.read_text().replace("attributes:", SETTINGS, 1))


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, change=site) as run:
        yield run


def context(gateway: Running, leaf: Leaf, chain: bytes = b"") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    certificate, key = leaf.write(gateway.folder, "service")
    certificate.write_bytes(leaf.pem + chain)
    made.load_cert_chain(certificate, key)
    return made


async def ask(gateway: Running, leaf: Leaf, *fields: str, target: str = TARGET, method: str = "GET") -> Answer:
    address = gateway.https
    async with asyncio.timeout(10):
        made = await asyncio.open_connection(
            address.host, address.port, ssl=context(gateway, leaf), server_hostname=HOST
        )
        client = Client(*made)
        try:
            await client.send("\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {HOST}", *fields, "", ""]).encode())
            return await client.answer()
        finally:
            await client.close()


async def test_a_service_is_judged_by_its_roles_without_a_token(gateway: Running) -> None:
    answer = await ask(gateway, LEAF)
    assert answer.status == 200
    (decision,) = [line for line in gateway.about(answer) if line["type"] == "decision"]
    assert decision["subject"]["type"] == "service"
    assert decision["subject"]["id"] == "modality-ct-2"
    assert decision.get("device") is None


async def test_a_service_certificate_is_no_device(gateway: Running) -> None:
    person = await ask(gateway, LEAF, f"Authorization: Bearer {gateway.token()}")
    assert (person.status, person.reasons) == (403, ["device-required"])
    posture = await ask(
        gateway, LEAF, "Content-Length: 0", target="/.leadglass/v1/posture", method="POST"
    )  # the path is for devices
    assert posture.status == 403


async def test_a_device_certificate_is_no_identity(gateway: Running) -> None:
    answer = await gateway.ask(TARGET, token=None)
    assert (answer.status, answer.reasons) == (401, ["user-unauthenticated"])


async def test_another_ca_ends_in_the_handshake(gateway: Running) -> None:
    for stranger in (SiteCa("Other CA").leaf(), SiteCa().leaf()):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await ask(gateway, stranger)
    assert (await ask(gateway, LEAF)).status == 200


async def test_what_fits_no_rule_or_is_revoked_is_refused(gateway: Running) -> None:
    for leaf in (CA.leaf(uris=("urn:example:router:1",)), CA.leaf(end=-1)):
        answer = await ask(gateway, leaf)
        assert (answer.status, answer.reasons) == (401, ["user-unauthenticated"])
    assert (await ask(gateway, LEAF)).status == 200
    (gateway.folder / "tls/site.crl").write_bytes(CA.crl(LEAF.serial, start=0))
    held = gateway.gateway.parts.identity._certificates
    assert held is not None
    await held.maintain()
    assert (await ask(gateway, LEAF)).status == 401


async def test_a_revocation_by_crl_cuts_what_is_running(gateway: Running) -> None:
    sop = CT.instances[0]
    frames = f"/dicom-web/studies/{CT.uid}/series/{sop.series}/instances/{sop.sop}/frames/1"

    gateway.archive.replaced[frames] = trickle
    made = await asyncio.open_connection(
        gateway.https.host, gateway.https.port, ssl=context(gateway, LEAF), server_hostname=HOST
    )
    client = Client(*made)
    async with asyncio.timeout(10):
        await client.send(f"GET {frames} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await client.reader.readexactly(4096)
        (gateway.folder / "tls/site.crl").write_bytes(CA.crl(LEAF.serial, start=0))
        held = gateway.gateway.parts.identity._certificates
        assert held is not None
        await held.maintain()
        await client.rest()
        await client.close()
    while not (cuts := [line for line in gateway.record("completion") if line.get("cut_by")]):  # noqa: ASYNC110 - the file has no event
        await asyncio.sleep(0.01)
    assert cuts[0]["cut_by"] == "user-unauthenticated"


# --- by the word of a proxy --------------------------------------------------------------------------------------------
PROXIES = "trusted_proxies: [{networks: [127.0.0.0/8], speaks: x-forwarded-for, client_cert: true}]\nmetrics:"


def field(der: bytes) -> str:
    return f"Client-Cert: :{base64.b64encode(der).decode()}:"


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Running]:
    def change(folder: Path) -> None:
        site(folder)
        file = folder / "leadglass.yaml"
        file.write_text(file.read_text().replace("metrics:", PROXIES, 1))

    async with running(tmp_path, change=change) as run:
        yield run


async def via(proxied: Running, *fields: str, token: str | None = None, device: bool = False) -> Answer:
    return await proxied.ask(TARGET, "X-Forwarded-For: 192.0.2.9", *fields, token=token, device=device)


async def test_a_proxy_that_ends_tls_hands_on_the_certificate_of_a_service(proxied: Running) -> None:
    answer = await via(proxied, field(LEAF.der))
    assert answer.status == 200
    (line,) = [line for line in proxied.about(answer) if line["type"] == "decision"]
    assert line["client"]["ip"] == "192.0.2.9"
    assert (await via(proxied)).status == 401
    assert (await via(proxied, field(SiteCa().leaf().der))).status == 401  # another CA's
    assert (await via(proxied, field(LEAF.der), field(LEAF.der))).reasons == ["forwarding-malformed"]
    assert (await via(proxied, field(LEAF.der[:-3]))).status == 401


async def test_a_proxys_own_certificate_is_nobodys(proxied: Running) -> None:
    assert (await ask(proxied, LEAF, "X-Forwarded-For: 192.0.2.9")).status == 401


async def test_a_device_certificate_by_the_word_of_a_proxy_is_no_device(proxied: Running) -> None:
    """The device CA signed it, it is active, and the token is its owner's; yet nobody showed the key to the gateway."""
    answer = await via(proxied, field(proxied.agent.certificate), token="", device=True)
    assert (answer.status, answer.reasons) == (403, ["device-required"])
    renewal = await proxied.ask(
        "/.leadglass/v1/posture", "X-Forwarded-For: 192.0.2.9", field(proxied.agent.certificate), method="POST",
        token=None, body=b"", device=True,
    )  # fmt: skip
    assert renewal.reasons == ["device-required"]


async def test_a_token_bound_to_a_certificate_takes_it_from_the_proxy(proxied: Running) -> None:
    bound = {"x5t#S256": base64.urlsafe_b64encode(hashlib.sha256(LEAF.der).digest()).rstrip(b"=").decode()}
    token = proxied.token(cnf=bound)
    assert (await via(proxied, field(LEAF.der), token=token)).reasons == ["device-required"]  # past identity
    assert (await via(proxied, token=token)).reasons == ["user-unauthenticated"]


async def test_of_others_the_field_is_not_read(gateway: Running) -> None:
    answer = await gateway.ask(TARGET, "X-Forwarded-For: 192.0.2.9", field(LEAF.der), token=None, device=False)
    assert answer.status == 401
    (line,) = gateway.about(answer)
    assert line["client"]["ip"] == "127.0.0.1"
    for head in gateway.archive.heads:
        assert not {name.lower() for name in head} & {"client-cert", "x-forwarded-for"}
