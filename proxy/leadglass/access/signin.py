"""Signing in and out with a browser: joins the issuers, the transactions and the sessions.

    /login -> the issuer -> /callback -> a session -> /session/device -> the page that was wanted first

Every step that fails says no with the cause in the record; nothing is tried again by itself, so nothing can go in circles.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from leadglass.clock import Clock
from leadglass.codec import cookies
from leadglass.codec.control import DEVICE, EMERGENCY
from leadglass.codec.landing import landing
from leadglass.identity.providers import Providers
from leadglass.limits import LOGOUT_TOKEN_SECONDS, LOGOUT_TOKENS_SPENT
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, StepUp, refuse
from leadglass.model.login import Attempt, ProviderUnavailable, SignInRefused
from leadglass.model.reasons import Code
from leadglass.sessions.sessions import Sessions
from leadglass.sessions.transactions import Transactions, new_cookie, nonce, verifier
from leadglass.tasks import Tasks

BASE: Final = "/.leadglass/v1/"
LOGIN: Final = BASE + "login"
_CALLBACK: Final = BASE + "callback"
_LOGOUT: Final = BASE + "logout"
_SESSION: Final = BASE + "session"
_ACR_CHARS: Final = 512
_MAX_AGE: Final = 86_400
_DIGITS: Final = re.compile(r"[0-9]{1,6}")


def sign_in_path(target: str | None, step_up: StepUp | None = None) -> str:
    """Return the path at which a person signs in to come back to `target`, with what would be enough."""
    asked: dict[str, str] = {}
    if (back := landing(target)) is not None:
        asked["return"] = back
    if step_up is not None and step_up.acr_values:
        asked["acr_values"] = " ".join(step_up.acr_values)
    if step_up is not None and step_up.max_age is not None:
        asked["max_age"] = str(min(int(step_up.max_age), _MAX_AGE))
    return f"{LOGIN}?{urlencode(asked, quote_via=quote)}" if asked else LOGIN


def device_path(target: str | None) -> str:
    """Return the path at which the device of a session is proven, on the way to `target`."""
    back = landing(target)
    return DEVICE if back is None else f"{DEVICE}?{urlencode({'return': back}, quote_via=quote)}"


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the browser goes next, and the cookies it takes along. `choices` are issuers to choose from instead."""

    location: str = ""
    cookies: tuple[str, ...] = ()
    choices: Mapping[str, str] | None = None  # path that goes there -> what the issuer is called


