"""Settings of traces (`telemetry.traces` in leadglass.yaml)."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from leadglass.limits import TRACE_LABELS
from leadglass.model.settings import PathSetting, SecretSetting, SettingsModel

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FIELD = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_OURS = frozenset(
    {"host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "accept-encoding"}
)
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31}){0,5}")
_SET = frozenset({"service.name", "service.version", "service.instance.id"})


def _collector(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("must be an address such as https://collector.example.org:4318, without credentials")
    if parts.query or parts.fragment:
        raise ValueError("must be the base address; /v1/traces is added to it")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https; plain http is for loopback alone")
    return value.rstrip("/")


def _field(name: str) -> str:
    if _FIELD.fullmatch(name) is None:
        raise ValueError("must be the name of a header field in lower case, such as authorization")
    if name in _OURS:
        raise ValueError("is set by the gateway")
    return name


def _attribute(name: str) -> str:
    if _ATTRIBUTE.fullmatch(name) is None:
        raise ValueError("must be the name of an attribute, such as deployment.environment.name")
    if name in _SET:
        raise ValueError("is set by the gateway")
    return name


class TracesSettings(SettingsModel):
    """Where spans go, and of which exchanges."""

    otlp: Annotated[str, AfterValidator(_collector)] = Field(
        description="Base address of an OpenTelemetry collector, such as https://collector.example.org:4318. Spans are "
        "posted to /v1/traces below it (OTLP/HTTP, JSON)."
    )
    sample: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of exchanges that are traced. Where a trusted proxy says whether, that counts.",
    )
    headers: Annotated[dict[Annotated[str, AfterValidator(_field)], SecretSetting], Field(max_length=TRACE_LABELS)] = (
        Field(default={}, description="Header fields for the collector, each a reference, such as authorization.")
    )
    ca: PathSetting | None = Field(
        default=None,
        description="PEM bundle that the collector's certificate must chain to; the system's when left out.",
    )
    resource: Annotated[
        dict[Annotated[str, AfterValidator(_attribute)], Annotated[str, Field(min_length=1, max_length=128)]],
        Field(max_length=TRACE_LABELS),
    ] = Field(
        default={},
        description="Attributes of this gateway as a whole, such as deployment.environment.name. They stand in what is sent.",
    )
    propagate: bool = Field(
        default=False,
        description="Whether archives and the OPA server get a `traceparent` field, so that their spans join.",
    )


class TelemetrySettings(SettingsModel):
    """What the gateway tells those who run it, beyond log and metrics."""

    traces: TracesSettings | None = Field(default=None, description="OpenTelemetry traces. Left out, there are none.")
