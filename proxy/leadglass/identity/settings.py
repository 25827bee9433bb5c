"""`identity:` of leadglass.yaml: who issues tokens, and how their claims become a subject."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from leadglass.limits import ISSUER_CHARS, SERVICE_RULES, TOKEN_LEEWAY_SECONDS, TRANSMITTERS
from leadglass.model.settings import PathSetting, SecretSetting, SettingsModel

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

_ALL: tuple[Algorithm, ...] = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_SCOPE = re.compile(r"[!#-\[\]-~]+")  # RFC 6749 section 3.3
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def safe_url(value: str) -> bool:
    """Return whether keys may be fetched from this URL: https, or http on loopback; no credentials, no fragment."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or parts.username is not None or parts.password is not None or parts.fragment:
        return False
    if any(character <= " " or character in "\\\x7f" for character in value):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)


def _jwks(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be auto, a URL or a path")
    if value == "auto":
        return value
    if value.startswith("file:"):
        raise ValueError("a file of keys is named by its path alone; file: is for secrets")
    if "://" in value:
        if not safe_url(value):
            raise ValueError("must be https; plain http is for loopback alone")
        return value
    context = info.context or {}
    return str(context["base"] / value) if "base" in context else value


class ClaimsSettings(SettingsModel):
    """Which claim holds what: a name, or a dotted path into objects (`realm_access.roles`).

    A claim whose whole name equals the text comes first, so names with dots or URLs need no quoting.
    """

    id: str = Field(
        default="sub",
        min_length=1,
        description="Claim with the person's id, as device owners and facts files name it. "
        "With `email`, the token must also say `email_verified: true`.",
    )
    roles: str | None = Field(default=None, min_length=1, description="Claim with the list of roles.")
    groups: str | None = Field(default=None, min_length=1, description="Claim with the list of groups.")
    sites: str | None = Field(default=None, min_length=1, description="Claim with the list of sites.")
    extra: dict[str, str] = Field(
        default={}, description="More claims for rules: name in `input.subject.claims` -> claim in the token."
    )


class MfaSettings(SettingsModel):
    """How a token says that more than one factor was used. Either list is enough."""

    acr: tuple[str, ...] = Field(default=(), description="Values of `acr` that stand for several factors.")
    amr: tuple[str, ...] = Field(
        default=(), description="Values of `amr` (RFC 8176), any of which stands for a further factor."
    )


class ServiceSettings(SettingsModel):
    """How to tell a service (a machine of its own account) from a person. Without it, everyone is a person."""

    claim: str = Field(min_length=1, description="Claim to look at, such as `client_id`, `azp` or `idtyp`.")
    values: tuple[str, ...] = Field(min_length=1, description="Values that mean a service.")


class LoginSettings(SettingsModel):
    """How people sign in with a browser: OpenID Connect, authorization code with PKCE S256."""

    client_id: str = Field(min_length=1, max_length=256, description="The gateway's client at this issuer.")
    client_secret: SecretSetting | None = Field(
        default=None,
        description="Its secret. Left out, the client is a public one (PKCE protects the code either way).",
    )
    name: str | None = Field(
        default=None, min_length=1, max_length=64, description="What the sign-in page calls it. Default: its host name."
    )
    scopes: tuple[str, ...] = Field(
        default=("openid",), description="Scopes to ask for; `openid` must be among them. "
        "Some issuers give a refresh token for `offline_access` alone; without one a session ends with its token.",
    )  # fmt: skip
    acr_values: tuple[str, ...] = Field(
        default=(), description="Levels of authentication asked for at every sign-in, the best first."
    )
    claims_from: Literal["access_token", "id_token"] = Field(
        default="access_token",
        description="The token that the subject's claims are read from. An access token is verified as if it were sent to us.",
    )
    id_token_type: str = Field(default="JWT", min_length=1, description="The `typ` in the header of its ID tokens.")
    logout_token_type: str = Field(
        default="logout+jwt", min_length=1, description="The `typ` in the header of its logout tokens."
    )

    @model_validator(mode="after")
    def _openid(self) -> "LoginSettings":
        if "openid" not in self.scopes or any(
            not _SCOPE.fullmatch(value) for value in (*self.scopes, *self.acr_values)
        ):
            raise ValueError("scopes must hold openid, and scopes and acr_values are words without spaces or quotes")
        return self


def _endpoint(value: str) -> str:
    if not safe_url(value):
        raise ValueError("must be https; plain http is for loopback alone")
    return value


class IntrospectionSettings(SettingsModel):
    """Where the issuer is asked about tokens that are no JWTs (RFC 7662)."""

    url: Annotated[str, AfterValidator(_endpoint)] = Field(max_length=2048, description="The introspection endpoint.")
    client_id: str = Field(min_length=1, max_length=256, description="The gateway's client at this issuer.")
    client_secret: SecretSetting = Field(description="Its secret, sent by HTTP Basic.")
    cache_seconds: int = Field(
        default=60,
        ge=1,
        le=600,
        description="How long a yes is taken for an answer, and never beyond the token's `exp`: a token that the issuer "
        "withdraws is good for so long.",
    )


class EventsSettings(SettingsModel):
    """A transmitter of security events about the issuer's people (OpenID Shared Signals 1.0, pushed by RFC 8935)."""

    transmitter: str | None = Field(
        default=None,
        min_length=1,
        max_length=ISSUER_CHARS,
        description="The `iss` of its events, compared character by character. Left out: the issuer itself.",
    )
    audience: str = Field(min_length=1, description="The value that `aud` of its events must hold.")
    jwks: Annotated[str, BeforeValidator(_jwks)] = Field(
        default="auto",
        description="Where its keys are: `auto` (`/.well-known/ssf-configuration` at the transmitter), a URL, or a file that "
        "is read again when it changes.",
    )
    authorization: SecretSetting | None = Field(
        default=None,
        description="The whole `Authorization` field that it sends with each event, such as `Bearer ...`. Left out, "
        "its signature alone says who it is.",
    )
    device_by: Literal["id", "name"] = Field(
        default="id", description="What its opaque device identifiers are: device ids of this gateway, or device names."
    )


class IssuerSettings(SettingsModel):
    """One issuer of tokens."""

    issuer: str = Field(
        min_length=1, max_length=ISSUER_CHARS, description="The `iss` of its tokens, compared character by character."
    )
    audience: str = Field(min_length=1, description="The value that `aud` must hold.")
    jwks: Annotated[str, BeforeValidator(_jwks)] = Field(
        default="auto",
        description="Where its keys are: `auto` (OpenID Connect discovery at the issuer), a URL, or a file that is read "
        "again when it changes.",
    )
    token_type: str = Field(
        default="JWT",
        min_length=1,
        description="The `typ` in the header of its access tokens: `JWT` (Keycloak), `at+jwt` (RFC 9068). "
        "A token without one is refused.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=_ALL, min_length=1, description="Signature algorithms accepted from it; each fits one kind of key."
    )
    claims: ClaimsSettings = Field(default=ClaimsSettings(), description="Which claims become which attributes.")
    mfa: MfaSettings = Field(default=MfaSettings(), description="What counts as multi-factor authentication.")
    service: ServiceSettings | None = Field(default=None, description="How services are told from persons.")
    login: LoginSettings | None = Field(
        default=None, description="How people sign in here with a browser. Left out, they do not."
    )
    introspection: IntrospectionSettings | None = Field(
        default=None,
        description="Where the issuer is asked about tokens that are no JWTs (RFC 7662). One issuer may have it: such a "
        "token does not say whose it is, and asking around would hand it to others.",
    )
    events: tuple[EventsSettings, ...] = Field(
        default=(), max_length=TRANSMITTERS, description="Who may send security events about its people."
    )
    leeway: int = Field(
        default=TOKEN_LEEWAY_SECONDS, ge=0, le=120, description="Seconds that clocks may differ for exp, nbf and iat."
    )

    @property
    def keys_in_file(self) -> bool:
        """Whether its keys are read from a file, so that nobody is asked for them."""
        return self.jwks != "auto" and "://" not in self.jwks

    @field_validator("issuer")
    @classmethod
    def _not_ours(cls, value: str) -> str:
        if value.lower().startswith("urn:leadglass:"):
            raise ValueError("urn:leadglass: is the gateway's own; no token may speak in its name")
        return value

    @model_validator(mode="after")
    def _discoverable(self) -> "IssuerSettings":
        if (self.jwks == "auto" or self.login is not None) and not safe_url(self.issuer):
            raise ValueError("with jwks: auto or login the issuer must be an https URL (http is for loopback alone)")
        for one in self.events:
            if one.jwks == "auto" and not safe_url(one.transmitter or self.issuer):
                raise ValueError("with jwks: auto a transmitter must be an https URL (http is for loopback alone)")
        return self


class DpopSettings(SettingsModel):
    """Tokens that are bound to a key of the client (RFC 9449)."""

    nonce: bool = Field(
        default=True,
        description="Whether each proof must carry a nonce of this gateway. Without, a proof may be made in advance, "
        "and one of the last minute can be used again after a restart. Switch it off only for a client that knows no "
        "nonces.",
    )


class CertificateRule(SettingsModel):
    """Which certificate stands for which service: exactly one of the first three names what is compared."""

    san_uri: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="A URI of the certificate, such as `spiffe://hospital/ct/*`.",
    )
    san_dns: str | None = Field(
        default=None, min_length=1, max_length=255, description="A DNS name of the certificate, in lower case."
    )
    subject: str | None = Field(
        default=None, min_length=1, max_length=1024, description="The whole subject, as RFC 4514 writes it."
    )
    id: str = Field(
        min_length=1,
        max_length=256,
        description="The service's id. One `*` in the pattern stands for a run of letters, digits, `-` and `_`; one in "
        "the id for what it stood for.",
    )
    roles: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), description="The service's roles.")

    @property
    def pattern(self) -> str:
        """The pattern of whichever name is compared."""
        return self.san_uri or self.san_dns or self.subject or ""

    @model_validator(mode="after")
    def _one(self) -> "CertificateRule":
        if sum(name is not None for name in (self.san_uri, self.san_dns, self.subject)) != 1:
            raise ValueError("a rule has exactly one of san_uri, san_dns and subject")
        if self.pattern.count("*") > 1 or self.id.count("*") > self.pattern.count("*"):
            raise ValueError("one * in the pattern, and one in the id only when the pattern has it")
        if self.san_dns is not None and self.san_dns != self.san_dns.lower():
            raise ValueError("san_dns is in lower case")
        return self