class SignIn:
    """Sign-in, sign-out and what a person sees of their sessions. `providers` gives those in force."""

    def __init__(
        self,
        providers: Callable[[], Providers],
        sessions: Sessions,
        transactions: Transactions,
        *,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._providers, self._sessions, self._transactions = providers, sessions, transactions
        self._clock, self._tasks = clock, tasks
        self._logout_tokens: OrderedDict[str, float] = OrderedDict()

    def issuers(self) -> tuple[str, ...]:
        """Return the issuers at which people sign in."""
        return tuple(self._providers().names())

    async def begin(self, peer: PeerFacts) -> Turn:
        """Send the browser to the issuer, or let the person choose one. Raises Refusal."""
        asked = _once(peer.query)
        names = self._providers().names()
        if not names:
            raise refuse(Code.ROUTE_UNKNOWN, "nobody signs in here with a browser")
        step_up, back = _wanted(asked), landing(asked.get("return"))
        issuer = asked.get("issuer")
        if issuer is None and len(names) > 1:
            path = sign_in_path(back, step_up)
            join = "&" if "?" in path else "?"
            return Turn(choices={f"{path}{join}issuer={quote(name, safe='')}": said for name, said in names.items()})
        chosen = next(iter(names)) if issuer is None else issuer
        if chosen not in names:
            raise refuse(Code.SIGN_IN_REFUSED, "no such issuer")
        cookie = peer.login or new_cookie()
        attempt = self._transactions.begin(chosen, back, step_up)
        try:
            url = await self._providers().authorization_url(
                attempt,
                redirect_uri=peer.origin + _CALLBACK,
                state=self._transactions.state(attempt, cookie, peer.origin),
                nonce=nonce(cookie, attempt),
                verifier=verifier(cookie, attempt),
            )
        except (SignInRefused, ProviderUnavailable) as error:
            raise _said(error) from None
        return Turn(url, (cookies.setting(cookies.LOGIN, cookie),))

    async def finish(self, peer: PeerFacts) -> Turn:
        """Take what the issuer sent the browser back with. Raises Refusal."""
        try:
            attempt, cookie = await self._finish(peer)
        except (SignInRefused, ProviderUnavailable) as error:
            raise _said(error) from None
        return Turn(device_path(attempt.landing), (cookies.setting(cookies.SESSION, cookie),))

    async def _finish(self, peer: PeerFacts) -> tuple[Attempt, str]:
        asked = _once(peer.query)
        attempt = self._transactions.spend(asked.get("state"), peer.login, peer.origin)
        login = peer.login or ""
        providers = self._providers()
        await providers.check_issuer(attempt, asked.get("iss"))
        if "error" in asked:
            raise SignInRefused(f"the issuer said {asked['error'][:64]}")
        if not asked.get("code"):
            raise SignInRefused("no code")
        since = self._clock.monotonic()
        signed_in = await providers.redeem(
            attempt,
            asked["code"],
            redirect_uri=peer.origin + _CALLBACK,
            verifier=verifier(login, attempt),
            nonce=nonce(login, attempt),
        )
        cookie, _ = await self._sessions.begin(signed_in, peer.client_ip, peer.session, asked=since)
        return attempt, cookie

    async def sign_out(self, peer: PeerFacts) -> Turn:
        """End the browser's session here and at its issuer. Raises Refusal."""
        gone = (cookies.clearing(cookies.SESSION),)
        session = self._sessions.one(peer.session) if peer.session else None
        if session is None:
            return Turn(_LOGOUT, gone)
        await self._sessions.end(session.id, "signed-out", {"subject": session.subject.id})
        providers = self._providers()
        self._tasks.spawn(providers.revoke(session.signed_in), name="revoke a refresh token")
        url = await providers.end_session_url(session.subject.issuer, peer.origin + _LOGOUT)
        return Turn(url or _LOGOUT, gone)

    async def signed_out_at(self, token: str) -> int:
        """End what a logout token of an issuer names, and count it. Raises Refusal."""
        try:
            name, whom, issued = await self._providers().logged_out(token)
        except (SignInRefused, ProviderUnavailable) as error:
            raise _said(error) from None
        spent, now = self._logout_tokens, self._clock.now()
        if name in spent:
            raise refuse(Code.SIGN_IN_REFUSED, "logout token: replayed")
        while spent and (next(iter(spent.values())) <= now or len(spent) >= LOGOUT_TOKENS_SPENT):
            spent.popitem(last=False)
        ended = await self._sessions.end_named(whom, issued, "back-channel")  # and none that began after it
        spent[name] = now + 2 * LOGOUT_TOKEN_SECONDS  # only now: one that could not be obeyed comes again
        return ended

    def session(self, peer: PeerFacts) -> dict[str, Any]:
        """Return what a page may know of the browser's session."""
        session = self._sessions.one(peer.session) if peer.session else None
        if session is None or peer.session is None:
            return {"signed_in": False, "sign_in": LOGIN}
        return {"signed_in": True, "session": session.document(), "sessions": self._sessions.own(peer.session)}

    async def end(self, peer: PeerFacts, session_id: str) -> bool:
        """End another session of the same person, and return whether there was one. Raises Refusal."""
        owner = self._sessions.one(peer.session) if peer.session else None
        if owner is None:
            raise refuse(Code.USER_UNAUTHENTICATED, "no session")
        by = {"subject": owner.subject.id}
        return await self._sessions.end(session_id, "signed-out", by, owner=owner.id) is not None


def _once(query: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the pairs of a query by name. Raises Refusal when a name comes twice (RFC 6749 section 3.1)."""
    found = dict(query)
    if len(found) != len(query):
        raise refuse(Code.HTTP_MALFORMED, "a query key more than once")
    return found


def _wanted(asked: Mapping[str, str]) -> StepUp:
    """Return the level that a sign-in is asked for. It is only ever a wish: policy judges what comes of it."""
    acr_values, max_age = asked.get("acr_values", ""), asked.get("max_age")
    if len(acr_values) > _ACR_CHARS or not acr_values.isprintable():
        raise refuse(Code.HTTP_MALFORMED, "acr_values")
    if max_age is not None and not (_DIGITS.fullmatch(max_age) and int(max_age) <= _MAX_AGE):
        raise refuse(Code.HTTP_MALFORMED, "max_age")
    return StepUp(tuple(acr_values.split()), None if max_age is None else int(max_age))


def _said(error: SignInRefused | ProviderUnavailable) -> Refusal:
    code = Code.SIGN_IN_REFUSED if isinstance(error, SignInRefused) else Code.SIGN_IN_UNAVAILABLE
    refusal = refuse(code, error.cause)
    refusal.sign_in = LOGIN
    if code == Code.SIGN_IN_UNAVAILABLE:
        refusal.ways = ((EMERGENCY, "Use an emergency code"),)
    return refusal
