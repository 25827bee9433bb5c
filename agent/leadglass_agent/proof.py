"""The proof port: lets the gateway's own pages ask which device they are open on (docs/device-protocol.md).

A browser tab shows no device certificate. The gateway gives its page a challenge, the page brings it here, and the
device key signs it for the gateway alone. The page must be of exactly the gateway's origin, which a browser says and no
page can; Host must be this port by its number; and the peer must be a program of the person who may use this device.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Iterable
from typing import Final, NoReturn

import orjson
from aiohttp import web

from leadglass_agent.callers import turned_away
from leadglass_agent.cors import Pages
from leadglass_agent.keys import DeviceKey, jws
from leadglass_agent.loopback import problem
from leadglass_agent.port import Port
from leadglass_agent.state import State

TYP: Final = "leadglass-device+jwt"
PATH: Final = "/v1/proof"
_MEMBERS: Final = frozenset({"nonce", "sid"})
_TEXT: Final = 256  # characters of each
_BODY_BYTES: Final = 2048
_BURST: Final = 10.0  # tabs of one person that wake together
_PER_SECOND: Final = 1.0
_RETRY_SECONDS: Final = 30.0
_log = logging.getLogger("leadglass_agent")


def proof(key: DeviceKey, state: State, *, nonce: str, sid: str, now: float) -> str:
    """Sign that the session `sid` of the gateway is open on this device. Only the gateway takes it, and once."""
    claims = {
        "aud": state.gateway,
        "nonce": nonce,
        "sid": sid,
        "iat": int(now),
        "jti": secrets.token_urlsafe(16),
        "ueid": state.device_id,
    }
    return jws(key, claims, typ=TYP, kid=state.device_id)


class ProofPort:
    """The port. `uids` may ask beside root; `now` is epoch seconds, `monotonic` counts for the rate."""

    def __init__(
        self,
        key: DeviceKey,
        state: State,
        port: int,
        *,
        uids: Iterable[int],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._key, self._state = key, state
        self._uids: Collection[int] = frozenset(uids) | {0}
        self._now, self._monotonic = now, monotonic
        self._tokens, self._filled = _BURST, monotonic()
        self._pages = Pages((state.gateway,), methods="POST", headers="Content-Type")
        self._listening = Port(self._handle, port, body=_BODY_BYTES, prepare=self._pages.share)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listening.number

    async def start(self) -> None:
        """Listen. Port 0 takes a free one. Raises OSError."""
        await self._listening.start()

    async def close(self) -> None:
        """Stop listening."""
        await self._listening.close()

    async def serve(self) -> NoReturn:
        """Listen until cancelled. A port that is taken is tried again: reporting goes on without it."""
        try:
            while True:
                try:
                    await self.start()
                    break
                except OSError as error:
                    await self.close()
                    _log.warning("pages are not answered: 127.0.0.1:%d: %s", self.port, error.strerror)
                    await asyncio.sleep(_RETRY_SECONDS)
            _log.info("pages of %s are answered on 127.0.0.1:%d", self._state.gateway, self.port)
            await asyncio.Event().wait()
            raise AssertionError("nobody sets it")
        finally:
            await self.close()

    async def _handle(self, request: web.Request) -> web.Response:
        if not self._pages.lists(request):
            _log.warning("proof port: turned away: no page of %s asked", self._state.gateway)
            return problem(403, "Not for you", "This port answers the gateway's own pages.", "Open the gateway's page.")
        return await self._answer(request)  # which the page may read, also one that says why not

    async def _answer(self, request: web.Request) -> web.Response:
        why = turned_away(request, self.port, self._uids, self._pages.origins)
        if why is not None:
            _log.warning("proof port: turned away: %s", why)
            return problem(
                403,
                "Turned away",
                f"The agent of this device does not answer this browser: {why}.",
                "Sign in to this computer as the person the device is for, or set viewer_user of the agent.",
            )
        if request.method == "OPTIONS":
            return self._pages.preflight(request)
        asked = (request.method, request.raw_path, request.headers.get("Content-Type"))
        if asked != ("POST", PATH, "application/json"):
            return problem(404, "Not found", f"A challenge is a POST of JSON to {PATH}.", "Reload the page.")
        if not self._spend():
            return problem(429, "Too fast", "This device was asked to sign too often.", "Wait a minute.")
        challenge = await _challenge(request)
        if challenge is None:
            return problem(400, "Not a challenge", "The page sent something else than a challenge.", "Reload the page.")
        signed = proof(self._key, self._state, **challenge, now=self._now())
        return web.json_response({"proof": signed}, headers={"Cache-Control": "no-store"})

    def _spend(self) -> bool:
        now = self._monotonic()
        self._tokens = min(_BURST, self._tokens + (now - self._filled) * _PER_SECOND)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


async def _challenge(request: web.Request) -> dict[str, str] | None:
    """Return the challenge in a body: exactly its members, short printable texts."""
    try:
        document = orjson.loads(await request.read())
    except (ValueError, web.HTTPRequestEntityTooLarge):
        return None
    if not isinstance(document, dict) or set(document) != _MEMBERS:
        return None
    texts = [text for text in document.values() if isinstance(text, str) and text.isascii() and text.isprintable()]
    return document if len(texts) == len(_MEMBERS) and all(0 < len(text) <= _TEXT for text in texts) else None
