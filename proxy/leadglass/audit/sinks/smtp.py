"""Notices by e-mail, over the standard library's client in a thread (docs/dependencies.md says why no other)."""

import asyncio
import contextlib
import hashlib
import logging
import smtplib
import ssl
from email.message import EmailMessage
from typing import Final

from leadglass.audit.settings import SmtpSettings
from leadglass.audit.sinks.notices import Notice, Notices, sentences
from leadglass.limits import SINK_SECONDS
from leadglass.model.errors import ConfigurationError
from leadglass.poster import Undelivered

_log = logging.getLogger("leadglass.audit.sinks")
_REVIEW: Final = (
    "Look at it and sign it off: leadglass review break-glass list. The decision id finds every line: leadglass audit\n"
    "search --decision ID. This mail names no patient and no study on purpose.\n"
)


class SmtpSink:
    """One mail server and those it takes notices to."""

    def __init__(self, settings: SmtpSettings, notices: Notices) -> None:
        named = f"{settings.host}:{settings.port} {' '.join(settings.to)}"
        self.name = f"smtp-{hashlib.sha256(named.encode()).hexdigest()[:8]}"
        self._settings, self._notices = settings, notices
        try:
            self._tls = ssl.create_default_context(cafile=settings.ca)
        except OSError as error:
            raise ConfigurationError(f"cannot read notices.smtp.ca {settings.ca}: {error.strerror}") from error

    def encode(self, lines: list[bytes]) -> bytes:
        """Return the notices that the lines amount to."""
        return self._notices.encode(lines)

    async def send(self, batch: bytes) -> None:
        """Mail those that are due. Raises Undelivered."""
        due = self._notices.due(batch) if batch else []
        if not due:
            return
        try:
            refused = await asyncio.to_thread(self._deliver, self.message(due))
        except (smtplib.SMTPException, OSError) as error:  # their texts may quote addresses or what the server says
            raise Undelivered(type(error).__name__) from error
        if refused:
            _log.warning("%s: %d of the recipients were refused", self.name, refused)
        self._notices.told(due)

    def message(self, due: list[Notice]) -> EmailMessage:
        """Return the mail. Nothing that anybody typed stands in its head."""
        message = EmailMessage()
        message["Subject"] = f"Leadglass: emergency access, {len(due)} to review"
        message["From"], message["To"] = self._settings.sender, ", ".join(self._settings.to)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
        message.set_content("\n".join([*sentences(due), "", _REVIEW]))
        return message

    def _deliver(self, message: EmailMessage) -> int:
        """Hand the mail to the server, and return how many recipients it refused. Runs in a thread."""
        settings = self._settings
        if settings.tls == "implicit":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=SINK_SECONDS, context=self._tls
            )
        else:
            client = smtplib.SMTP(settings.host, settings.port, timeout=SINK_SECONDS)
        try:
            if settings.tls == "starttls":
                client.starttls(context=self._tls)  # raises where the server does not offer it
            if settings.user is not None and settings.password is not None:
                client.login(settings.user, settings.password.get_secret_value())
            refused = len(client.send_message(message))
            with contextlib.suppress(smtplib.SMTPException, OSError):  # it has taken the mail, whatever it says now
                client.quit()
            return refused
        finally:
            client.close()

    async def close(self) -> None:
        """Nothing stays open."""
