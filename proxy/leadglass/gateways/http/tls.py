"""The door's TLS (RFC 8446): 1.3 alone, the client certificate optional and judged by us.

A client that shows a certificate must prove it by a chain to the device CA; whether it is in time is judged per
request, because the handshake would end in a bare EOF that nobody can read (hence NO_CHECK_TIME). No session is
resumed: a resumed one is accepted after its certificate has expired (hence no tickets).
"""

import logging
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

from leadglass.gateways.http.settings import TlsSettings
from leadglass.hazmat.files import Stamp, stamp
from leadglass.model.errors import ConfigurationError

_log = logging.getLogger("leadglass.gateways.http")

_NO_CHECK_TIME: Final = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL; Python has no name for it
_Stamps: TypeAlias = tuple[Stamp | None, ...]

DeviceCa: TypeAlias = Callable[[], str | None]
"""Gives the PEM of the device CA in force (several may stand in it), None when there is none."""


def server_context(files: TlsSettings, device_ca: str | None) -> ssl.SSLContext:
    """Make the context of new connections. Raises ConfigurationError when certificate, key or CA is unusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    try:
        # The callback stands for a passphrase: an encrypted key is an error here, never a question on a terminal.
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot use certificate {files.certificate} with key {files.key}: {_words(error)}",
            hint="both are PEM, the key is unencrypted and belongs to the certificate",
            where="listen.tls",
        ) from None
    if device_ca is not None:
        try:
            context.load_verify_locations(cadata=device_ca)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot use the device CA: {_words(error)}", hint="restore it from its backup", where="listen.tls"
            ) from None
        context.verify_mode = ssl.CERT_OPTIONAL
        # An issuing CA of a site may stand in it without its root.
        context.verify_flags |= _NO_CHECK_TIME | ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not PEM"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


class Certificates:
    """The context in force, and its renewal when a file or the device CA has changed."""

    def __init__(self, files: TlsSettings, device_ca: DeviceCa) -> None:
        """Read the files. Raises ConfigurationError."""
        self._files, self._device_ca = files, device_ca
        self._seen = self._stamps()
        self._ca = device_ca()
        self.context = server_context(files, self._ca)

    def _stamps(self) -> _Stamps:
        return tuple(stamp(path) for path in (self._files.certificate, self._files.key))

    def renew(self, *, force: bool = False) -> bool:
        """Take over what has changed and return whether the new pair is in force; a broken one is left out, loudly."""
        stamps, authority = self._stamps(), self._device_ca()
        if not force and stamps == self._seen and authority == self._ca:
            return False
        self._seen = stamps
        try:
            self.context = server_context(self._files, authority)
        except ConfigurationError as error:
            _log.error("the old certificate stays in force: %s (hint: %s)", error, error.hint)
            return False
        self._ca = authority
        _log.info("certificate %s is in force for new connections", self._files.certificate)
        return True
