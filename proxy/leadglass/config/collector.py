"""The collector of traces: whether it takes what it would be sent."""

import gzip
from typing import Final

from leadglass.config.look import Finding, Look
from leadglass.model.errors import ConfigurationError
from leadglass.poster import Undelivered
from leadglass.traces.exporter import poster_of

_NOTHING: Final = gzip.compress(b'{"resourceSpans":[]}')  # which OTLP 1.x asks to be answered like any batch
_PATH: Final = ("telemetry", "traces")


async def collector(look: Look, *, offline: bool) -> list[Finding]:
    """Look at the settings of traces, and unless offline post a batch of no spans."""
    settings = look.settings.telemetry.traces
    if settings is None:
        return [
            Finding("warning", look.at("trusted_proxies", at, "traceparent"), "is not used: nothing is traced",
                    "name a collector under telemetry.traces, or remove it")
            for at, proxy in enumerate(look.settings.trusted_proxies) if proxy.traceparent
        ]  # fmt: skip
    try:
        poster = poster_of(settings)
    except ConfigurationError as error:
        return look.bad(error, *_PATH)
    if offline:
        return []
    try:
        await poster.post(_NOTHING)
    except (Undelivered, OSError) as error:
        why = str(error) if isinstance(error, Undelivered) else type(error).__name__
        fix = "check otlp, headers and ca; it must take OTLP/HTTP in JSON. Requests do not wait for it"
        return [Finding("error", look.at(*_PATH, "otlp"), f"the collector takes no traces: {why}", fix)]
    finally:
        await poster.close()
    return [look.good("the collector takes traces", *_PATH)]
