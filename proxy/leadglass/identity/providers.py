"""Signing people in at their issuer: OpenID Connect Core 1.0, authorization code with PKCE S256 (RFC 7636, RFC 9700).

Everything an issuer says is verified here before anybody else sees it. Codes, tokens and secrets travel in bodies and
never in URLs, logs or messages of errors.
"""

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

from leadglass.clock import Clock
from leadglass.hazmat.jws import InvalidToken, KeySet, read_unverified
from leadglass.hazmat.mac import b64u, sha256
from leadglass.identity.claims import authentication, subject, text, verified_email
from leadglass.identity.identity import Identity
from leadglass.identity.idtoken import Expected, check_id_token, check_logout_token
from leadglass.identity.jwks import KeysUnavailable, discovery_url
from leadglass.identity.settings import IdentitySettings, IssuerSettings, LoginSettings, safe_url
from leadglass.identity.wire import HttpWire, Wire
from leadglass.limits import PROVIDER_METADATA_SECONDS, TOKEN_BYTES
from leadglass.model.errors import StepUp
from leadglass.model.facts import Subject
from leadglass.model.login import Attempt, ProviderUnavailable, SignedIn, SignInRefused
from leadglass.model.signals import Whom

_log = logging.getLogger("leadglass.identity")
_OK: Final = 200
_OPTIONAL: Final = ("end_session_endpoint", "revocation_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an issuer says of itself (OpenID Connect Discovery 1.0, section 3)."""

    authorization: str
    token: str
    end_session: str | None
    revocation: str | None
    says_iss: bool  # RFC 9207: its authorization responses carry `iss`
    basic: bool  # client_secret_basic, else client_secret_post


@dataclass(slots=True)
class _Provider:
    issuer: IssuerSettings
    login: LoginSettings
    metadata: Metadata | None = None
    fetched: float = float("-inf")  # monotonic seconds


class Providers:
    """The issuers at which people sign in. `close` after use."""

    def __init__(
        self, settings: IdentitySettings, identity: Identity, *, clock: Clock, wire: Wire | None = None
    ) -> None:
        self._identity, self._clock = identity, clock
        self._http = HttpWire() if wire is None else None
        self._wire: Wire = wire or self._http or HttpWire()
        self._providers = {
            issuer.issuer: _Provider(issuer, issuer.login) for issuer in settings.issuers if issuer.login is not None
        }

    async def close(self) -> None:
        """Close connections."""
        if self._http is not None:
            await self._http.close()

    def names(self) -> dict[str, str]:
        """Return the issuers at which people sign in, and what the sign-in page calls them."""
        return {
            name: provider.login.name or urlsplit(name).hostname or name for name, provider in self._providers.items()
        }

    # --- the way out -------------------------------------------------------------------------------------------------
    async def authorization_url(
        self, attempt: Attempt, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Return where the browser goes to sign in. Raises SignInRefused, ProviderUnavailable."""
        provider = self._provider(attempt.issuer)
        metadata = await self._metadata(provider)
        acr_values = attempt.step_up.acr_values or provider.login.acr_values
        asked = {
            "response_type": "code",
            "client_id": provider.login.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(provider.login.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": b64u(sha256(verifier.encode())),
            "code_challenge_method": "S256",
        }
        if acr_values:
            asked["acr_values"] = " ".join(acr_values)
        if attempt.step_up.max_age is not None:
            asked["max_age"] = str(attempt.step_up.max_age)
        return _with_query(metadata.authorization, asked)

    async def end_session_url(self, issuer: str, back: str) -> str | None:
        """Return where the browser signs out at the issuer too (RP-Initiated Logout 1.0), None when it cannot.

        No `id_token_hint` is sent: a token in a URL ends up in logs. The issuer may ask the person to confirm.
        """
        provider = self._providers.get(issuer)
        if provider is None:
            return None
        try:
            metadata = await self._metadata(provider)
        except (ProviderUnavailable, SignInRefused):
            return None
        if metadata.end_session is None:
            return None
        return _with_query(
            metadata.end_session, {"client_id": provider.login.client_id, "post_logout_redirect_uri": back}
        )

    # --- the way back ------------------------------------------------------------------------------------------------
    async def check_issuer(self, attempt: Attempt, said: str | None) -> None:
        """Make sure that an authorization response comes from the issuer that was asked (RFC 9207).

        Without `iss` it is taken only from the one issuer there is, and only when that never promised one.
        Raises SignInRefused, ProviderUnavailable.
        """
        metadata = await self._metadata(self._provider(attempt.issuer))
        if said is None and (metadata.says_iss or len(self._providers) > 1):
            raise SignInRefused("iss missing from the response")
        if said is not None and said != attempt.issuer:
            raise SignInRefused("iss of the response is another issuer's")

    async def redeem(self, attempt: Attempt, code: str, *, redirect_uri: str, verifier: str, nonce: str) -> SignedIn:
        """Exchange the code, and verify everything that comes for it. Raises SignInRefused, ProviderUnavailable."""
        provider = self._provider(attempt.issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        return await self._signed_in(
            provider, await self._ask_token(provider, form), nonce=nonce, step_up=attempt.step_up
        )

    async def renew(self, before: SignedIn) -> SignedIn:
        """Ask the issuer whether it still vouches (RFC 6749 section 6). Raises SignInRefused, ProviderUnavailable."""
        provider = self._provider(before.subject.issuer)
        if before.refresh_token is None:
            raise SignInRefused("no refresh token")
        said = await self._ask_token(provider, {"grant_type": "refresh_token", "refresh_token": before.refresh_token})
        return await self._signed_in(provider, said, before=before)

    async def revoke(self, signed_in: SignedIn) -> None:
        """Tell the issuer that the refresh token is of no use any more (RFC 7009), as well as that can be done."""
        provider = self._providers.get(signed_in.subject.issuer)
        if provider is None or signed_in.refresh_token is None:
            return
        try:
            metadata = await self._metadata(provider)
            if metadata.revocation is not None:
                form = {"token": signed_in.refresh_token, "token_type_hint": "refresh_token"}
                await self._post(provider, metadata.revocation, form)
        except (ProviderUnavailable, SignInRefused) as error:
            _log.warning("issuer %s was not told of a sign-out: %s", provider.issuer.issuer, error)

    async def logged_out(self, token: str) -> tuple[str, Whom, float]:
        """Return what a logout token goes by, whose sessions it ends, and when it was issued. Raises SignInRefused, ProviderUnavailable."""
        try:
            parts = read_unverified(token, TOKEN_BYTES)
            named = parts.claims.get("iss")
            provider = self._providers.get(named) if isinstance(named, str) else None
            if provider is None:
                raise SignInRefused("a logout token of nobody at whom people sign in")
            keys = await self._keys(provider, token, force=False)
            said = check_logout_token(token, keys, provider.issuer, provider.login, self._clock.now())
        except InvalidToken as error:
            raise SignInRefused(f"logout token: {error.cause}") from None
        names: tuple[tuple[Literal["sub", "sid"], str | None], ...] = (("sub", said.sub), ("sid", said.sid))
        whom = Whom(
            provider.issuer.issuer, tuple(frozenset({(kind, value)}) for kind, value in names if value is not None)
        )
        return f"{named} {said.jti}", whom, said.issued

    # --- what is in between ------------------------------------------------------------------------------------------
    def _provider(self, issuer: str) -> _Provider:
        provider = self._providers.get(issuer)
        if provider is None:
            raise SignInRefused("nobody signs in at this issuer")
        return provider

    async def _metadata(self, provider: _Provider) -> Metadata:
        now = self._clock.monotonic()
        if provider.metadata is None or now - provider.fetched >= PROVIDER_METADATA_SECONDS:
            try:
                status, document = await self._wire(discovery_url(provider.issuer.issuer))
                provider.metadata, provider.fetched = _metadata(status, document, provider.issuer.issuer), now
            except ProviderUnavailable:
                if provider.metadata is None:
                    raise
        return provider.metadata

    async def _keys(self, provider: _Provider, token: str, *, force: bool) -> KeySet:
        """Return the keys for a token. `force` for one that the issuer gave us itself, which costs strangers nothing."""
        try:
            kid = read_unverified(token, TOKEN_BYTES).kid
            keys = await self._identity.keys(provider.issuer.issuer, kid, force=force)
        except KeysUnavailable as error:
            raise ProviderUnavailable(f"no keys: {error}") from None
        if kid is not None and not keys.knows(kid):
            raise ProviderUnavailable("signed by a key that the issuer does not publish, or not yet")
        return keys

    async def _ask_token(self, provider: _Provider, form: Mapping[str, str]) -> Mapping[str, Any]:
        metadata = await self._metadata(provider)
        status, said = await self._post(provider, metadata.token, form)
        if status != _OK:
            error = said.get("error")
            raise SignInRefused(f"token endpoint: {status} {error if isinstance(error, str) else ''}"[:100].strip())
        return said

    async def _post(self, provider: _Provider, url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        login, metadata = provider.login, provider.metadata
        if login.client_secret is None:
            return await self._wire(url, {**form, "client_id": login.client_id})
        secret = login.client_secret.get_secret_value()
        if metadata is not None and not metadata.basic:
            return await self._wire(url, {**form, "client_id": login.client_id, "client_secret": secret})
        pair = f"{quote(login.client_id, safe='')}:{quote(secret, safe='')}"  # RFC 6749 section 2.3.1
        return await self._wire(url, form, "Basic " + base64.b64encode(pair.encode()).decode())

    async def _signed_in(
        self,
        provider: _Provider,
        said: Mapping[str, Any],
        *,
        nonce: str | None = None,
        step_up: StepUp | None = None,
        before: SignedIn | None = None,
    ) -> SignedIn:
        access, identity, refresh = said.get("access_token"), said.get("id_token"), said.get("refresh_token")
        if not isinstance(access, str) or (identity is None and before is None):
            raise SignInRefused("the token response holds no access token or no ID token")
        if str(said.get("token_type", "")).lower() != "bearer":
            raise SignInRefused("the token response is not of type Bearer")
        try:
            claims: Mapping[str, Any] = {}
            if identity is not None:
                keys = await self._keys(provider, str(identity), force=True)
                expected = Expected(nonce, access, before.subject.sub if before else None)
                now = self._clock.now()
                claims = check_id_token(str(identity), keys, provider.issuer, provider.login, expected, now)
            who = await self._subject(provider, access, claims, before)
        except InvalidToken as error:
            raise SignInRefused(error.cause) from None
        if before is not None and (who.issuer, who.id) != (before.subject.issuer, before.subject.id):
            raise SignInRefused("the issuer renewed another person")
        if step_up is not None:
            _check_level(who, step_up, self._clock.now(), provider.issuer.leeway)
        sub = text(claims["sub"], "sub") if claims else (before.subject.sub if before else None)
        sid = claims.get("sid") if isinstance(claims.get("sid"), str) else None
        token = refresh if isinstance(refresh, str) and refresh else (before.refresh_token if before else None)
        sid = sid or (before.subject.sid if before else None)
        return SignedIn(replace(who, sub=sub, sid=sid), who.expires, token)

    async def _subject(
        self, provider: _Provider, access: str, claims: Mapping[str, Any], before: SignedIn | None
    ) -> Subject:
        """Return who it is, from the token that is configured, with how they authenticated from the ID token."""
        now, said = self._clock.now(), claims
        if provider.login.claims_from == "id_token":
            if not claims:
                raise InvalidToken("no ID token to read the claims from")
            who = subject(claims, provider.issuer, token_hash=b"", expires=float(claims["exp"]), now=now)
        else:
            who, said = await self._identity.vouched(access)
            if who.issuer != provider.issuer.issuer:
                raise InvalidToken("the access token is another issuer's")
            if claims and said.get("sub") != claims["sub"]:
                raise InvalidToken("the access token is another person's")
        if who.email is None:
            who = replace(who, email=verified_email(claims))
        if _says_how(claims):
            mfa, acr, _ = authentication(claims, provider.issuer, now)
            who = replace(who, mfa=mfa, acr=acr)
        if "auth_time" in claims:
            who = replace(who, auth_time=authentication(claims, provider.issuer, now)[2])
        if before is not None and not _says_how(claims) and not _says_how(said):
            who = replace(who, mfa=before.subject.mfa, acr=before.subject.acr)
        if before is not None and who.auth_time is None:
            who = replace(who, auth_time=before.subject.auth_time)
        return who


def _says_how(claims: Mapping[str, Any]) -> bool:
    return "acr" in claims or "amr" in claims


def _check_level(who: Subject, step_up: StepUp, now: float, leeway: float) -> None:
    if step_up.acr_values and who.acr not in step_up.acr_values:
        raise SignInRefused("acr is not one of those that were asked for")
    if step_up.max_age is not None and (who.auth_time is None or who.auth_time < now - step_up.max_age - leeway):
        raise SignInRefused("auth_time is missing or older than was asked for")


def _metadata(status: int, document: Mapping[str, Any], issuer: str) -> Metadata:
    """Read discovery. Raises ProviderUnavailable, and SignInRefused for an issuer that cannot do PKCE S256."""
    if status != _OK:
        raise ProviderUnavailable(f"discovery answered {status}")
    if document.get("issuer") != issuer:  # section 4.3: MUST exactly match
        raise ProviderUnavailable("discovery names another issuer")
    urls = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint", *_OPTIONAL)}
    for name, url in urls.items():
        if url is None and name in _OPTIONAL:
            continue
        if not isinstance(url, str) or not safe_url(url):
            raise ProviderUnavailable(f"discovery names no {name} that is https")
    methods = document.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise SignInRefused("the issuer does not support PKCE S256, and plain is no protection")
    auth = document.get("token_endpoint_auth_methods_supported")
    return Metadata(
        authorization=str(urls["authorization_endpoint"]),
        token=str(urls["token_endpoint"]),
        end_session=urls["end_session_endpoint"],
        revocation=urls["revocation_endpoint"],
        says_iss=document.get("authorization_response_iss_parameter_supported") is True,
        basic=not isinstance(auth, list) or "client_secret_basic" in auth,
    )


def _with_query(url: str, pairs: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs, quote_via=quote)}"
