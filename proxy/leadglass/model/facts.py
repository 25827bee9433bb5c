"""What a decision rests on: who asks, from which device, for what, in what context.

Each value knows its part of the policy input (`policies/schemas/input.json`) as JSON bytes with sorted keys, made
once, so that a question costs no more than joining them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal

import orjson

from leadglass.model.signals import Name

_NO_RISK: Mapping[str, str] = MappingProxyType({})


def fragment(value: object) -> orjson.Fragment:
    """Freeze a value as canonical JSON (sorted keys) that orjson splices in as it is."""
    return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


# The issuer of those who came in by an emergency code. No configured issuer may have this name.
EMERGENCY: Final = "urn:leadglass:emergency"
# The issuer of those who are nobody, and are let through while the gateway observes. Likewise.
ANONYMOUS: Final = "urn:leadglass:anonymous"


@dataclass(frozen=True)
class Subject:
    """Who asks, as one verified token says. `token_hash` is SHA-256 of the token; `expires` is epoch seconds.

    `session` is the id of the browser session that the subject comes from, None for a token; `token_hash` then stands for
    the session in its present form, and `expires` is when it ends whatever happens. `glass` is the reason for which the
    glass is broken in that session, None while it is whole; what it opens is said by the context.

    `sub`, `sid` and `email` (verified, in lower case) are what its issuer calls the person and its own session in events,
    `issued` is when it last vouched for them (epoch seconds). Rules see none of them.
    """

    type: Literal["person", "service"]
    id: str
    issuer: str
    token_hash: bytes
    expires: float
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    mfa: bool = False
    acr: str | None = None
    auth_time: int | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    session: str | None = None
    glass: str | None = None
    sub: str | None = None
    sid: str | None = None
    email: str | None = None
    issued: float | None = None

    @cached_property
    def names(self) -> frozenset[Name]:
        """What events may call them."""
        known: tuple[tuple[Literal["sub", "email", "sid"], str | None], ...] = (
            ("sub", self.sub), ("email", self.email), ("sid", self.sid),
        )  # fmt: skip
        return frozenset((kind, value) for kind, value in known if value is not None)

    @property
    def since(self) -> float:
        """When they authenticated, as far as their issuer says; else when it vouched for them."""
        return float(self.auth_time if self.auth_time is not None else self.issued or 0.0)

    @cached_property
    def document(self) -> orjson.Fragment:
        """The `subject` of the policy input. Absent claims are absent keys, so no rule can match on null."""
        names = ("type", "id", "issuer", "roles", "groups", "sites", "mfa", "acr", "auth_time")
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        return fragment({**known, "claims": dict(self.claims)})


@dataclass(frozen=True)
class Device:
    """The device a request is bound to, whose it is, and what it last said about itself.

    Its owner is the person to whom `owner_issuer` gives the id `owner`: another issuer's same id is another person.

    `received` is when its posture arrived (monotonic seconds of this process), None when it never did.
    `expires` is when its certificate ends (epoch seconds).
    """

    id: str
    name: str
    owner: str
    owner_issuer: str
    binding: Literal["mtls", "proof"]
    key_protection: Literal["tpm", "software"]
    expires: float
    received: float | None = None
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The `device` of the policy input, less the posture's age."""
        return {
            "id": self.id,
            "owner": self.owner,
            "owner_issuer": self.owner_issuer,
            "binding": self.binding,
            "key_protection": self.key_protection,
            "checks": fragment(dict(self.checks)),
        }

    def age(self, monotonic: float) -> float | None:
        """Return the age of the posture in seconds, None when the device never reported."""
        return None if self.received is None else max(0.0, monotonic - self.received)


