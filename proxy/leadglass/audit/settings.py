"""Settings of the record (`audit:` in leadglass.yaml)."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from leadglass.limits import ANONYMOUS_PER_MINUTE, NOTICE_RECIPIENTS, RECORD_ROTATE_BYTES, RECORD_ROTATE_MIN, SINKS
from leadglass.model.settings import PathSetting, SecretSetting, SettingsModel, SizeSetting

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("must be an address such as privacy@hospital.example.org")
    return value


Address = Annotated[str, AfterValidator(_address)]


class _HttpSettings(SettingsModel):
    """What receivers over HTTP share."""

    url: str = Field(description="Where it is posted to, such as https://collector.example.org/logs.")
    token: SecretSetting | None = Field(
        default=None, description="Reference to a bearer token for the receiver (`file:` or `env:`)."
    )
    ca: PathSetting | None = Field(
        default=None,
        description="PEM bundle that the receiver's certificate must chain to; the system's when left out.",
    )

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.fragment:
            raise ValueError("must be an address such as https://collector.example.org/logs, without credentials")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("must be https: the record names patients; plain http is for loopback alone")
        return value


class OpaHttpSettings(_HttpSettings):
    """A receiver of OPA decision logs: gzip batches by HTTP POST."""

    type: Literal["opa-http"] = Field(description="Kind of receiver.")


class AuditSettings(SettingsModel):
    """The record: one JSON object a line, append-only, hash-chained."""

    file: PathSetting = Field(
        description="The file that lines are appended to. Its keys, cursors and rotated files stand beside it."
    )
    rotate: SizeSetting = Field(
        default=RECORD_ROTATE_BYTES, ge=RECORD_ROTATE_MIN, description="Size at which a new file is begun."
    )
    durability: Literal["grouped", "strict"] = Field(
        default="grouped",
        description="`grouped`: written before the first byte leaves, on disk within 100 ms. `strict`: on disk before.",
    )
    sinks: tuple[OpaHttpSettings, ...] = Field(
        default=(), max_length=SINKS, description="Receivers the record is streamed to, at least once."
    )
    anonymous_per_minute: int = Field(
        default=ANONYMOUS_PER_MINUTE,
        ge=0,
        le=1_000_000,
        description="Refusals before anyone is identified that are written one by one, a minute and source; "
        "more are counted.",
    )

    @field_validator("sinks")
    @classmethod
    def _distinct(cls, value: tuple[OpaHttpSettings, ...]) -> tuple[OpaHttpSettings, ...]:
        if len({sink.url for sink in value}) != len(value):
            raise ValueError("two sinks have the same url")
        return value


class WebhookSettings(_HttpSettings):
    """Notices by HTTP POST of a JSON object."""


class SmtpSettings(SettingsModel):
    """Notices by e-mail."""

    host: str = Field(min_length=1, description="The mail server.")
    port: int = Field(default=587, ge=1, le=65_535, description="Its port.")
    tls: Literal["starttls", "implicit", "none"] = Field(
        default="starttls",
        description="How the connection is encrypted; `implicit` is usual on port 465, `none` is for loopback alone.",
    )
    ca: PathSetting | None = Field(
        default=None, description="PEM bundle that the server's certificate must chain to; the system's when left out."
    )
    user: str | None = Field(default=None, min_length=1, description="Whom to log in as; without it nobody does.")
    password: SecretSetting | None = Field(default=None, description="Reference to the password (`file:` or `env:`).")
    sender: Address = Field(description="The address that mails come from.")
    to: tuple[Address, ...] = Field(min_length=1, max_length=NOTICE_RECIPIENTS, description="The addresses they go to.")

    @model_validator(mode="after")
    def _whole(self) -> "SmtpSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.tls == "none" and (self.host not in _LOOPBACK or self.user is not None):
            raise ValueError("tls: none is for loopback alone, and without a password")
        return self


class NoticesSettings(SettingsModel):
    """Who is told when somebody breaks the glass or uses an emergency code, within seconds."""

    webhook: WebhookSettings | None = Field(default=None, description="Notices by HTTP POST.")
    smtp: SmtpSettings | None = Field(default=None, description="Notices by e-mail.")
    reason: bool = Field(
        default=False,
        description="Whether a notice carries the reason as the person typed it. People write names of patients there.",
    )
