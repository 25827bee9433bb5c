"""The device CA issues what it then accepts, and nothing else is accepted."""

import base64
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.authority import following, load_or_make_authority, rotate
from leadglass.hazmat.mac import sha256
from leadglass.hazmat.servercert import make_server_files
from leadglass.hazmat.statement import DeviceKey
from leadglass.hazmat.x509 import DeviceAuthority, Outcome, Retired, make_ca
from support.device import Key
from support.handshake import handshake

NOW = 1_800_000_000.0
KEY, CERTIFICATE = make_ca("Leadglass device CA", NOW)
AUTHORITY = DeviceAuthority(KEY, CERTIFICATE)
HOLDER = Key()
SESSION = DeviceKey(HOLDER.jwk)
URI = "urn:leadglass:device:abc"
Build = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


def forge(
    *,
    ca: bool | None = False,
    usage: tuple[ObjectIdentifier, ...] | None = (ExtendedKeyUsageOID.CLIENT_AUTH,),
    names: tuple[x509.GeneralName, ...] | None = (x509.UniformResourceIdentifier(URI),),
    signer: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = KEY,
    issuer: x509.Name = CERTIFICATE.subject,
    more: Build = lambda builder: builder,
) -> bytes:
    """Return a certificate (DER) that has one thing wrong."""
    start = datetime.fromtimestamp(NOW - 60, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "abc")]))
        .issuer_name(issuer)
        .public_key(SESSION.public)
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(hours=1))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = hashes.SHA256() if isinstance(signer, ec.EllipticCurvePrivateKey) else None
    return more(builder).sign(signer, algorithm).public_bytes(serialization.Encoding.DER)


def sub_ca() -> bytes:
    """Return a certificate by a CA that our CA has signed: a chain, where only a direct issue counts."""
    middle, _ = make_ca("Middle", NOW)
    return forge(signer=middle, issuer=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Middle")]))


UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
GOOD = forge()
CASES = {
    "as issued": (GOOD, Outcome.OK),
    "CA:TRUE": (forge(ca=True), Outcome.IS_CA),
    "no basic constraints": (forge(ca=None), Outcome.IS_CA),
    "no extended key usage": (forge(usage=None), Outcome.NO_CLIENT_AUTH),
    "serverAuth": (forge(usage=(ExtendedKeyUsageOID.SERVER_AUTH,)), Outcome.NO_CLIENT_AUTH),
    "anyExtendedKeyUsage": (forge(usage=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)), Outcome.NO_CLIENT_AUTH),
    "another key, our name": (forge(signer=ec.generate_private_key(ec.SECP256R1())), Outcome.NOT_OURS),
    "another kind of key": (forge(signer=ed25519.Ed25519PrivateKey.generate()), Outcome.NOT_OURS),
    "through an intermediate": (sub_ca(), Outcome.NOT_OURS),
    "the CA itself": (AUTHORITY.der, Outcome.IS_CA),
    "no name": (forge(names=None), Outcome.NO_DEVICE),
    "another URI": (forge(names=(x509.UniformResourceIdentifier("urn:x:abc"),)), Outcome.NO_DEVICE),
    "two names": (
        forge(names=(x509.UniformResourceIdentifier(URI), x509.UniformResourceIdentifier(URI + "d"))),
        Outcome.NO_DEVICE,
    ),
    "a DNS name": (forge(names=(x509.DNSName("abc"),)), Outcome.NO_DEVICE),
    "unknown critical extension": (
        forge(more=lambda builder: builder.add_extension(UNKNOWN, critical=True)),
        Outcome.MALFORMED,
    ),
    "empty": (b"", Outcome.MALFORMED),
    "garbage": (b"\x30\x82\x01\x00", Outcome.MALFORMED),
    "trailing bytes": (forge() + b"\0", Outcome.MALFORMED),
    "huge": (b"\x30" * 20_000, Outcome.MALFORMED),
}


@pytest.mark.parametrize(("der", "outcome"), CASES.values(), ids=CASES)
def test_a_certificate_is_judged_on_its_bytes(der: bytes, outcome: Outcome) -> None:
    assert AUTHORITY.judge(der, NOW).outcome is outcome


@pytest.mark.parametrize(
    ("offset", "outcome"),
    [
        (-61, Outcome.NOT_YET_VALID),
        (-60, Outcome.OK),
        (0, Outcome.OK),
        (3599, Outcome.OK),
        (3600, Outcome.EXPIRED),
        (1e6, Outcome.EXPIRED),
    ],
)
def test_validity_is_an_hour_from_a_minute_ago(offset: float, outcome: Outcome) -> None:
    issued = AUTHORITY.issue(SESSION, "abc", NOW)
    judgement = AUTHORITY.judge(issued.der, NOW + offset)
    assert (judgement.outcome, judgement.device_id) == (outcome, "abc")


