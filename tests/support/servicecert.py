"""A CA of a site: certificates of services, good and bad, and CRLs, made without the code that judges them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from support.idp import NOW

URI = "urn:example:modality:ct-2"
DNS = "ct-2.modality.example.org"


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(NOW + seconds, UTC)


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Leaf:
    """A certificate with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.serial, self.key = certificate.serial_number, key
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        files = folder / f"{stem}.pem", folder / f"{stem}.key"
        files[0].write_bytes(self.pem)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        files[1].write_bytes(self.key.private_bytes(encoding, form, serialization.NoEncryption()))
        return files


class SiteCa:
    """A CA with a P-256 key; `common` may be that of another."""

    def __init__(self, common: str = "Site CA", *, ca: bool = True, start: float = -86_400) -> None:
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), name(common)
        builder = self._builder(self.name, self.key, start, 86_400 * 365)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, start: float, end: float
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at(start))
            .not_valid_after(at(end))
        )

    def leaf(
        self,
        common: str = "ct-2",
        *,
        uris: Iterable[str] = (URI,),
        dns: Iterable[str] = (DNS,),
        start: float = -3600,
        end: float = 86_400,
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
        ca: bool | None = None,
        critical: bool = False,
    ) -> Leaf:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name(common), key, start, end)
        names = [*(x509.UniformResourceIdentifier(uri) for uri in uris), *(x509.DNSName(one) for one in dns)]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        if critical:
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
            builder = builder.add_extension(unknown, critical=True)
        return Leaf(builder.sign(self.key, hashes.SHA256()), key)

    def crl(
        self, *serials: int, start: float = -60, end: float = 3600, delta: bool = False, der: bool = False
    ) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(at(start)).next_update(at(end))
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at(start)).build()
            builder = builder.add_revoked_certificate(revoked)
        if delta:
            builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        encoding = serialization.Encoding.DER if der else serialization.Encoding.PEM
        return builder.sign(self.key, hashes.SHA256()).public_bytes(encoding)
