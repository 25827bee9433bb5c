"""Requests of browsers: a session in place of a token, and the way to sign in where one is missing or too weak."""

from dataclasses import replace

from leadglass.access.observing import charge
from leadglass.access.services import Services
from leadglass.access.signin import device_path, sign_in_path
from leadglass.codec import cookies, navigation, sameorigin
from leadglass.model.control import PeerFacts
from leadglass.model.errors import Refusal, refuse
from leadglass.model.facts import EMERGENCY, Subject
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest, RawHead

_UNAUTHORIZED = 401


async def by_session(services: Services, request: CleanRequest, cookie: str, ip: str) -> Subject:
    """Return whose session a request shows.

    Raises Refusal: `two-credentials` beside a token, `origin-refused`, `user-unauthenticated`, `sign-in-unavailable`, and
    `rate-limited` for a source that failed too often.
    """
    if request.headers.get("authorization") is not None:
        raise refuse(Code.TWO_CREDENTIALS, "a session cookie beside Authorization")
    sameorigin.check(request, services.authorities[request.authority])
    return await by_secret(services, cookie, ip)


async def by_secret(services: Services, secret: str, ip: str, *, coded: bool = False) -> Subject:
    """Return whose session it is that this secret opens; with `coded`, only one that an emergency code began.

    Raises Refusal `user-unauthenticated`, `sign-in-unavailable`, and `rate-limited` for a source that failed too often.
    """
    subject = services.sessions.cached(secret)
    if subject is None:
        services.strangers.demand(ip)
        try:
            subject = await services.sessions.authenticate(secret)
        except Refusal:
            charge(services, ip)
            raise
    if coded and subject.issuer != EMERGENCY:
        charge(services, ip)
        raise refuse(Code.USER_UNAUTHENTICATED, "the secret of a browser session in Authorization")
    return subject


def invite(services: Services, head: RawHead, refusal: Refusal) -> None:
    """Show whoever was refused for who they are, how they signed in, or on which device, the way there and back."""
    if not services.sign_in or any(name == b"authorization" for name, _ in head.fields):
        return
    target, reason = head.target.decode("ascii", "replace"), refusal.causes[0].reason
    if refusal.step_up is not None or reason.status == _UNAUTHORIZED:
        refusal.sign_in = sign_in_path(target, refusal.step_up)
    elif reason.code == Code.DEVICE_REQUIRED and any(name == b"cookie" for name, _ in head.fields):
        refusal.sign_in = device_path(target)


def shown(services: Services, request: CleanRequest, facts: PeerFacts) -> PeerFacts:
    """Return `facts` with what the control side is told of a browser's request. Raises Refusal."""
    get, origin = request.headers.get, services.authorities[request.authority]
    sameorigin.check(request, origin)
    mode, cookie = get("sec-fetch-mode"), get("cookie")
    return replace(
        facts,
        origin=origin,
        session=services.sessions.known(cookies.value(cookie, cookies.SESSION)),
        login=cookies.value(cookie, cookies.LOGIN) or None,
        query=request.query,
        page=mode == "navigate" or navigation.wants_page(request.method, mode, get("accept") or ""),
    )
