"""How the gateway shows the archive who it is: a password or a token, and a client certificate (RFC 8446 section 4.4.2).

Their files, and the CA bundle, are read again when they change. What cannot be used then leaves in force what was.
"""

import asyncio
import logging
import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from leadglass.hazmat.files import Stamp, stamp
from leadglass.limits import FILE_WATCH_SECONDS
from leadglass.model.errors import ConfigurationError
from leadglass.upstream.settings import UpstreamAuthSettings, UpstreamSettings, basic, bearer

_log = logging.getLogger("leadglass.upstream")


def tls_context(settings: UpstreamSettings) -> ssl.SSLContext | None:
    """Return the TLS context towards the archive, None for plain http. Raises ConfigurationError."""
    if not settings.url.startswith("https://"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"cannot read the CA bundle {settings.ca}: {error}",
            hint="name a PEM file of CA certificates under ca",
            where="ca",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # archives are older than we are
    auth = settings.auth
    if auth is not None and auth.certificate is not None and auth.key is not None:
        try:
            # The callback stands for a passphrase: an encrypted key is an error here, never a question on a terminal.
            context.load_cert_chain(auth.certificate, auth.key, password=lambda: b"")
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"cannot use the client certificate {auth.certificate} with key {auth.key}: {type(error).__name__}",
                hint="both are PEM, the key is unencrypted and belongs to the certificate",
                where="auth.certificate",
            ) from None
    return context


def authorization(auth: UpstreamAuthSettings | None) -> str:
    """Return the value of Authorization as the secret is now, empty for none. Raises ConfigurationError."""
    if auth is None:
        return ""
    try:
        if auth.basic is not None:
            return f"Basic {b64encode(basic(auth.basic.again()).encode()).decode()}"
        if auth.bearer is not None:
            return f"Bearer {bearer(auth.bearer.again())}"
    except (OSError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        words = type(error).__name__ if isinstance(error, OSError | UnicodeError) else str(error)
        raise ConfigurationError(f"cannot use the secret for the archive: {words}") from None
    return ""


def _files(settings: UpstreamSettings) -> tuple[Path, ...]:
    auth = settings.auth
    named = [settings.ca]
    if auth is not None:
        named += [auth.certificate, auth.key]
        named += [secret.file for secret in (auth.basic, auth.bearer) if secret is not None]
    return tuple(file for file in named if file is not None)


class Credentials:
    """What is shown now, and its renewal when a file has changed. Raises ConfigurationError when it cannot be used."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings, self._files = settings, _files(settings)
        self._seen = self._stamps()
        self.authorization, self.tls = self._read()

    def _stamps(self) -> tuple[Stamp | None, ...]:
        return tuple(stamp(file) for file in self._files)

    def _read(self) -> tuple[str, ssl.SSLContext | None]:
        return authorization(self._settings.auth), tls_context(self._settings)

    @property
    def watched(self) -> bool:
        """Whether anything of it comes from a file."""
        return bool(self._files)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Look, for ever, whether a file has changed; `changed` is called when something else is in force. Run as a task."""
        while True:
            await asyncio.sleep(FILE_WATCH_SECONDS)
            if await asyncio.to_thread(self.look):
                changed()

    def look(self) -> bool:
        """Take over what has changed and return whether something else is in force; what is broken is left out, loudly."""
        now = self._stamps()
        if now == self._seen:
            return False
        self._seen = now
        try:
            self.authorization, self.tls = self._read()
        except ConfigurationError as error:
            _log.error("the credentials for %s stay as they were: %s", self._settings.url, error)
            return False
        _log.info("new credentials for %s are in force", self._settings.url)
        return True
