"""Certificates of services: what a CA of the site signed for a client, and nothing else."""

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.hazmat.servicecert import InvalidCertificate, ServiceCas
from leadglass.limits import CERTIFICATE_BYTES
from support.servicecert import DNS, URI, SiteCa

CA, OTHER = SiteCa(), SiteCa("Other CA")
TWIN = SiteCa()  # the same name, another key
CAS = ServiceCas(CA.pem)
MUTATED = CA.leaf()


def test_a_leaf_is_read() -> None:
    leaf = CA.leaf(dns=("CT-2.Modality.Example.ORG",))
    read = CAS.read(leaf.der)
    assert read is not None
    assert (read.uris, read.dns, read.subject, read.serial) == ((URI,), (DNS,), "CN=ct-2", leaf.serial)
    assert len(read.issuer) == 64


@pytest.mark.parametrize(
    "der",
    [
        b"", b"\x30\x00", b"x" * (CERTIFICATE_BYTES + 1), OTHER.leaf().der, TWIN.leaf().der, CA.leaf().der + b"\0",
        CA.leaf().der[:-1], CA.leaf(uris=("urn:leadglass:device:01J",)).der,
        CA.leaf(uris=(URI, "URN:Leadglass:Device:01J")).der,
    ],
    ids=["empty", "stub", "oversize", "another CA", "another CA of this name", "trailing", "cut", "device", "also device"],
)  # fmt: skip
def test_what_no_ca_signed_or_what_names_a_device_is_not_a_services(der: bytes) -> None:
    assert CAS.read(der) is None


@pytest.mark.parametrize(
    ("der", "cause"),
    [
        (CA.leaf(usage=None).der, "not for client"),
        (CA.leaf(usage=ExtendedKeyUsageOID.SERVER_AUTH).der, "not for client"),
        (CA.leaf(ca=True).der, "a CA"),
        (CA.leaf(critical=True).der, "unknown critical"),
    ],
    ids=["no usage", "server", "CA", "critical"],
)
def test_what_is_no_clients_is_refused(der: bytes, cause: str) -> None:
    with pytest.raises(InvalidCertificate, match=cause):
        CAS.read(der)


@pytest.mark.parametrize(
    "pem", [b"", b"x", CA.leaf().pem, CA.pem + CA.leaf().pem, SiteCa(ca=False).pem, CA.pem * 17], ids=range(6)
)
def test_a_file_with_anything_but_cas_is_refused(pem: bytes) -> None:
    with pytest.raises(InvalidCertificate):
        ServiceCas(pem)


@pytest.mark.parametrize("der", [False, True])
def test_a_crl_is_read(der: bool) -> None:  # noqa: FBT001 - a parameter of the table
    (crl,) = CAS.read_crls(CA.crl(7, 9, der=der)).values()
    assert crl.serials == {7, 9}
    assert crl.ends - crl.starts == 3660


@given(st.integers(0, 2000), st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_no_mutation_is_anything_else(place: int, value: int) -> None:
    good = MUTATED.der
    place %= len(good)
    changed = good[:place] + bytes([value]) + good[place + 1 :]
    if changed != good:
        assert CAS.read(changed) is None


def test_each_ca_needs_its_own() -> None:
    both = ServiceCas(CA.pem + OTHER.pem)
    assert len(both.read_crls(CA.crl() + OTHER.crl(1))) == 2
    for data in (CA.crl(), OTHER.crl(), CA.crl() + CA.crl() + OTHER.crl()):
        with pytest.raises(InvalidCertificate):
            both.read_crls(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"x", CA.pem, OTHER.crl(), TWIN.crl(), CA.crl(delta=True), CA.crl(der=True)[:-1], CA.crl(der=True) + b"x"],
    ids=["empty", "garbage", "certificate", "another CA", "another key", "delta", "cut", "trailing"],
)
def test_a_crl_that_does_not_count_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidCertificate):
        CAS.read_crls(data)
