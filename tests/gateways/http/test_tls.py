"""TLS: 1.3 alone, client certificates proven but judged later, certificates renewed in place."""

import asyncio
import logging
import ssl
from pathlib import Path

import pytest

from leadglass.gateways.http.settings import TlsSettings
from leadglass.gateways.http.tls import Certificates, server_context
from leadglass.model.errors import ConfigurationError
from support.door import DECISION, get
from support.doortls import Identity, TlsDoor, authority, identity, tls_door, tls_files


async def asks(running: TlsDoor, context: ssl.SSLContext) -> int:
    async with running.client(context) as client:
        await client.send(get())
        status, fields, _ = await client.reply()
        assert fields["leadglass-decision-id"] == DECISION
        return status


async def test_a_request_over_tls(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        assert await asks(running, running.context()) == 200
        (incoming,) = running.pipeline.incoming
        assert incoming.peer.tls
        assert incoming.peer.certificate is None


async def test_tls_1_2_is_refused_and_counted(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        context = running.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asks(running, context)
        assert running.listener.counts.handshakes_failed == 1
        assert running.pipeline.incoming == []
        assert await asks(running, running.context()) == 200


async def test_no_session_is_offered_and_alpn_says_http_1_1(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        context = running.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with running.client(context) as client:
            await client.send(get())
            await client.reply()
            session = client.writer.get_extra_info("ssl_object")
            assert session.version() == "TLSv1.3"
            assert session.selected_alpn_protocol() == "http/1.1"
            assert session.session is None or not session.session.has_ticket


@pytest.mark.parametrize("issued", [0.0, -7_200.0, 7_200.0], ids=["in-time", "expired", "not-yet"])
async def test_a_client_certificate_reaches_the_pipeline_whatever_its_time(tmp_path: Path, issued: float) -> None:
    ca = authority()
    shown = identity(ca, tmp_path / "device", issued=issued)
    async with tls_door(tmp_path, ca) as running:
        assert await asks(running, running.context(shown)) == 200
        (incoming,) = running.pipeline.incoming
        assert incoming.peer.certificate == shown.der


async def ends_in_the_handshake(running: TlsDoor, shown: Identity) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await asks(running, running.context(shown))
    assert running.pipeline.incoming == []
    assert running.listener.counts.handshakes_failed == 1
    assert running.listener.open == 0


async def test_an_untrusted_chain_ends_in_the_handshake(tmp_path: Path) -> None:
    shown = identity(authority("Device CA"), tmp_path / "device")
    async with tls_door(tmp_path, authority("Device CA")) as running:
        await ends_in_the_handshake(running, shown)
        assert await asks(running, running.context()) == 200


async def test_plain_text_to_the_tls_port_is_no_request(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        reader, writer = await asyncio.open_connection(running.address.host, running.address.port)
        writer.write(get())
        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
        assert running.listener.counts.handshakes_failed == 1


async def test_a_half_open_handshake_is_dropped(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        reader, writer = await asyncio.open_connection(running.address.host, running.address.port)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()
        assert running.listener.counts.handshakes_failed == 1
        assert running.listener.open == 0


async def test_a_changed_certificate_is_taken_up_and_connections_stay(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        old = running.context()
        async with running.client(old) as client:
            await client.send(get())
            assert (await client.reply())[0] == 200
            before = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            tls_files(tmp_path)
            running.listener.reload(force=False)
            async with running.client(running.context()) as later:
                await later.send(get())
                assert (await later.reply())[0] == 200
                assert later.writer.get_extra_info("ssl_object").getpeercert(binary_form=True) != before
            await client.send(get())
            assert (await client.reply())[0] == 200
            with pytest.raises(ssl.SSLCertVerificationError):
                await asks(running, old)


async def test_the_sweep_sees_a_change_by_itself(tmp_path: Path) -> None:
    async with tls_door(tmp_path) as running:
        old = running.listener._certificates
        assert old is not None
        before = old.context
        tls_files(tmp_path)
        async with asyncio.timeout(3):
            while old.context is before:  # noqa: ASYNC110 - the sweep has no event to wait for
                await asyncio.sleep(0.02)
        assert await asks(running, running.context()) == 200


async def test_a_new_device_ca_is_taken_up(tmp_path: Path) -> None:
    first, second = authority("First"), authority("Second")
    shown = identity(second, tmp_path / "device")
    present = [first.pem]
    async with tls_door(tmp_path, first) as running:
        certificates = running.listener._certificates
        assert certificates is not None
        certificates._device_ca = lambda: "".join(present)
        await ends_in_the_handshake(running, shown)
        present.append(second.pem)
        assert running.listener.reload(force=False)
        assert await asks(running, running.context(shown)) == 200


@pytest.mark.parametrize("broken", ["missing", "garbage", "other-key"])
def test_a_broken_pair_is_refused_at_the_start_and_the_old_one_stays_later(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = tls_files(tmp_path)
    certificates = Certificates(files, lambda: None)
    before = certificates.context
    if broken == "missing":
        files.key.unlink()
    elif broken == "garbage":
        files.certificate.write_text("not PEM\n")
    else:
        files.key.write_bytes(tls_files(tmp_path / "other").key.read_bytes())
    with caplog.at_level(logging.ERROR, "leadglass.gateways.http"):
        assert not certificates.renew()
        assert not certificates.renew(), "said once, not with every sweep"
    assert certificates.context is before
    assert len(caplog.records) == 1
    assert "the old certificate stays in force" in caplog.text
    with pytest.raises(ConfigurationError, match="cannot use certificate"):
        Certificates(files, lambda: None)


def test_an_encrypted_key_is_an_error_and_never_a_question(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    files = tls_files(tmp_path)
    files.key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigurationError, match="cannot use certificate"):
        server_context(files, None)


def test_a_broken_device_ca_is_refused(tmp_path: Path) -> None:
    files: TlsSettings = tls_files(tmp_path)
    with pytest.raises(ConfigurationError, match="device CA"):
        server_context(files, "not PEM")
    with pytest.raises(ConfigurationError, match="device CA"):
        server_context(files, "")


@pytest.mark.parametrize("how", ["reset", "begin_stream"])
async def test_a_connection_whose_client_left_in_this_very_turn_can_still_be_cut(tmp_path: Path, how: str) -> None:
    """One that could not would keep whoever cuts many, for a revocation or to drain, from all that come after it."""
    async with tls_door(tmp_path) as running, running.client(running.context()) as client:
        await client.send(get())
        await client.reply()
        (connection,) = running.listener._hub.connections
        client.writer.transport.abort()
        while connection._transport.get_extra_info("socket") is not None:  # noqa: ASYNC110 - turns, not time
            await asyncio.sleep(0)
        assert not connection.lost, "the turn between the two"
        connection.reset("test") if how == "reset" else connection.begin_stream()
