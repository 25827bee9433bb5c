"""Where the device CA is kept: `ca.pem` and `ca.key`, and `retired-UNTIL.pem` of those before it, without their keys.

A rotation is one in the eyes of whoever comes after a crash: the key takes its place, then its certificate; a new
certificate whose key is in place is put there, one whose key is not is dropped.
"""

import contextlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadglass.hazmat.files import read_private, sync_folder, write_private
from leadglass.hazmat.mac import sha256
from leadglass.hazmat.x509 import DeviceAuthority, Retired, make_ca, private_pem
from leadglass.limits import DEVICE_CERTIFICATE_SECONDS
from leadglass.model.errors import ConfigurationError

_NAME: Final = "Leadglass device CA"
_RETIRED: Final = re.compile(r"retired-([0-9]{10})\.pem")


def load_or_make_authority(folder: Path, now: float) -> DeviceAuthority:
    """Return the device CA kept in `folder` (`ca.pem`, `ca.key`), making both at first start.

    Raises ConfigurationError when one of the two is missing, they do not belong together, or others may read the key.
    """
    certificate_file, key_file = folder / "ca.pem", folder / "ca.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = folder.stat()
    except OSError as error:
        raise ConfigurationError(f"cannot make {folder}: {error.strerror}", hint="the gateway must own it") from None
    if stat.S_IMODE(known.st_mode) & 0o077 or known.st_uid != os.geteuid():
        raise ConfigurationError(f"others can reach {folder}", hint=f"chmod 0700 {folder}, owned by the gateway")
    _settle(folder)
    present = [file.exists() for file in (certificate_file, key_file)]
    if not any(present):
        key, certificate = make_ca(_NAME, now)
        write_private(key_file, private_pem(key))
        write_private(certificate_file, _pem(certificate))
        return DeviceAuthority(key, certificate, folder=folder)
    if not all(present):
        missing = key_file if present[0] else certificate_file
        raise ConfigurationError(f"{missing} is missing", hint="restore it from a backup; enrolled devices need it")
    try:
        key_object = serialization.load_pem_private_key(read_private(key_file), password=None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"cannot read the device CA in {folder}: {type(error).__name__}") from None
    if not isinstance(key_object, ec.EllipticCurvePrivateKey) or certificate.public_key() != key_object.public_key():
        raise ConfigurationError(f"{key_file} is not the key of {certificate_file}", hint="restore both from a backup")
    return DeviceAuthority(key_object, certificate, _retired(folder, certificate, now), folder=folder)


@dataclass(frozen=True, slots=True)
class Following:
    """The CA that is to follow: in memory until `rotate`."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate (DER)."""
        return sha256(self.certificate.public_bytes(serialization.Encoding.DER))


def following(now: float) -> Following:
    """Make the CA that is to follow."""
    return Following(*make_ca(_NAME, now))


def rotate(authority: DeviceAuthority, new: Following, now: float) -> None:
    """Let the new CA follow, on disk and in force. Raises OSError."""
    folder, before = authority.folder, authority.certificate
    until = int(now) + DEVICE_CERTIFICATE_SECONDS
    while (folder / f"retired-{until:010d}.pem").exists():
        until += 1
    write_private(folder / f"retired-{until:010d}.pem", _pem(before))
    write_private(folder / "next.key", private_pem(new.key))
    write_private(folder / "next.pem", _pem(new.certificate))
    (folder / "next.key").replace(folder / "ca.key")
    sync_folder(folder)
    (folder / "next.pem").replace(folder / "ca.pem")
    sync_folder(folder)
    authority.follow(new.key, new.certificate, Retired(before, until))


def _settle(folder: Path) -> None:
    """Finish a rotation whose key is in place, drop one whose key is not. Raises ConfigurationError."""
    following = folder / "next.pem"
    try:
        if following.exists():
            public = x509.load_pem_x509_certificate(following.read_bytes()).public_key()
            key = serialization.load_pem_private_key(read_private(folder / "ca.key"), password=None)
            if isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == public:
                following.replace(folder / "ca.pem")
                sync_folder(folder)
        for left in ("next.key", "next.pem"):
            (folder / left).unlink(missing_ok=True)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"a rotation of the device CA in {folder} cannot be finished: {type(error).__name__}",
            hint="restore the folder from a backup",
        ) from None


def _retired(folder: Path, current: x509.Certificate, now: float) -> list[Retired]:
    """Return the CAs before the present one whose certificates may be good; the others are removed."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _RETIRED.fullmatch(path.name)
        if match is None:
            continue
        until = float(match[1])
        if until <= now:
            with contextlib.suppress(OSError):
                path.unlink()
            continue
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read {path}: {type(error).__name__}", hint="move it away") from None
        if certificate != current:
            found.append(Retired(certificate, until))
    return found


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