def test_what_is_issued_is_what_is_said() -> None:
    one, two = (AUTHORITY.issue(SESSION, "abc", NOW) for _ in range(2))
    certificate = x509.load_pem_x509_certificate(one.pem.encode())
    assert certificate.fingerprint(hashes.SHA256()) == one.sha256 == sha256(one.der)
    assert certificate.not_valid_after_utc.timestamp() == one.not_after == NOW + 3600
    assert certificate.serial_number != x509.load_der_x509_certificate(two.der).serial_number
    assert certificate.public_key() == SESSION.public


def test_the_ca_is_a_ca_of_leaves_alone() -> None:
    constraints = CERTIFICATE.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)


def test_the_published_key_carries_the_certificate() -> None:
    chain = AUTHORITY.jwks(NOW)[0]["x5c"]
    assert isinstance(chain, list)
    assert [sha256(base64.b64decode(one)) for one in chain] == [AUTHORITY.fingerprint]
    assert "d" not in AUTHORITY.jwks(NOW)[0]


def test_a_version_that_nobody_knows_is_malformed() -> None:
    version = bytes.fromhex("a003020102")  # [0] INTEGER 2: version 3
    assert GOOD.count(version) == 1
    unknown = GOOD.replace(version, bytes.fromhex("a003020103"))
    assert AUTHORITY.judge(unknown, NOW).outcome is Outcome.MALFORMED


# A serial number that is not positive is parsed with a warning: what comes of it is not accepted either.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_mutation_is_accepted(data: st.DataObject) -> None:
    der = bytearray(GOOD)
    position = data.draw(st.integers(0, len(der) - 1))
    der[position] ^= data.draw(st.integers(1, 255))
    assert AUTHORITY.judge(bytes(der), NOW).outcome is not Outcome.OK


def test_a_handshake_takes_what_is_issued_and_no_other(tmp_path: Path) -> None:
    now = time.time()
    authority = load_or_make_authority(tmp_path / "ca", now)
    session, tls = Key(), make_server_files(tmp_path / "tls", ("gateway.test",), now)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    server.load_verify_locations(cadata=authority.pem)
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_STRICT

    def client(issuer: DeviceAuthority) -> tuple[ssl.SSLContext, bytes]:
        issued = issuer.issue(DeviceKey(session.jwk), "abc", now)
        file = tmp_path / "client.pem"
        file.write_bytes(session.pem + issued.pem.encode())
        context = ssl.create_default_context(cafile=str(tls.ca))
        context.load_cert_chain(file)
        return context, issued.der

    context, der = client(authority)
    assert handshake(server, context, "gateway.test") == der
    context, _ = client(AUTHORITY)
    with pytest.raises(ssl.SSLError):
        handshake(server, context, "gateway.test")


def test_what_a_ca_before_issued_is_good_until_it_ends() -> None:
    authority = DeviceAuthority(*make_ca("Leadglass device CA", NOW))
    old, first = authority.issue(SESSION, "abc", NOW), authority.pem
    authority.follow(KEY, CERTIFICATE, Retired(authority.certificate, NOW + 3600))
    new = authority.issue(SESSION, "abc", NOW)
    assert [authority.judge(issued.der, NOW).outcome for issued in (old, new)] == [Outcome.OK, Outcome.OK]
    assert authority.judge(old.der, NOW + 3600).outcome is Outcome.EXPIRED
    assert AUTHORITY.judge(old.der, NOW).outcome is Outcome.NOT_OURS
    assert authority.trust(NOW) == authority.pem + first
    assert authority.trust(NOW + 3600) == authority.pem
    assert len(authority.jwks(NOW)) == len({str(key["kid"]) for key in authority.jwks(NOW)}) == 2
    assert len(authority.jwks(NOW + 3600)) == 1


def test_a_handshake_takes_both_sides_of_a_rotation(tmp_path: Path) -> None:
    now = time.time()
    authority = load_or_make_authority(tmp_path / "ca", now)
    old = authority.issue(SESSION, "abc", now)
    rotate(authority, following(now), now)
    new = authority.issue(SESSION, "abc", now)
    tls = make_server_files(tmp_path / "tls", ("gateway.test",), now)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tls.certificate, tls.key)
    server.load_verify_locations(cadata=authority.trust(now))
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_STRICT
    for issued in (old, new):
        file = tmp_path / "client.pem"
        file.write_bytes(HOLDER.pem + issued.pem.encode())
        context = ssl.create_default_context(cafile=str(tls.ca))
        context.load_cert_chain(file)
        assert handshake(server, context, "gateway.test") == issued.der
