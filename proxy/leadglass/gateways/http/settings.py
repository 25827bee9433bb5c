"""Settings of the DICOMweb door: where it listens, and how much one client may ask for."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from leadglass.codec.address import Network, block
from leadglass.codec.origin import check_sent
from leadglass.limits import CORS_ORIGINS, CORS_SECONDS_MAX, TRUSTED_PROXIES
from leadglass.model.settings import PathSetting, SettingsModel

_RATE = re.compile(r"([1-9][0-9]{0,6})/s")
_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second."""

    per_second: int

    def __str__(self) -> str:
        return f"{self.per_second}/s"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the operating system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it. A name other than `localhost` is not trusted to stay here."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _rate(value: Any) -> Any:  # noqa: ANN401 - pydantic hands in what the file holds
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a rate such as 1000/s")
    return Rate(int(match[1]))


def _address(value: Any) -> Any:  # noqa: ANN401 - likewise
    if isinstance(value, Address):
        return value
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65_535:  # noqa: PLR2004 - the largest port
        raise ValueError("must be host:port, such as 0.0.0.0:8443 or [::1]:8080")
    return Address(match[1] or match[2], int(match[3]))


def _network(value: Any) -> Any:  # noqa: ANN401 - likewise
    try:
        network = block(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a CIDR block without host bits, such as 10.0.0.7/32 or fd00::/64") from None
    if network.prefixlen == 0:
        raise ValueError("is everybody: then each client may say who it is")
    return network


NetworkSetting = Annotated[Network, PlainValidator(_network)]
RateSetting = Annotated[Rate, BeforeValidator(_rate)]
AddressSetting = Annotated[Address, BeforeValidator(_address)]


class TlsSettings(SettingsModel):
    """The door's certificate. Both files are read again when they change."""

    certificate: PathSetting = Field(description="PEM file: the certificate, then its intermediates.")
    key: PathSetting = Field(description="PEM file: the private key, unencrypted, readable by the gateway alone.")


class ListenSettings(SettingsModel):
    """Where the DICOMweb door listens: TLS 1.3, plain text, or both."""

    https: AddressSetting | None = Field(
        default=None, description="Address and port of the TLS 1.3 listener. Needs `tls`."
    )
    http: AddressSetting | None = Field(
        default=None,
        description="Address and port of a plain text listener, for a sidecar on the same machine. Other addresses than "
        "loopback need `trusted_proxies`, and only those may connect there.",
    )
    tls: TlsSettings | None = Field(default=None, description="Certificate and key of the TLS listener.")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.https is None and self.http is None:
            raise ValueError("names no address to listen on: set https (or http on loopback)")
        if self.https is not None and self.tls is None:
            raise ValueError("https needs tls: {certificate: ..., key: ...}")
        return self


PROXY_V2: Final = "proxy-v2"


class ProxySettings(SettingsModel):
    """Proxies that may say whose request it is, and how they say it."""

    networks: tuple[NetworkSetting, ...] = Field(
        max_length=TRUSTED_PROXIES, description="Addresses of the proxies, as CIDR blocks."
    )
    speaks: Literal["proxy-v2", "forwarded", "x-forwarded-for"] = Field(
        description="How they name the client. `proxy-v2`: each connection begins with a PROXY v2 header, TLS passes "
        "through. `forwarded`, `x-forwarded-for`: each request has this field, TLS ends in the proxy. A connection or "
        "request without it is refused, and the other fields are not read.",
    )
    client_cert: bool = Field(
        default=False,
        description="Whether their `Client-Cert` field (RFC 9440) is the client's certificate: of a service, or that a "
        "token is bound to. Never of a device. The proxy must remove the field from what clients send.",
    )

    traceparent: bool = Field(
        default=False,
        description="Whether their `traceparent` field (W3C Trace Context) says to which trace a request belongs, and "
        "whether it is traced. The proxy must set the field itself, or remove it from what clients send.",
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.networks:
            raise ValueError("names no network")
        if self.client_cert and self.speaks == PROXY_V2:
            raise ValueError(
                "client_cert is for proxies that end TLS; with proxy-v2 the client's handshake comes through"
            )
        if self.traceparent and self.speaks == PROXY_V2:
            raise ValueError("traceparent is for proxies that end TLS; with proxy-v2 each field is the client's own")
        return self


class CorsSettings(SettingsModel):
    """Pages of other origins, and what their browsers may do."""

    origins: tuple[Annotated[str, AfterValidator(check_sent)], ...] = Field(
        min_length=1,
        max_length=CORS_ORIGINS,
        description="Origins of these pages, compared letter by letter, such as https://viewer.example.org. There is no wildcard.",
    )
    credentials: bool = Field(
        default=False,
        description="Whether their browsers may send a client certificate along. Cookies come too, and are refused as ever.",
    )
    max_age_seconds: int = Field(
        default=600, ge=0, le=CORS_SECONDS_MAX, description="How long browsers may keep the answer to a preflight."
    )


class LimitsSettings(SettingsModel):
    """Rates that a deployment may set; every other bound is fixed."""

    per_subject: RateSetting = Field(
        default=Rate(1000),
        description="Requests of one person or service. A viewer opens 300 slices in a burst and must not feel it.",
    )
    per_source_unauthenticated: RateSetting = Field(
        default=Rate(20), description="Refusals for lack of a valid token, from one address."
    )
    per_source_preflights: RateSetting = Field(
        default=Rate(2000),
        description="Preflights from one address (`cors`). Browsers send one for each new URL, so for each slice of a burst.",
    )
