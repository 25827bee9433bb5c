"""Services known by their client certificate: who is meant, and whether the certificate still counts, on every request.

What a certificate says is read once; time and CRL are judged each time. Nothing here knows of devices: a certificate
of the device CA is signed by none of these CAs, and one of these stands for no device.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from leadglass.clock import Clock
from leadglass.epochs import Epochs
from leadglass.hazmat.files import Stamp, stamp
from leadglass.hazmat.jws import InvalidToken
from leadglass.hazmat.servicecert import InvalidCertificate, RevocationList, ServiceCas, ServiceCertificate
from leadglass.identity.claims import text
from leadglass.identity.settings import CertificateRule, CertificatesSettings
from leadglass.limits import CRL_BYTES, SERVICE_CERTIFICATES
from leadglass.model.errors import ConfigurationError
from leadglass.model.facts import Subject

_log = logging.getLogger("leadglass.identity")
CA_ISSUER: Final = "urn:leadglass:ca:"
_LABEL: Final = "([A-Za-z0-9_-]+)"


class _Rule:
    """One rule, ready to match."""

    def __init__(self, rule: CertificateRule) -> None:
        self._rule = rule
        self._pattern = re.compile(_LABEL.join(re.escape(part) for part in rule.pattern.split("*")))

    def matches(self, leaf: ServiceCertificate) -> set[tuple[str, tuple[str, ...]]]:
        """Return the ids and roles that this rule gives a certificate; none, or one for each name that fits."""
        rule = self._rule
        names = leaf.uris if rule.san_uri else leaf.dns if rule.san_dns else (leaf.subject,)
        fits = [fit for name in names if (fit := self._pattern.fullmatch(name))]
        return {(rule.id.replace("*", fit[1]) if fit.re.groups else rule.id, rule.roles) for fit in fits}


class Certificates:
    """The certificates of services. `load` before use; `maintain` now and then."""

    def __init__(self, settings: CertificatesSettings, *, clock: Clock, epochs: Epochs) -> None:
        self._settings, self._clock, self._epochs = settings, clock, epochs
        self._rules = [_Rule(rule) for rule in settings.rules]
        self._cas: ServiceCas | None = None
        self._crls: Mapping[str, RevocationList] | None = None
        self._stamp: Stamp | None = None
        # SHA-256 of the DER -> the certificate, why it is refused, or None for one that is not a service's
        self._read: dict[bytes, ServiceCertificate | str | None] = {}
        self._subjects: dict[bytes, Subject] = {}

    @property
    def pem(self) -> str:
        """The CAs, for the handshake."""
        return "" if self._cas is None else self._cas.pem

    async def load(self) -> None:
        """Read CAs and CRL. Raises ConfigurationError: a file that cannot be used never means less is checked."""
        file = self._settings.ca
        try:
            self._cas = ServiceCas(await asyncio.to_thread(file.read_bytes))
        except OSError as error:
            raise _unusable(file, error.strerror or type(error).__name__, "ca") from None
        except InvalidCertificate as error:
            raise _unusable(file, str(error), "ca") from None
        if self._settings.crl is not None:
            try:
                await self._load_crl(self._settings.crl, self._cas)
            except InvalidCertificate as error:
                raise _unusable(self._settings.crl, str(error), "crl") from None

    async def maintain(self) -> None:
        """Take over a CRL that has changed. One that cannot be used leaves the old, which ends when it says."""
        file = self._settings.crl
        if file is None or self._cas is None or await asyncio.to_thread(stamp, file) == self._stamp:
            return
        try:
            await self._load_crl(file, self._cas)
        except InvalidCertificate as error:
            _log.error("CRL %s: %s; the one read before stays in force until it ends", file, error)

    async def _load_crl(self, file: Path, cas: ServiceCas) -> None:
        self._stamp = await asyncio.to_thread(stamp, file)
        try:
            crls = await asyncio.to_thread(lambda: cas.read_crls(_read(file)))
        except OSError as error:
            raise InvalidCertificate(error.strerror or type(error).__name__) from None
        before = self._crls or {}
        if any(name in before and crl.starts < before[name].starts for name, crl in crls.items()):
            raise InvalidCertificate("older than the one in force")
        changed = [name for name, crl in crls.items() if before.get(name) != crl]
        self._crls = crls
        self._subjects.clear()
        for name in changed:
            self._epochs.bump(f"issuer:{CA_ISSUER}{name}")  # ends leases, and has running replies looked at

    def owns(self, certificate: bytes | None) -> bool:
        """Return whether a certificate (DER) is one of a service: signed by one of the CAs, naming no device."""
        return certificate is not None and self._leaf(hashlib.sha256(certificate).digest(), certificate) is not None

    def subject(self, certificate: bytes) -> Subject:
        """Return the service that a certificate stands for now. Raises InvalidToken."""
        digest = hashlib.sha256(certificate).digest()
        leaf = self._leaf(digest, certificate)
        if leaf is None:
            raise InvalidToken("not a certificate of a service")
        if isinstance(leaf, str):
            raise InvalidToken(f"certificate: {leaf}")
        ends = self._judge(leaf)
        known = self._subjects.get(digest)
        if known is None:
            known = self._subjects[digest] = self._map(leaf, digest, ends)
        return known

    def check(self, subject: Subject) -> None:
        """Judge again the certificate that a service of ours came from. Raises InvalidToken."""
        leaf = self._read.get(subject.token_hash)
        if not isinstance(leaf, ServiceCertificate):
            raise InvalidToken("certificate: not known any more")
        self._judge(leaf)

    def _leaf(self, digest: bytes, certificate: bytes) -> ServiceCertificate | str | None:
        if digest in self._read:
            return self._read[digest]
        if self._cas is None:
            return None
        leaf: ServiceCertificate | str | None
        try:
            leaf = self._cas.read(certificate)
        except InvalidCertificate as error:
            leaf = str(error)
        while len(self._read) >= SERVICE_CERTIFICATES:
            oldest = next(iter(self._read))
            del self._read[oldest]
            self._subjects.pop(oldest, None)
        self._read[digest] = leaf
        return leaf

    def _judge(self, leaf: ServiceCertificate) -> float:
        """Return until when a certificate counts (epoch seconds), time and CRL being as they are. Raises InvalidToken."""
        now = self._clock.now()
        if now < leaf.not_before:
            raise InvalidToken("certificate: not yet valid")
        if now >= leaf.not_after:
            raise InvalidToken("certificate: expired")
        if self._settings.crl is None:
            return leaf.not_after
        crl = None if self._crls is None else self._crls.get(leaf.issuer)
        if crl is None or not crl.starts <= now < crl.ends:
            raise InvalidToken("certificate: no CRL of its CA that holds now")
        if leaf.serial in crl.serials:
            raise InvalidToken("certificate: revoked")
        return min(leaf.not_after, crl.ends)

    def _map(self, leaf: ServiceCertificate, digest: bytes, ends: float) -> Subject:
        found = {match for rule in self._rules for match in rule.matches(leaf)}
        if len(found) != 1:
            raise InvalidToken("certificate: fits several rules" if found else "certificate: fits no rule")
        ((name, roles),) = found
        roles = tuple(sorted(set(roles)))
        return Subject(
            type="service",
            id=text(name, "id"),
            issuer=f"{CA_ISSUER}{leaf.issuer}",
            token_hash=digest,
            expires=ends,
            roles=roles,
        )


def _unusable(file: Path, problem: str, key: str) -> ConfigurationError:
    return ConfigurationError(f"cannot use {file}: {problem}", where=f"identity.certificates.{key}")


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(CRL_BYTES + 1)
