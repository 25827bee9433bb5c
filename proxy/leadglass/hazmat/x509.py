"""The device CA, the client certificates it issues, and the judgement of one that is shown to us (RFC 5280).

A handshake proves that the peer holds the key of its certificate; whether that certificate is a device's is decided
here, on its bytes alone: issued by the CA key itself (no intermediates), CA:FALSE, extended key usage clientAuth,
within its validity now.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from leadglass.hazmat.mac import b64u, sha256
from leadglass.hazmat.statement import DeviceKey
from leadglass.limits import CERTIFICATE_BACKDATE_SECONDS, CERTIFICATE_BYTES, DEVICE_CERTIFICATE_SECONDS

DEVICE_URN: Final = "urn:leadglass:device:"
_CA_DAYS: Final = 3650
_KNOWN_CRITICAL: Final = frozenset(
    {x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid, x509.SubjectAlternativeName.oid}
)


class Outcome(StrEnum):
    """What a judgement of a certificate can come to."""

    OK = "ok"
    MALFORMED = "malformed"
    NOT_OURS = "not-issued-by-device-ca"
    IS_CA = "is-ca"
    NO_CLIENT_AUTH = "no-client-auth"
    NO_DEVICE = "names-no-device"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome; with OK, EXPIRED and NOT_YET_VALID also the device the certificate names."""

    outcome: Outcome
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A client certificate. `not_before` and `not_after` are epoch seconds; `sha256` is that of the DER."""

    der: bytes
    pem: str
    sha256: bytes
    not_before: float
    not_after: float


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _usage(*, signature: bool = False, sign_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signature,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_ca(common: str, now: float) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Make a CA with a new P-256 key: CA:TRUE, path length 0, ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    start = _instant(now) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common))
        .issuer_name(_name(common))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


@dataclass(frozen=True, slots=True)
class Retired:
    """A device CA that issues no more. What it issued ends by `until` (epoch seconds)."""

    certificate: x509.Certificate
    until: float


def _jwk(certificate: x509.Certificate) -> dict[str, object]:
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise TypeError("a device CA has an elliptic curve key")
    numbers = public.public_numbers()
    key = DeviceKey({"kty": "EC", "crv": "P-256", "x": b64u(numbers.x.to_bytes(32)), "y": b64u(numbers.y.to_bytes(32))})
    x5c = "".join(_pem(certificate).splitlines()[1:-1])
    return {**key.jwk, "use": "sig", "alg": "ES256", "kid": key.thumbprint, "x5c": [x5c]}


class DeviceAuthority:
    """The device CA: its key never leaves this object but to its own file.

    `retired` are those before it, whose certificates are good until they end; `folder` is where it is kept.
    """

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
        retired: Iterable[Retired] = (),
        *,
        folder: Path = Path("device-ca"),
    ) -> None:
        self.folder, self._retired = folder, tuple(retired)
        self.follow(key, certificate)

    def follow(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, retired: Retired | None = None
    ) -> None:
        """Issue by this key from now on; `retired` is the CA before."""
        self._key, self._certificate = key, certificate
        self._public = key.public_key()
        self.der: bytes = certificate.public_bytes(serialization.Encoding.DER)
        self.pem: str = _pem(certificate)
        self.fingerprint: bytes = sha256(self.der)
        if retired is not None:
            self._retired += (retired,)

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate of the CA that issues."""
        return self._certificate

    def trust(self, now: float) -> str:
        """Return the certificates (PEM) that client certificates may be issued by: this CA, and those not ended."""
        return self.pem + "".join(_pem(one.certificate) for one in self._retired if now < one.until)

    def jwks(self, now: float) -> list[dict[str, object]]:
        """Return their public keys for jwks.json, with the certificate in `x5c` (RFC 7517 section 4.7)."""
        return [_jwk(self._certificate), *(_jwk(one.certificate) for one in self._retired if now < one.until)]

    def issue(self, session: DeviceKey, device_id: str, now: float) -> Issued:
        """Issue a client certificate of one hour for a device's session key."""
        start = _instant(now - CERTIFICATE_BACKDATE_SECONDS)
        end = _instant(now + DEVICE_CERTIFICATE_SECONDS)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(device_id))
            .issuer_name(self._certificate.subject)
            .public_key(session.public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"{DEVICE_URN}{device_id}")]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        return Issued(der, _pem(certificate), sha256(der), start.timestamp(), end.timestamp())

    def judge(self, der: bytes, now: float) -> Judgement:
        """Judge a certificate that is shown to us. Never raises: what cannot be read is MALFORMED."""
        certificate = self._issued(der)
        if isinstance(certificate, Outcome):
            return Judgement(certificate)
        fault = _constraints(certificate.extensions)
        device_id = _device_id(certificate.extensions)
        if fault is not None or device_id is None:
            return Judgement(fault or Outcome.NO_DEVICE)
        return Judgement(_validity(certificate, now), device_id)

    def _issued(self, der: bytes) -> x509.Certificate | Outcome:
        if len(der) > CERTIFICATE_BYTES:
            return Outcome.MALFORMED
        try:
            certificate = x509.load_der_x509_certificate(der)
            _ = certificate.extensions  # read lazily, so read now
        except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
            return Outcome.MALFORMED
        for authority in (self._certificate, *(one.certificate for one in self._retired)):
            with contextlib.suppress(InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
                certificate.verify_directly_issued_by(authority)
                return certificate
        return Outcome.NOT_OURS  # ValueError: another issuer's name; TypeError: another kind of key


def _validity(certificate: x509.Certificate, now: float) -> Outcome:
    if now < certificate.not_valid_before_utc.timestamp():
        return Outcome.NOT_YET_VALID
    return Outcome.OK if now < certificate.not_valid_after_utc.timestamp() else Outcome.EXPIRED


def _constraints(extensions: x509.Extensions) -> Outcome | None:
    """Return what is wrong with the extensions of a client certificate, None when nothing is."""
    if any(extension.critical and extension.oid not in _KNOWN_CRITICAL for extension in extensions):
        return Outcome.MALFORMED  # RFC 5280 section 4.2: an unknown critical extension must be refused
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return Outcome.IS_CA
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as missing:
        return Outcome.IS_CA if missing.oid == x509.BasicConstraints.oid else Outcome.NO_CLIENT_AUTH
    return None if ExtendedKeyUsageOID.CLIENT_AUTH in usages else Outcome.NO_CLIENT_AUTH


def _device_id(extensions: x509.Extensions) -> str | None:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(names) != 1 or len(uris) != 1 or not uris[0].startswith(DEVICE_URN):
        return None
    return uris[0].removeprefix(DEVICE_URN)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
