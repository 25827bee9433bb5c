"""From verified claims to a subject: what must hold, and what is mapped where.

Nothing is guessed. A claim of another type than its use needs is a refusal that names it: a role that is a string
where a list belongs (`"groups": "admin"`) would otherwise match letter by letter or not at all.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from leadglass.hazmat.jws import InvalidToken, numeric_date
from leadglass.identity.settings import IssuerSettings, MfaSettings
from leadglass.limits import SUBJECT_ID_CHARS, SUBJECT_VALUES
from leadglass.model.facts import Subject

_ABSENT: Final = object()
# Claims of OpenID Connect Core sections 2 and 3.3.2.11 that only ID tokens carry.
_ID_TOKEN: Final = ("nonce", "at_hash", "c_hash")
# Keycloak says in the claims, too, what a token is for; these kinds are signed by the same keys.
_OTHER_KINDS: Final = frozenset({"id", "refresh", "offline", "logout"})
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def lookup(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim named `path`, else the value at that dotted path, else the mark for absent.

    Null counts as absent.
    """
    if path in claims:
        value = claims[path]
        return _ABSENT if value is None else value
    head, dot, rest = path.partition(".")
    while dot:
        inner = claims.get(head)
        if isinstance(inner, Mapping) and (value := lookup(inner, rest)) is not _ABSENT:
            return value
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return _ABSENT


def text(value: object, name: str) -> str:
    """Return a short, visible string in NFC. Raises InvalidToken for anything else."""
    if not isinstance(value, str):
        raise InvalidToken(f"claim {name} is missing" if value is _ABSENT else f"claim {name} is not a string")
    normal = unicodedata.normalize("NFC", value)
    if not normal or normal != normal.strip() or len(normal) > SUBJECT_ID_CHARS:
        raise InvalidToken(f"claim {name} is empty, padded or too long")
    if not normal.isascii() or not normal.isprintable():
        for character in normal:
            if unicodedata.category(character) in _INVISIBLE:
                raise InvalidToken(f"claim {name} has a control or invisible character")
    return normal


def texts(claims: Mapping[str, Any], path: str | None, name: str) -> tuple[str, ...]:
    """Return a list of strings, sorted and each once; empty when the claim is absent or not configured."""
    value = _ABSENT if path is None else lookup(claims, path)
    if value is _ABSENT:
        return ()
    if not isinstance(value, list):
        raise InvalidToken(f"claim {path} for {name} is not a list")
    if len(value) > SUBJECT_VALUES:
        raise InvalidToken(f"claim {path} for {name} has more than {SUBJECT_VALUES} values")
    return tuple(sorted({text(item, str(path)) for item in value}))


def check_purpose(claims: Mapping[str, Any], audience: str) -> None:
    """Refuse what is not an access token for us. Raises InvalidToken."""
    for name in _ID_TOKEN:
        if name in claims:
            raise InvalidToken(f"an ID token ({name}), not an access token")
    kind = claims.get("typ")
    if isinstance(kind, str) and kind.lower() in _OTHER_KINDS:
        raise InvalidToken(f"a token of kind {kind.lower()}, not an access token")
    listed = claims.get("aud")
    audiences = [listed] if isinstance(listed, str) else listed
    if not isinstance(audiences, list) or not all(isinstance(item, str) for item in audiences):
        raise InvalidToken("aud missing or malformed")
    if audience not in audiences:
        raise InvalidToken("aud is another's")
    if len(audiences) > 1 and not any(isinstance(claims.get(name), str) for name in ("azp", "client_id")):
        raise InvalidToken("several aud and nobody it was issued to (azp, client_id)")


def _mfa(claims: Mapping[str, Any], settings: MfaSettings) -> tuple[bool, str | None]:
    acr, amr = claims.get("acr"), claims.get("amr", [])
    acr = None if acr is None else text(acr, "acr")
    if not isinstance(amr, list) or not all(isinstance(item, str) for item in amr):
        raise InvalidToken("claim amr is not a list of strings")  # RFC 8176 section 1
    return acr in settings.acr or any(item in settings.amr for item in amr), acr


def _auth_time(claims: Mapping[str, Any], now: float, leeway: float) -> int | None:
    value = claims.get("auth_time")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidToken("auth_time is not a whole number")
    if (numeric_date(claims, "auth_time") or 0.0) > now + leeway:
        raise InvalidToken("auth_time is in the future")
    return value


def authentication(
    claims: Mapping[str, Any], settings: IssuerSettings, now: float
) -> tuple[bool, str | None, int | None]:
    """Return how a person authenticated: by several factors, at which level, and when. Raises InvalidToken."""
    return *_mfa(claims, settings.mfa), _auth_time(claims, now, settings.leeway)


def _is_service(claims: Mapping[str, Any], settings: IssuerSettings) -> bool:
    rule = settings.service
    if rule is None:
        return False
    value = lookup(claims, rule.claim)
    return isinstance(value, str) and value in rule.values


def subject(
    claims: Mapping[str, Any], settings: IssuerSettings, *, token_hash: bytes, expires: float, now: float
) -> Subject:
    """Map verified claims to a subject. `expires` is when trust in the token ends. Raises InvalidToken."""
    paths = settings.claims
    if paths.id == "email" and claims.get("email_verified") is not True:
        raise InvalidToken("email is the id and is not verified")
    mfa, acr, auth_time = authentication(claims, settings, now)
    extra = {name: value for name, path in paths.extra.items() if (value := lookup(claims, path)) is not _ABSENT}
    sub, sid = (None if claims.get(name) is None else text(claims[name], name) for name in ("sub", "sid"))
    return Subject(
        type="service" if _is_service(claims, settings) else "person",
        id=text(lookup(claims, paths.id), paths.id),
        issuer=settings.issuer,
        token_hash=token_hash,
        expires=expires,
        roles=texts(claims, paths.roles, "roles"),
        groups=texts(claims, paths.groups, "groups"),
        sites=texts(claims, paths.sites, "sites"),
        mfa=mfa,
        acr=acr,
        auth_time=auth_time,
        claims=extra,
        sub=sub,
        sid=sid,
        email=verified_email(claims),
        issued=numeric_date(claims, "iat"),
    )


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """Return the address that events may name somebody by; None unless the issuer says that it is theirs."""
    email = claims.get("email")
    return email.lower() if isinstance(email, str) and claims.get("email_verified") is True else None


def changed(who: Subject, claims: Mapping[str, Any], settings: IssuerSettings) -> Subject:
    """Return a subject as it is once these claims have these values in its token. Raises InvalidToken.

    A claim that is named here counts as said here alone: what a path does not find in it is absent. How somebody
    authenticated, and who they are, is for tokens to say.
    """
    paths, fields = settings.claims, dict[str, Any]()
    for name, path in (("roles", paths.roles), ("groups", paths.groups), ("sites", paths.sites)):
        if path is not None and _touches(path, claims):
            fields[name] = texts(claims, path, name)
    extra = {name: value for name, value in who.claims.items() if not _touches(paths.extra.get(name, ""), claims)}
    for name, path in paths.extra.items():
        if _touches(path, claims) and (value := lookup(claims, path)) is not _ABSENT:
            extra[name] = value
    return replace(who, claims=extra, **fields)


def _touches(path: str, claims: Mapping[str, Any]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in claims)
