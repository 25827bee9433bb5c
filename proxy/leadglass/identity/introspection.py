"""Token introspection (RFC 7662): asking the issuer about a token that says nothing by itself.

Each token is asked about once at a time, however many requests bring it, and only its issuer's own endpoint learns of
it. Nothing is remembered here: a yes is remembered by the caller for a bounded time, a no by nobody, so neither an
outage nor a guess can spoil a good token.
"""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote_plus

import aiohttp

from leadglass.clock import Clock
from leadglass.hazmat.jwk import strict_object
from leadglass.hazmat.jws import InvalidToken
from leadglass.hazmat.mac import sha256
from leadglass.identity.settings import IntrospectionSettings
from leadglass.limits import INTROSPECTION_BYTES, INTROSPECTION_SECONDS, INTROSPECTIONS
from leadglass.model.errors import LeadglassError
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.identity")
_OK: Final = 200
_QUIET_SECONDS: Final = 60.0


class IntrospectionFailed(LeadglassError):
    """The endpoint gave no usable answer, and why."""


class Ask(Protocol):
    """Puts one token to an endpoint."""

    async def __call__(self, settings: IntrospectionSettings, token: str) -> bytes:
        """Return the body of a 200 reply in JSON of at most INTROSPECTION_BYTES. Raises IntrospectionFailed."""
        ...


class HttpAsk:
    """POST with HTTP Basic client authentication, without redirects, cookies, proxies or patience."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, settings: IntrospectionSettings, token: str) -> bytes:
        """Return the body of a 200 reply in JSON of at most INTROSPECTION_BYTES. Raises IntrospectionFailed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=INTROSPECTION_SECONDS),
                connector=aiohttp.TCPConnector(limit=INTROSPECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        form = {"token": token, "token_type_hint": "access_token"}
        headers = {"Authorization": _basic(settings)}
        body = bytearray()
        try:
            async with self._session.post(settings.url, data=form, headers=headers, allow_redirects=False) as reply:
                if reply.status != _OK:
                    raise IntrospectionFailed(f"the endpoint answered {reply.status}")
                if reply.content_type != "application/json":
                    raise IntrospectionFailed("the endpoint answered with another media type than application/json")
                async for chunk in reply.content.iter_any():
                    body += chunk
                    if len(body) > INTROSPECTION_BYTES:
                        raise IntrospectionFailed(f"the endpoint sent more than {INTROSPECTION_BYTES} bytes")
        except TimeoutError:
            raise IntrospectionFailed(f"the endpoint took over {INTROSPECTION_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise IntrospectionFailed(f"the endpoint cannot be asked: {type(error).__name__}") from None
        return bytes(body)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _basic(settings: IntrospectionSettings) -> str:
    """RFC 6749 section 2.3.1: both are form-encoded before they become Basic."""
    who = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret.get_secret_value())}"
    return f"Basic {b64encode(who.encode()).decode()}"


class Introspection:
    """One issuer's endpoint. What it says of a token is taken for claims only when it says `active: true`.

    `problem` says why the last question was not answered, None when it was.
    """

    def __init__(self, issuer: str, settings: IntrospectionSettings, *, ask: Ask, clock: Clock, tasks: Tasks) -> None:
        self.issuer, self.settings = issuer, settings
        self._ask, self._clock, self._tasks = ask, clock, tasks
        self._quiet = float("-inf")  # monotonic seconds until which a failure is not said again
        self._running: dict[bytes, asyncio.Task[dict[str, Any] | str]] = {}
        self.problem: str | None = None

    async def claims(self, token: str) -> Mapping[str, Any]:
        """Return what the issuer says of an active token. Raises InvalidToken with the cause for everything else."""
        digest = sha256(token.encode())  # this object knows one endpoint and one client, so the token alone is the key
        running = self._running.get(digest)
        if running is None:
            if len(self._running) >= INTROSPECTIONS:
                raise InvalidToken("introspection: too many under way")
            running = self._running[digest] = self._tasks.spawn(self._answer(token), name=f"ask {self.issuer}")
            running.add_done_callback(lambda _: self._running.pop(digest, None))
        await asyncio.wait({running})  # a caller that is cancelled does not cancel it for the others
        if running.cancelled():
            raise InvalidToken("introspection: stopped")
        answer = running.result()
        if isinstance(answer, str):
            raise InvalidToken(f"introspection: {answer}")
        return answer

    async def _answer(self, token: str) -> dict[str, Any] | str:
        try:
            said = strict_object(await self._ask(self.settings, token))
        except IntrospectionFailed as error:
            return self._failed(str(error))
        except ValueError:
            return self._failed("the endpoint answered with something that is not JSON")
        self.problem = None
        if said.get("active") is not True:
            return "not active"
        if said.get("iss", self.issuer) != self.issuer:
            return "the token is another issuer's"
        return said

    def _failed(self, problem: str) -> str:
        if self._clock.monotonic() >= self._quiet:  # an outage must not fill the log
            self._quiet = self._clock.monotonic() + _QUIET_SECONDS
            _log.warning("issuer %s: introspection fails: %s; tokens not seen lately are refused", self.issuer, problem)
        self.problem = problem
        return problem