@dataclass(frozen=True)
class Study:
    """What is known of one study. A field that no source gave is None: absent in the input, never an empty fact.

    `exists` is False for a study that a store names and the archive does not hold yet.
    """

    study_uid: str
    exists: bool = True
    patient_id: str | None = None
    issuer_of_patient_id: str | None = None
    modalities: tuple[str, ...] | None = None
    body_parts: tuple[str, ...] | None = None
    institutions: tuple[str, ...] | None = None
    date: str | None = None
    description: str | None = None
    referring_physician: str | None = None
    conditions: tuple[str, ...] | None = None
    care_team: tuple[Mapping[str, str], ...] | None = None  # {issuer, id} each
    consent: Mapping[str, Any] | None = None
    series: Mapping[str, str] = field(default_factory=dict)  # Series Instance UID -> modality, for the hierarchy check

    @cached_property
    def document(self) -> orjson.Fragment:
        """One element of `studies` in the policy input."""
        return fragment({name: value for name in _STUDY if (value := getattr(self, name)) is not None})


_STUDY = tuple(name for name in Study.__dataclass_fields__ if name not in {"exists", "series"})

ActionName = Literal["search", "retrieve", "render", "store", "update", "delete", "subscribe", "export", "manage"]


@dataclass(frozen=True, slots=True)
class Action:
    """What is asked: the act, and the transaction of the route table that carries it."""

    name: ActionName
    transaction: str


@dataclass(frozen=True, slots=True)
class Resource:
    """What it is asked for. `query` holds canonical tags (`ggggeeee`, nested `ggggeeee.ggggeeee`) and their values.

    `upstream` is the archive that holds it: the same UID in another archive is another thing. A file has a `mount` instead.
    `aet` is who subscribes to a workitem, or whose event channel it is.
    """

    type: str
    study_uid: str | None = None
    series_uid: str | None = None
    instance_uid: str | None = None
    frames: tuple[int, ...] | None = None
    attribute: str | None = None  # canonical tag path of a bulkdata URI, such as 7FE00010
    sop_class: str | None = None
    exists: bool | None = None
    query: Mapping[str, tuple[str, ...]] | None = None
    mount: str | None = None
    upstream: str | None = None
    aet: str | None = None

    def lasting(self) -> dict[str, Any]:
        """The `resource` less what a lease may range over: series, instance and frames."""
        names = ("type", "study_uid", "attribute", "sop_class", "exists", "query", "mount", "upstream", "aet")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def document(self) -> dict[str, Any]:
        """The `resource` of the policy input."""
        document = self.lasting()
        for name in ("series_uid", "instance_uid", "frames"):
            if (value := getattr(self, name)) is not None:
                document[name] = value
        return document


@dataclass(frozen=True, slots=True)
class Context:
    """Where, when and to what end. `hour` is 0-23 and `weekday` 1 (Monday) - 7 in the configured time zone.

    `risk` is the level that events report, by whose it is: `user`, `device` or `session`. `city` is for the record alone.
    `missing` names what of it could not be told, as paths of the input.
    """

    door: str
    client_ip: str
    hour: int
    weekday: int
    networks: tuple[str, ...] = ()
    country: str | None = None
    purpose: str | None = None
    break_glass: Mapping[str, Any] | None = None
    degraded: tuple[str, ...] = ()
    risk: Mapping[str, str] = field(default_factory=lambda: _NO_RISK)
    city: str | None = None
    missing: tuple[str, ...] = ()

    def lasting(self) -> dict[str, Any]:
        """The `context` less the time of day."""
        return {
            "door": self.door,
            "client_ip": self.client_ip,
            "networks": self.networks,
            "country": self.country,
            "purpose": self.purpose,
            "break_glass": self.break_glass,
            "risk": dict(self.risk),
            "degraded": self.degraded,
        }

    def document(self) -> dict[str, Any]:
        """The `context` of the policy input; facts that are not known are absent but for `break_glass`."""
        document = {k: v for k, v in self.lasting().items() if v is not None or k == "break_glass"}
        document["hour"], document["weekday"] = self.hour, self.weekday
        return document
