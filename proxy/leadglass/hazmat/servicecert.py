"""Client certificates of services (modalities, routers): issued by a CA of the site, withdrawn by its CRL (RFC 5280).

The handshake proves that the peer holds the key of its leaf, and nothing else here counts: the leaf must be signed by
one of the configured CA keys itself, whatever chain came with it. A certificate that names a device of ours is none of
a service's, whoever signed it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from leadglass.hazmat.mac import sha256
from leadglass.hazmat.x509 import DEVICE_URN
from leadglass.limits import CERTIFICATE_BYTES, CRL_BYTES, SERVICE_CAS
from leadglass.model.errors import LeadglassError

_KNOWN_CRITICAL: Final = frozenset(
    {x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid, x509.SubjectAlternativeName.oid}
)
_CRL_PEM: Final = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


class InvalidCertificate(LeadglassError):
    """A certificate, CA or CRL that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class ServiceCertificate:
    """A leaf signed by one of the CAs; `issuer` is SHA-256 of that CA in hex. Times are epoch seconds."""

    issuer: str
    serial: int
    not_before: float
    not_after: float
    subject: str  # RFC 4514
    uris: tuple[str, ...]
    dns: tuple[str, ...]  # in lower case


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One CRL: the serials it withdraws, and from when to when it holds (epoch seconds)."""

    starts: float
    ends: float
    serials: frozenset[int] = field(repr=False)


class ServiceCas:
    """The CAs of a PEM file. Raises InvalidCertificate when it holds none, or one that is no CA."""

    def __init__(self, pem: bytes) -> None:
        try:
            found = x509.load_pem_x509_certificates(pem)
        except (ValueError, x509.InvalidVersion):
            raise InvalidCertificate("not PEM certificates") from None
        if len(found) > SERVICE_CAS:
            raise InvalidCertificate(f"more than {SERVICE_CAS} certificates")
        for certificate in found:
            if not _is_ca(certificate):
                raise InvalidCertificate(f"{certificate.subject.rfc4514_string()} is not a CA")
        encoding = serialization.Encoding
        self._cas = {sha256(ca.public_bytes(encoding.DER)).hex(): ca for ca in found}
        self.pem = "".join(ca.public_bytes(encoding.PEM).decode("ascii") for ca in found)

    def read(self, der: bytes) -> ServiceCertificate | None:
        """Read a leaf (DER, proven by the handshake); None when none of the CAs signed it, or it names a device.

        Raises InvalidCertificate for one that a CA signed and that is no client's.
        """
        if len(der) > CERTIFICATE_BYTES:
            return None
        try:
            certificate = x509.load_der_x509_certificate(der)
            extensions = certificate.extensions  # read lazily, so read now
        except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return None
        issuer = next((name for name, ca in self._cas.items() if _signed(certificate, ca)), None)
        if issuer is None:
            return None
        uris, dns = _names(extensions)
        if any(uri.lower().startswith(DEVICE_URN) for uri in uris):
            return None
        _check_leaf(extensions)
        ca = self._cas[issuer]
        return ServiceCertificate(
            issuer,
            certificate.serial_number,
            max(_start(certificate), _start(ca)),
            min(_end(certificate), _end(ca)),
            certificate.subject.rfc4514_string(),
            uris,
            tuple(name.lower() for name in dns),
        )

    def read_crls(self, data: bytes) -> Mapping[str, RevocationList]:
        """Read one CRL in DER, or any number in PEM; one for each CA. Raises InvalidCertificate."""
        if len(data) > CRL_BYTES:
            raise InvalidCertificate(f"larger than {CRL_BYTES} bytes")
        try:
            blocks = [x509.load_pem_x509_crl(block) for block in _CRL_PEM.findall(data)]
            crls = blocks or [x509.load_der_x509_crl(data)]
            found = dict(self._read_crl(crl) for crl in crls)
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
            raise InvalidCertificate("not a CRL in PEM or DER") from None
        missing = self._cas.keys() - found.keys()
        if missing or len(found) != len(crls):
            raise InvalidCertificate("does not hold exactly one CRL for each CA")
        return found

    def _read_crl(self, crl: x509.CertificateRevocationList) -> tuple[str, RevocationList]:
        ends = crl.next_update_utc
        if ends is None:
            raise InvalidCertificate("a CRL without nextUpdate")
        if any(extension.critical for extension in crl.extensions):  # a delta, or a part of the whole
            raise InvalidCertificate("a CRL with a critical extension")
        for name, ca in self._cas.items():
            if crl.issuer == ca.subject and crl.is_signature_valid(ca.public_key()):  # type: ignore[arg-type]  # any key
                serials = frozenset(revoked.serial_number for revoked in crl)
                return name, RevocationList(crl.last_update_utc.timestamp(), ends.timestamp(), serials)
        raise InvalidCertificate("a CRL that none of the CAs signed")


def _start(certificate: x509.Certificate) -> float:
    return certificate.not_valid_before_utc.timestamp()


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False


def _signed(certificate: x509.Certificate, ca: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False  # ValueError: another issuer's name; TypeError: another kind of key
    return True


def _check_leaf(extensions: x509.Extensions) -> None:
    if any(extension.critical and extension.oid not in _KNOWN_CRITICAL for extension in extensions):
        raise InvalidCertificate("unknown critical extension")
    kinds = {type(extension.value): extension.value for extension in extensions}
    constraints, usages = kinds.get(x509.BasicConstraints), kinds.get(x509.ExtendedKeyUsage)
    if isinstance(constraints, x509.BasicConstraints) and constraints.ca:
        raise InvalidCertificate("a CA, not a client")
    if not isinstance(usages, x509.ExtendedKeyUsage) or ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise InvalidCertificate("not for client authentication")


def _names(extensions: x509.Extensions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return tuple(uris), tuple(names.get_values_for_type(x509.DNSName))
