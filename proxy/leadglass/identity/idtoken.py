"""ID tokens (OpenID Connect Core 1.0, sections 3.1.3.7, 3.1.3.6 and 12.2) and logout tokens (Back-Channel Logout 1.0)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from leadglass.hazmat.jws import InvalidToken, KeySet, Profile, Verified, check_validity, numeric_date, verify_compact
from leadglass.hazmat.mac import b64u
from leadglass.identity.claims import text
from leadglass.identity.settings import IssuerSettings, LoginSettings
from leadglass.limits import LOGOUT_TOKEN_SECONDS

_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say: our `nonce` (None on renewal), the subject on renewal, and the access token it is with."""

    nonce: str | None
    access_token: str
    sub: str | None = None


class LogoutToken(NamedTuple):
    """A logout token: its id, when it was issued (epoch seconds), and whose sessions end."""

    jti: str
    issued: float
    sub: str | None
    sid: str | None


def check_id_token(
    token: str, keys: KeySet, issuer: IssuerSettings, login: LoginSettings, expected: Expected, now: float
) -> Mapping[str, Any]:
    """Return the claims of an ID token that was made for us and for this sign-in. Raises InvalidToken."""
    verified = _verified(token, keys, issuer, login.id_token_type)
    claims = verified.claims
    check_validity(claims, now=now, leeway=issuer.leeway)
    if numeric_date(claims, "iat") is None:
        raise InvalidToken("iat missing")
    _check_audience(claims, login.client_id)
    said = claims.get("nonce")
    if expected.nonce is not None and said != expected.nonce:
        raise InvalidToken("nonce missing" if said is None else "nonce is another's")
    sub = text(claims.get("sub"), "sub")
    if expected.sub is not None and sub != expected.sub:
        raise InvalidToken("sub is another's")
    at_hash = claims.get("at_hash")
    if at_hash is not None and at_hash != _half(str(verified.header["alg"]), expected.access_token):
        raise InvalidToken("at_hash is another token's")
    return claims


def check_logout_token(
    token: str, keys: KeySet, issuer: IssuerSettings, login: LoginSettings, now: float
) -> LogoutToken:
    """Return what a logout token says (section 2.6). Replay is the caller's. Raises InvalidToken."""
    claims = _verified(token, keys, issuer, login.logout_token_type).claims
    issued = numeric_date(claims, "iat")
    if issued is None or not now - LOGOUT_TOKEN_SECONDS - issuer.leeway < issued <= now + issuer.leeway:
        raise InvalidToken("iat missing, too old or in the future")
    if "exp" in claims:
        check_validity(claims, now=now, leeway=issuer.leeway)
    _check_audience(claims, login.client_id)
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(_LOGOUT), Mapping):
        raise InvalidToken("events does not say back-channel logout")
    if "nonce" in claims:
        raise InvalidToken("has a nonce, as ID tokens have")
    sub, sid = (None if claims.get(name) is None else text(claims[name], name) for name in ("sub", "sid"))
    if sub is None and sid is None:
        raise InvalidToken("neither sub nor sid")
    return LogoutToken(text(claims.get("jti"), "jti"), issued, sub, sid)


def _verified(token: str, keys: KeySet, issuer: IssuerSettings, kind: str) -> Verified:
    verified = verify_compact(token, keys, Profile(issuer.issuer, kind, frozenset(issuer.algorithms)))
    if verified.claims.get("iss") != issuer.issuer:
        raise InvalidToken("iss is another's")
    return verified


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    listed = claims.get("aud")
    audiences = [listed] if isinstance(listed, str) else listed
    if not isinstance(audiences, list) or client_id not in audiences:
        raise InvalidToken("aud is another's")
    party = claims.get("azp")
    if party is None and len(audiences) > 1:
        raise InvalidToken("several aud and no azp")
    if party is not None and party != client_id:
        raise InvalidToken("azp is another's")


def _half(algorithm: str, token: str) -> str:
    """Return the left half of the hash of `token` that goes with a signature algorithm (section 3.1.3.6)."""
    name = "sha512" if algorithm == "EdDSA" else f"sha{algorithm[2:]}"
    digest = hashlib.new(name, token.encode("ascii", "replace")).digest()
    return b64u(digest[: len(digest) // 2])
