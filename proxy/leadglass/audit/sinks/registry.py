"""The list of receivers: of the record, by their `type` in the settings, and of notices."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from leadglass.audit.settings import NoticesSettings, OpaHttpSettings
from leadglass.audit.sinks.notices import Notices
from leadglass.audit.sinks.opa_http import OpaHttpSink
from leadglass.audit.sinks.pump import Sink
from leadglass.audit.sinks.smtp import SmtpSink
from leadglass.audit.sinks.webhook import WebhookSink
from leadglass.clock import Clock

SINKS: Final[Mapping[str, Callable[[OpaHttpSettings], Sink]]] = MappingProxyType({"opa-http": OpaHttpSink})


def make(settings: OpaHttpSettings) -> Sink:
    """Return the receiver that `settings` describe. Raises ConfigurationError."""
    return SINKS[settings.type](settings)


def make_notices(settings: NoticesSettings, clock: Clock) -> list[Sink]:
    """Return the receivers of notices. Raises ConfigurationError."""
    made: list[Sink] = []
    if settings.webhook is not None:
        made.append(WebhookSink(settings.webhook, Notices(clock, reasons=settings.reason)))
    if settings.smtp is not None:
        made.append(SmtpSink(settings.smtp, Notices(clock, reasons=settings.reason)))
    return made