class CertificatesSettings(SettingsModel):
    """Services that are known by their client certificate, without a token."""

    ca: PathSetting = Field(
        description="PEM file with the CAs whose keys sign the certificates of services. Never the device CA."
    )
    crl: PathSetting | None = Field(
        description="PEM or DER file with one CRL of each of these CAs, read again when it changes; null when there is none. "
        "A CRL that has ended refuses all certificates of its CA."
    )
    rules: tuple[CertificateRule, ...] = Field(
        min_length=1, max_length=SERVICE_RULES, description="Which certificate stands for which service."
    )


class IdentitySettings(SettingsModel):
    """Who people are."""

    issuers: tuple[IssuerSettings, ...] = Field(min_length=1, max_length=64, description="Issuers of tokens.")
    certificates: CertificatesSettings | None = Field(
        default=None, description="Services that are known by their client certificate, without a token."
    )
    dpop: DpopSettings = Field(default=DpopSettings(), description="Tokens bound to a key of the client (RFC 9449).")

    @model_validator(mode="after")
    def _distinct(self) -> "IdentitySettings":
        if len({issuer.issuer for issuer in self.issuers}) != len(self.issuers):
            raise ValueError("an issuer is listed twice")
        named = [one.transmitter or issuer.issuer for issuer in self.issuers for one in issuer.events]
        if len(set(named)) != len(named):
            raise ValueError("a transmitter of events is listed twice: its events would be about two issuers' people")
        if sum(issuer.introspection is not None for issuer in self.issuers) > 1:
            raise ValueError("introspection is for one issuer alone: opaque tokens do not say whose they are")
        return self

    @property
    def only_issuer(self) -> str | None:
        """The issuer that an id without one means; None when several are configured."""
        return self.issuers[0].issuer if len(self.issuers) == 1 else None
