"""Whose security events are believed: one SET in, one verified Signal out (RFC 8417, RFC 8725, RFC 8935).

A transmitter speaks of the people of the one issuer under which it is configured, and of nobody else's. Its keys are its
own; a SET is no access token and no access token is a SET (`typ`, and no `exp` and no `sub`, in either direction).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from leadglass.clock import Clock
from leadglass.codec.subjectid import UnknownSubject, parse
from leadglass.epochs import Epochs
from leadglass.hazmat.jws import InvalidToken, Profile, Unverified, numeric_date, read_unverified, verify_compact
from leadglass.hazmat.mac import same
from leadglass.identity import events
from leadglass.identity.claims import text
from leadglass.identity.jwks import Fetch, HttpFetch, Keys, KeysUnavailable
from leadglass.identity.settings import EventsSettings, IdentitySettings, IssuerSettings
from leadglass.limits import JWKS_START_SECONDS, SIGNAL_SECONDS, TOKEN_BYTES
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.model.signals import Event, Signal, SignalRefused, Whom
from leadglass.tasks import Tasks

TYPE: Final = "secevent+jwt"
_URI_CHARS: Final = 256


@dataclass(frozen=True, slots=True)
class _Transmitter:
    name: str
    issuer: IssuerSettings
    settings: EventsSettings
    profile: Profile
    keys: Keys


class Transmitters:
    """The transmitters of all issuers. `fetch` replaces HTTP in tests; `start` before use and `close` after."""

    def __init__(self, settings: IdentitySettings, *, clock: Clock, epochs: Epochs, fetch: Fetch | None = None) -> None:
        self._clock, self._tasks = clock, Tasks()
        self._http = HttpFetch()
        self._held: dict[str, _Transmitter] = {}
        for issuer in settings.issuers:
            for one in issuer.events:
                name = one.transmitter or issuer.issuer
                keys = Keys(
                    name, one.jwks, fetch=fetch or self._http, clock=clock, epochs=epochs, tasks=self._tasks,
                    discover=discovery_url, kind="transmitter",
                )  # fmt: skip
                profile = Profile(name, TYPE, frozenset(issuer.algorithms))
                self._held[name] = _Transmitter(name, issuer, one, profile, keys)

    async def start(self) -> None:
        """Load all keys and keep them fresh. A transmitter that is down is logged and holds nothing up for long."""
        if not self._held:
            return
        loads = [self._tasks.spawn(t.keys.refresh(), name=f"keys of {name}") for name, t in self._held.items()]
        await asyncio.wait(loads, timeout=JWKS_START_SECONDS)
        for name, transmitter in self._held.items():
            self._tasks.spawn(transmitter.keys.keep(), name=f"upkeep of {name}")

    async def close(self) -> None:
        """Stop background work and close connections."""
        await self._tasks.close()
        await self._http.close()

    def problems(self) -> dict[str, str | None]:
        """Return every transmitter, and why its keys could not be had at the last attempt; None when they could."""
        return {name: transmitter.keys.problem for name, transmitter in self._held.items()}

    async def verify(self, token: str, authorization: bytes | None) -> Signal:
        """Return what a SET says. `authorization` is SHA-256 of the Authorization field it came with.

        Raises SignalRefused, and Refusal `sign-in-unavailable` while there are no keys to judge it by.
        """
        try:
            parts = read_unverified(token, TOKEN_BYTES)
        except InvalidToken as error:
            raise _refused_form(error) from None
        transmitter = self._of(parts)
        if not transmitter.profile.fits(str(parts.header["typ"])):
            raise SignalRefused("invalid_request", f"typ is not {TYPE}")
        secret = transmitter.settings.authorization
        if secret is not None and not same(secret.get_secret_value().encode(), authorization):
            raise SignalRefused("authentication_failed", "Authorization is missing or another's")
        await self._check_signature(parts, transmitter)
        return self._read(parts.claims, transmitter)

    def _of(self, parts: Unverified) -> _Transmitter:
        named = parts.claims.get("iss")
        transmitter = self._held.get(named) if isinstance(named, str) else None
        if transmitter is None:
            raise SignalRefused("invalid_issuer", "iss is no transmitter of this gateway")
        return transmitter

    async def _check_signature(self, parts: Unverified, transmitter: _Transmitter) -> None:
        try:
            keys = await transmitter.keys.obtain(parts.kid)
        except KeysUnavailable as error:
            # Not a 400: the transmitter is to try again (RFC 8935 section 2.3 leaves that to HTTP).
            raise refuse(
                Code.SIGN_IN_UNAVAILABLE, f"no keys of the transmitter: {error}", headers={"Retry-After": "60"}
            ) from None
        try:
            if parts.algorithm not in transmitter.profile.algorithms:
                raise InvalidToken("algorithm not allowed")  # noqa: TRY301 - one way out
            key = keys.select(parts.kid, parts.algorithm)
        except InvalidToken as error:
            raise SignalRefused("invalid_key", error.cause) from None
        try:
            verify_compact(parts, key, transmitter.profile)
        except InvalidToken as error:
            raise SignalRefused("authentication_failed", error.cause) from None

    def _read(self, claims: Mapping[str, Any], transmitter: _Transmitter) -> Signal:
        if transmitter.settings.audience not in _audiences(claims):
            raise SignalRefused("invalid_audience", "aud is another's")
        try:
            return self._signal(claims, transmitter)
        except InvalidToken as error:
            raise SignalRefused("invalid_request", error.cause) from None
        except (events.Unfit, UnknownSubject) as error:
            raise SignalRefused("invalid_request", str(error)) from None

    def _signal(self, claims: Mapping[str, Any], transmitter: _Transmitter) -> Signal:
        for name in ("exp", "sub", "nonce"):  # SSF 1.0 section 4.1: what no SET has, and other tokens do
            if name in claims:
                raise InvalidToken(f"has {name}, which no SET has")
        now, leeway = self._clock.now(), transmitter.issuer.leeway
        jti, issued = text(claims.get("jti"), "jti"), numeric_date(claims, "iat")
        if issued is None or not now - SIGNAL_SECONDS < issued <= now + leeway:
            raise InvalidToken("iat missing, too old or in the future")
        listed = claims.get("events")
        if not isinstance(listed, Mapping) or len(listed) != 1:
            raise InvalidToken("events is not an object with one event")
        ((uri, payload),) = listed.items()
        if not isinstance(payload, Mapping) or not uri.isprintable() or len(uri) > _URI_CHARS:
            raise InvalidToken("the event is no object, or its name is none")
        at = events.happened(payload, issued)
        if at > now + leeway:
            raise InvalidToken("event_timestamp is in the future")
        event, issuer = events.URIS.get(uri), transmitter.issuer.issuer
        if event is None:
            return Signal(transmitter.name, jti, uri, None, issued, at, Whom(issuer))
        says, whom = events.read(event, payload), Whom(issuer)
        if event not in {Event.VERIFICATION, Event.STREAM_UPDATED}:
            simple = events.about(event, says)
            whom = parse(claims.get("sub_id"), issuer, simple=simple, device_by=transmitter.settings.device_by)
        return Signal(transmitter.name, jti, uri, event, issued, at, whom, says)


def discovery_url(transmitter: str) -> str:
    """Return where a transmitter describes itself (SSF 1.0 section 6.2): its path follows the well-known one."""
    parts = urlsplit(transmitter)
    return f"{parts.scheme}://{parts.netloc}/.well-known/ssf-configuration{parts.path.rstrip('/')}"


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    listed = claims.get("aud")
    audiences = [listed] if isinstance(listed, str) else listed
    if not isinstance(audiences, list) or not all(isinstance(item, str) for item in audiences):
        raise SignalRefused("invalid_audience", "aud is missing or malformed")
    return audiences


def _refused_form(error: InvalidToken) -> SignalRefused:
    """Return the refusal of what cannot be read: a header with a key or a forbidden algorithm is a fault of the key."""
    of_key = error.cause.startswith(("algorithm", "header has", "kid"))
    return SignalRefused("invalid_key" if of_key else "invalid_request", error.cause)
