"""Server certificates of our own making, for `leadglass init` and the demo: a small CA and one certificate under it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leadglass.hazmat.files import write_private
from leadglass.hazmat.x509 import make_ca, private_pem

_SERVER_DAYS: Final = 397  # CA/Browser Forum baseline requirements 6.3.2


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where the files are: the CA to trust, the certificate with its CA behind it, and the key (0600)."""

    ca: Path
    certificate: Path
    key: Path


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def make_server_files(folder: Path, names: tuple[str, ...], now: float) -> ServerFiles:
    """Write `ca.pem`, `server.pem` and `server.key` for these host names and addresses into `folder`.

    The CA's key is used once and thrown away. Raises OSError, ValueError for a name that is no host.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key, ca = make_ca("Leadglass local CA", now)
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.fromtimestamp(int(now), UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=_SERVER_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = ServerFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    files.ca.write_bytes(ca.public_bytes(pem))
    files.certificate.write_bytes(certificate.public_bytes(pem) + ca.public_bytes(pem))
    write_private(files.key, private_pem(key))
    return files


def trust_anchors(chain: bytes) -> tuple[str, ...]:
    """Return the self-issued CA certificates (PEM) in a server's certificate file, which devices are told to trust.

    Empty for a certificate of a public CA, whose root is not in the file: devices then trust what their system trusts.
    Raises ValueError when the file holds no certificate.
    """
    anchors = []
    for certificate in x509.load_pem_x509_certificates(chain):
        try:
            ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            continue
        if ca and certificate.issuer == certificate.subject:
            anchors.append(certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"))
    return tuple(anchors)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """What a check wants to know of a server's certificate. `not_after` is epoch seconds."""

    not_after: float
    names: tuple[str, ...]
    addresses: tuple[str, ...]

    def covers(self, host: str) -> bool:
        """Return whether the certificate is for this host name or address (RFC 9525 section 6)."""
        try:
            return str(ip_address(host)) in self.addresses
        except ValueError:
            parent = host.partition(".")[2]
            return host in self.names or (bool(parent) and f"*.{parent}" in self.names)


def server_certificate(chain: bytes) -> ServerCertificate:
    """Read the first certificate (PEM) of a server's certificate file. Raises ValueError."""
    certificate = x509.load_pem_x509_certificates(chain)[0]
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ServerCertificate(certificate.not_valid_after_utc.timestamp(), (), ())
    return ServerCertificate(
        certificate.not_valid_after_utc.timestamp(),
        tuple(name.lower() for name in alternatives.get_values_for_type(x509.DNSName)),
        tuple(map(str, alternatives.get_values_for_type(x509.IPAddress))),
    )
