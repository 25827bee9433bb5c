"""The whole of leadglass.yaml: the packages' settings, composed."""

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from leadglass.attributes.settings import AttributesSettings, GeoSettings
from leadglass.audit.settings import AuditSettings, NoticesSettings
from leadglass.codec.control import PREFIX
from leadglass.codec.origin import check_origin
from leadglass.gateways.http.settings import (
    Address,
    AddressSetting,
    CorsSettings,
    LimitsSettings,
    ListenSettings,
    ProxySettings,
)
from leadglass.identity.settings import IdentitySettings
from leadglass.limits import STATIC_MOUNTS, UPSTREAMS
from leadglass.model.settings import PathSetting, SettingsModel
from leadglass.obligations.settings import DeidSettings
from leadglass.observation.settings import ModeSettings
from leadglass.policy.settings import PolicySettings
from leadglass.sessions.settings import SessionSettings
from leadglass.static.appconfig import Root
from leadglass.traces.settings import TelemetrySettings
from leadglass.upstream.settings import UpstreamSettings

_PATH = re.compile(r"(?:/[A-Za-z0-9.][A-Za-z0-9._~-]*[A-Za-z0-9_~-]|/[A-Za-z0-9])+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def _mount(value: str) -> str:
    if value != "/" and (_PATH.fullmatch(value) is None or ".." in value):
        raise ValueError("must be a path such as /viewer, or / for all that has no other place")
    if value.split("/")[1] == PREFIX.strip("/"):
        raise ValueError("is the gateway's own path")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no such time zone: {value!r}; use a name such as Europe/Berlin") from None
    return value


def _store(value: object) -> object:
    if not isinstance(value, str) or not value.startswith("sqlite:") or value == "sqlite:":
        raise ValueError("must be sqlite:PATH")
    return value.removeprefix("sqlite:")


def _proxies(proxies: tuple[ProxySettings, ...], info: ValidationInfo) -> tuple[ProxySettings, ...]:
    blocks = [network for proxy in proxies for network in proxy.networks]
    for at, one in enumerate(blocks):
        for other in blocks[:at]:
            if one.version == other.version and one.overlaps(other):
                raise ValueError(f"{one} and {other} overlap: which of them an address is must not depend on order")
    listen: ListenSettings | None = info.data.get("listen")
    if not proxies and listen is not None and listen.http is not None and not listen.http.loopback:
        raise ValueError(
            "is needed where listen.http leaves loopback: plain text is for proxies alone; name them, or use https"
        )
    return proxies


def _upstream(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError("must be a name of at most 64 letters, digits, hyphens and underscores")
    return name


def _within(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/")


def _apart(upstreams: dict[str, UpstreamSettings]) -> dict[str, UpstreamSettings]:
    """Refuse mounts that are equal or lie in one another, at the later of the two."""
    wrong: list[InitErrorDetails] = []
    taken: list[tuple[str, str]] = []
    for name, one in upstreams.items():
        for setting, path in (("mount", one.mount), ("wado_mount", one.wado_mount)):
            for other, before in taken:
                if _within(path, before) or _within(before, path):
                    problem = f"{path} and {before} of {other} overlap; a request would belong to both"
                    error = PydanticCustomError("mounts_overlap", "{problem}", {"problem": problem})
                    wrong.append({"type": error, "loc": (name, setting), "input": path})
                    break
            taken.append((f"upstreams.{name}.{setting}", path))
    if wrong:
        raise ValidationError.from_exception_data("upstreams", wrong)
    return upstreams


class MetricsSettings(SettingsModel):
    """Where health and metrics are served: /health/live, /health/ready, /metrics and nothing else."""

    http: AddressSetting = Field(
        default=Address("127.0.0.1", 9080), description="Address and port of the health and metrics listener."
    )


class AdminSettings(SettingsModel):
    """Where the command line reaches the running gateway."""

    unix: PathSetting = Field(description="Socket of the administration side (mode 0600, the peer's uid is checked).")


class Settings(SettingsModel):
    """Everything in leadglass.yaml."""

    public_url: tuple[Annotated[str, AfterValidator(check_origin)], ...] = Field(
        min_length=1,
        description="Origins under which people reach the gateway. Any other Host is refused; links are built from it.",
    )
    listen: ListenSettings = Field(description="Where the DICOMweb door listens.")
    trusted_proxies: Annotated[tuple[ProxySettings, ...], AfterValidator(_proxies)] = Field(
        default=(),
        validate_default=True,
        description="Proxies that may say whose request it is. Of everybody else nothing of the kind is read.",
    )
    cors: CorsSettings | None = Field(
        default=None, description="Pages of other origins that may read what the gateway answers. Left out: none."
    )
    metrics: MetricsSettings = Field(default=MetricsSettings(), description="Health and metrics listener.")
    admin: AdminSettings = Field(description="Administration socket.")
    upstreams: Annotated[
        dict[Annotated[str, AfterValidator(_upstream)], UpstreamSettings],
        Field(min_length=1, max_length=UPSTREAMS),
        AfterValidator(_apart),
    ] = Field(
        description="The archives behind the gateway, each by a name of your choice and at mounts of its own.",
    )
    static: Annotated[dict[Annotated[str, AfterValidator(_mount)], PathSetting], Field(max_length=STATIC_MOUNTS)] = (
        Field(
            default={},
            description="Folders of viewers, each by the path under which people open it; they are read at start and at reload.",
        )
    )
    identity: IdentitySettings = Field(description="Who issues tokens, and how claims become a subject.")
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="Time zone in which rules see hour (0-23) and weekday (1 = Monday)."
    )
    attributes: AttributesSettings = Field(
        default=AttributesSettings(), description="Sources of facts about patients that the archive does not hold."
    )
    geo: GeoSettings = Field(default=GeoSettings(), description="Where a client address is in the world.")
    deid: DeidSettings = Field(default=DeidSettings(), description="How research views are de-identified.")
    policy: PolicySettings = Field(default=PolicySettings(), description="The policy set and the engine that runs it.")
    audit: AuditSettings = Field(description="The record, and where it is streamed.")
    notices: NoticesSettings = Field(
        default=NoticesSettings(), description="Who is told when somebody breaks the glass or uses an emergency code."
    )
    telemetry: TelemetrySettings = Field(
        default=TelemetrySettings(), description="What the gateway tells those who run it, beyond log and metrics."
    )
    sessions: SessionSettings = Field(default=SessionSettings(), description="How long browser sessions live.")
    mode: ModeSettings = Field(default=ModeSettings(), description="Whether refusals are carried out.")
    networks: PathSetting | None = Field(
        default=None,
        description="Table of named networks. Left out, the one of the policy set in force is used.",
    )
    limits: LimitsSettings = Field(default=LimitsSettings(), description="Rates that a deployment may set.")
    store: Annotated[PathSetting, BeforeValidator(_store)] = Field(
        description="Store of devices and enrolment codes: sqlite:PATH."
    )

    @field_validator("public_url")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names an origin twice")
        return value

    @property
    def roots(self) -> tuple[Root, ...]:
        """What viewers need to know of the archives."""
        return tuple(Root(name, one.mount, one.wado_mount, one.kind) for name, one in self.upstreams.items())

    @model_validator(mode="after")
    def _static_apart(self) -> "Settings":
        taken = [path for one in self.upstreams.values() for path in (one.mount, one.wado_mount)]
        for mount in self.static:
            for path in taken:
                if (mount != "/" and _within(path, mount)) or _within(mount, path):
                    raise ValueError(f"static: {mount} and {path} overlap; a request would belong to both")
            if mount != "/":
                taken.append(mount)
        return self
