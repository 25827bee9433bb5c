"""Sign-ins under way (RFC 9700 section 4.7): bound to the browser, good once, and kept by nobody but the browser.

The `state` is the transaction itself, sealed, and opens only together with the browser's sign-in cookie. So a flood of
begun sign-ins costs no memory and pushes out nobody's, tabs do not disturb each other, and a restart loses none. Nonce
and PKCE verifier are derived from the cookie: neither ever travels but where OpenID Connect sends it.
"""

import secrets
from collections import OrderedDict
from typing import Final

import orjson

from leadglass.clock import Clock
from leadglass.hazmat.aead import Box, Unsealable
from leadglass.hazmat.mac import b64u, from_b64u, mac, sha256
from leadglass.limits import SIGN_IN_SECONDS, SIGN_INS_SPENT
from leadglass.model.errors import StepUp
from leadglass.model.login import Attempt, SignInRefused

_STATE_CHARS: Final = 6000


class Transactions:
    """Begins sign-ins and knows them again."""

    def __init__(self, box: Box, clock: Clock) -> None:
        self._box, self._clock = box, clock
        self._spent: OrderedDict[str, float] = OrderedDict()

    def begin(self, issuer: str, landing: str | None, step_up: StepUp) -> Attempt:
        """Return a new sign-in."""
        return Attempt(secrets.token_hex(16), issuer, landing, step_up, self._clock.now())

    def state(self, attempt: Attempt, cookie: str, origin: str) -> str:
        """Return the `state` of a sign-in that this browser began at this origin."""
        plain = orjson.dumps(
            [
                attempt.id,
                attempt.issuer,
                attempt.landing,
                attempt.step_up.acr_values,
                attempt.step_up.max_age,
                attempt.started,
            ]
        )
        return b64u(self._box.seal(plain, _place(cookie, origin)))

    def spend(self, state: str | None, cookie: str | None, origin: str) -> Attempt:
        """Return the sign-in that came back, once. Raises SignInRefused."""
        if not state or len(state) > _STATE_CHARS:
            raise SignInRefused("no state")
        if not cookie:
            raise SignInRefused("no sign-in cookie: begun in another browser, or cookies are off")
        try:
            plain = orjson.loads(self._box.open(from_b64u(state), _place(cookie, origin)))
        except (Unsealable, ValueError):
            raise SignInRefused("state is not of this browser") from None
        name, issuer, landing, acr_values, max_age, started = plain
        now = self._clock.now()
        if not started <= now < started + SIGN_IN_SECONDS:
            raise SignInRefused("state has expired")
        if name in self._spent:
            raise SignInRefused("state was used before")
        self._forget(now)
        self._spent[name] = started + SIGN_IN_SECONDS
        return Attempt(name, issuer, landing, StepUp(tuple(acr_values), max_age), started)

    def _forget(self, now: float) -> None:
        spent = self._spent
        while spent and (next(iter(spent.values())) <= now or len(spent) >= SIGN_INS_SPENT):
            spent.popitem(last=False)


def nonce(cookie: str, attempt: Attempt) -> str:
    """Return the OpenID Connect nonce of a sign-in."""
    return b64u(mac(from_b64u(cookie), f"nonce {attempt.id}".encode()))


def verifier(cookie: str, attempt: Attempt) -> str:
    """Return the PKCE code verifier of a sign-in (RFC 7636 section 4.1), 43 characters."""
    return b64u(mac(from_b64u(cookie), f"verifier {attempt.id}".encode()))


def new_cookie() -> str:
    """Return a value for the sign-in cookie, or for that of a session: 256 random bits."""
    return b64u(secrets.token_bytes(32))


def _place(cookie: str, origin: str) -> bytes:
    return b"sign-in\0" + sha256(cookie.encode()) + origin.encode()
