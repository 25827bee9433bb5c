"""The certificate of our own making serves TLS 1.3 to a client that trusts its CA, and to no other."""

import ssl
import stat
import time
from pathlib import Path

import pytest

from leadglass.hazmat.servercert import make_server_files, trust_anchors
from support.handshake import handshake

NOW = 1_795_000_000.0


@pytest.mark.parametrize("name", ["gateway.test", "127.0.0.1", "::1"])
def test_it_serves_its_names(tmp_path: Path, name: str) -> None:
    files = make_server_files(tmp_path / "tls", ("gateway.test", "127.0.0.1", "::1"), time.time())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    handshake(server, ssl.create_default_context(cafile=str(files.ca)), name)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, ssl.create_default_context(cafile=str(files.ca)), "other.test")
    other = make_server_files(tmp_path / "other", ("gateway.test",), time.time())
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, ssl.create_default_context(cafile=str(other.ca)), name)


def test_the_key_is_private(tmp_path: Path) -> None:
    files = make_server_files(tmp_path / "tls", ("localhost",), NOW)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert not list((tmp_path / "tls").glob("ca.key"))


def test_the_anchor_is_the_ca_alone(tmp_path: Path) -> None:
    files = make_server_files(tmp_path / "tls", ("localhost",), NOW)
    assert trust_anchors(files.certificate.read_bytes()) == (files.ca.read_text(),)
    leaf = files.certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    assert trust_anchors(leaf.encode()) == ()
    with pytest.raises(ValueError, match=r".*"):
        trust_anchors(b"nothing")
