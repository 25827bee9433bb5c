"""Settings of the archive behind the gateway (`upstreams:` in leadglass.yaml)."""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from leadglass.codec.control import PREFIX
from leadglass.codec.kinds import KINDS
from leadglass.codec.links.bases import parse_base
from leadglass.limits import (
    LINK_BASES,
    TOKEN_BYTES,
    UPSTREAM_CONNECTIONS,
    UPSTREAM_CONNECTIONS_MAX,
    UPSTREAM_CONNECTIONS_MIN,
)
from leadglass.model.settings import PathSetting, Secret, SecretSetting, SettingsModel

_PATH = r"^(/[A-Za-z0-9._~-]+)+$"


_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1


def basic(secret: str) -> str:
    """Return a secret that is `user:password`. Raises ValueError."""
    user, colon, _ = secret.partition(":")
    if not user or not colon:
        raise ValueError("the secret must hold user:password")
    return secret


def bearer(secret: str) -> str:
    """Return a secret that is a token. Raises ValueError."""
    if len(secret) > TOKEN_BYTES or not _TOKEN.fullmatch(secret):
        raise ValueError(f"the secret must hold one token of at most {TOKEN_BYTES} characters")
    return secret


class UpstreamAuthSettings(SettingsModel):
    """How the gateway signs in to the archive. Its files are read again when they change."""

    basic: SecretSetting | None = Field(
        default=None, description="Reference to a secret that holds `user:password` (HTTP Basic)."
    )
    bearer: SecretSetting | None = Field(
        default=None, description="Reference to a secret that holds a token (RFC 6750)."
    )
    certificate: PathSetting | None = Field(
        default=None, description="PEM file of the gateway's client certificate there, intermediates after it."
    )
    key: PathSetting | None = Field(default=None, description="PEM file of its key, unencrypted.")
    assertion: bool = Field(
        default=False,
        description="Whether each request carries `Leadglass-Assertion`, which says on whose behalf it is.",
    )

    @field_validator("basic")
    @classmethod
    def _has_user(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            basic(value.get_secret_value())
        return value

    @field_validator("bearer")
    @classmethod
    def _is_token(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            bearer(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _whole(self) -> "UpstreamAuthSettings":
        if self.basic is not None and self.bearer is not None:
            raise ValueError("basic and bearer are two answers to one question: keep one")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        return self


class UpstreamSettings(SettingsModel):
    """One archive: where it is, how it is spoken to and how hard it may be worked."""

    kind: Literal["orthanc", "dcm4chee", "generic"] = Field(
        description="Product of the archive, which decides how it is asked; docs/archives.md says in what."
    )
    url: str = Field(description="Origin of the archive, such as http://127.0.0.1:8042; paths follow below.")
    dicomweb: str = Field(default="/dicom-web", pattern=_PATH, description="Path of the archive's DICOMweb root.")
    wado_uri: str = Field(default="/wado", pattern=_PATH, description="Path of the archive's WADO-URI service.")
    mount: str = Field(default="/dicom-web", pattern=_PATH, description="Path of the gateway's DICOMweb root.")
    wado_mount: str = Field(default="/wado", pattern=_PATH, description="Path of the gateway's WADO-URI service.")
    links: Literal["forwarded", "rewrite"] | None = Field(
        default=None,
        description="How links in replies come to name public_url: `forwarded` has the archive build them from "
        "`Forwarded`, `rewrite` replaces the archive's own addresses and removes links that lead elsewhere. "
        "Left out: `forwarded` for orthanc, `rewrite` for the others.",
    )
    link_bases: tuple[str, ...] = Field(
        default=(),
        max_length=LINK_BASES,
        description="Other addresses that the archive writes into its links, for `links: rewrite`: an origin, or the "
        "whole address of its DICOMweb root.",
    )
    max_connections: int = Field(
        default=UPSTREAM_CONNECTIONS,
        ge=UPSTREAM_CONNECTIONS_MIN,
        le=UPSTREAM_CONNECTIONS_MAX,
        description="Requests to the archive at any one time; bulk retrieval may hold two thirds of them.",
    )
    auth: UpstreamAuthSettings | None = Field(default=None, description="The gateway's own credentials there.")
    ca: PathSetting | None = Field(
        default=None, description="PEM bundle that the archive's certificate must chain to; the system's when left out."
    )
    enable: tuple[str, ...] = Field(
        default=(),
        description="Transactions to switch on that are off by default, or that the kind is not known to have.",
    )

    @field_validator("url")
    @classmethod
    def _origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.username is not None
            or value != f"{parts.scheme}://{parts.netloc}"
            or not value.isascii()
            or not value.isprintable()
            or " " in value
        ):
            raise ValueError("must be an origin such as http://127.0.0.1:8042, without a path")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port must be 1 - 65535") from None
        if port == 0:
            raise ValueError("the port must be 1 - 65535")
        parse_base(value)
        return value

    @field_validator("link_bases")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for base in value:
            parse_base(base)
        return value

    @property
    def rewrites(self) -> bool:
        """Whether links are led by the gateway."""
        return self.links == "rewrite" or (self.links is None and not KINDS[self.kind].builds_links)

    @model_validator(mode="after")
    def _bases(self) -> "UpstreamSettings":
        if self.link_bases and not self.rewrites:
            raise ValueError("link_bases are of use with links: rewrite alone")
        return self

    @model_validator(mode="after")
    def _mounts(self) -> "UpstreamSettings":
        if self.auth is not None and self.auth.certificate is not None and not self.url.startswith("https://"):
            raise ValueError("auth.certificate is shown over https alone")
        if any(f"{mount}/".startswith(PREFIX) for mount in (self.mount, self.wado_mount)):
            raise ValueError(f"{PREFIX} is the gateway's own: mount the archive elsewhere")
        return self
