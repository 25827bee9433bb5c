"""Signing the person in from a terminal: their browser asks the identity provider, and comes back to a port of this machine.

Authorization code with PKCE for a public client (RFC 8252, RFC 7636; OpenID Connect Core 1.0, section 3.1; RFC 9207). What
comes back is an access token for the gateway, which judges it, and a refresh token by which it is renewed (`signin`).
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson
from aiohttp import web

from leadglass_agent.gateway import read_bounded, unreachable
from leadglass_agent.port import Port
from leadglass_agent.token import expires, may_be_sent

_BYTES: Final = 256 * 1024
_SECONDS: Final = 20.0
_PERSON_SECONDS: Final = 300.0  # for the person to sign in
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_LIFETIME: Final = 60.0  # seconds that a token is good for when nobody says
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title><style>body{{font:1.1rem/1.6 system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem;"
    "color-scheme:light dark}}</style><main><h1>{title}</h1><p>{text}</p></main></html>"
)


class LoginError(Exception):
    """Nobody was signed in. `str()` says why, for people; `over` that no further try with the same grant will help."""

    def __init__(self, problem: str, *, over: bool = False) -> None:
        super().__init__(problem)
        self.over = over


@dataclass(frozen=True, slots=True)
class Client:
    """Whom the agent is at which identity provider, and how the person is to sign in (`acr`: values with spaces between)."""

    issuer: str
    client_id: str
    scope: str = "openid"
    acr: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """What an identity provider says of itself. `names_itself`: it puts `iss` into what the browser brings back."""

    authorization: str
    token: str
    revocation: str
    names_itself: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gave; `expires` is epoch seconds, `refresh` empty where there is none."""

    access: str
    refresh: str
    expires: float


@asynccontextmanager
async def outside() -> AsyncIterator[aiohttp.ClientSession]:
    """Lend a session for the identity provider: no cookies, no proxy of the environment, the system's authorities."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
        yield session


def _address(value: object, what: str) -> str:
    """Return an address that may be sent secrets: https, or a port of this machine. Raises LoginError."""
    text = value if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        safe, parts = False, urlsplit("")
    if not safe or not parts.hostname or "@" in parts.netloc or not text.isascii() or not text.isprintable():
        raise LoginError(f"{what} is not an https address")
    return text


async def discover(session: aiohttp.ClientSession, issuer: str) -> Provider:
    """Return what the issuer says of itself (OpenID Connect Discovery 1.0, section 4). Raises LoginError."""
    url = _address(issuer, "the issuer").rstrip("/") + "/.well-known/openid-configuration"
    document = await _ask(session, "GET", url)
    if document.get("issuer") != issuer:
        raise LoginError(f"what answers at {issuer} calls itself another issuer")
    revocation = document.get("revocation_endpoint")
    return Provider(
        _address(document.get("authorization_endpoint"), "the authorization endpoint"),
        _address(document.get("token_endpoint"), "the token endpoint"),
        _address(revocation, "the revocation endpoint") if revocation else "",
        document.get("authorization_response_iss_parameter_supported") is True,
    )


async def _ask(
    session: aiohttp.ClientSession, method: str, url: str, form: dict[str, str] | None = None
) -> dict[str, Any]:
    try:
        async with session.request(
            method, url, data=form, headers={"Accept": "application/json"}, allow_redirects=False
        ) as reply:
            data, status = await read_bounded(reply, _BYTES), reply.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise LoginError(str(unreachable(urlsplit(url).netloc, error))) from None
    try:
        document = orjson.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise LoginError(f"{urlsplit(url).netloc} answered {status} with something else than JSON")
    if status != 200:  # noqa: PLR2004 - HTTP
        code = str(document.get("error", status))[:64]
        raise LoginError(f"the identity provider said no: {_plain(code)}", over=code == "invalid_grant")
    return document


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() and character.isascii() else "?" for character in text)


async def granted(
    session: aiohttp.ClientSession, endpoint: str, form: dict[str, str], now: Callable[[], float]
) -> tuple[Tokens, str]:
    """Return what the token endpoint gives (RFC 6749, section 4.1.3 or 6), and the ID token. Raises LoginError."""
    asked = now()
    document = await _ask(session, "POST", endpoint, form)
    access, refresh, identity = (document.get(name) for name in ("access_token", "refresh_token", "id_token"))
    if (
        not isinstance(access, str)
        or not may_be_sent(access)
        or str(document.get("token_type", "")).lower() != "bearer"
    ):
        raise LoginError("the identity provider gave no bearer token")
    lasts = document.get("expires_in")
    known = isinstance(lasts, int | float) and not isinstance(lasts, bool) and lasts > 0
    ends = asked + float(lasts) if known and lasts is not None else expires(access) or asked + _LIFETIME
    return (
        Tokens(access, refresh if isinstance(refresh, str) else "", ends),
        identity if isinstance(identity, str) else "",
    )


def _nonce(identity: str) -> str:
    """Return the nonce of an ID token, empty when it tells none.

    The token came from the token endpoint itself, so that a look at its signature would say nothing more (OpenID Connect
    Core 1.0, section 3.1.3.7, 6).
    """
    try:
        payload = identity.split(".")[1]
        return str(orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["nonce"])
    except (IndexError, ValueError, KeyError, TypeError):
        return ""


class _Back:
    """The port that the browser comes back to, and what it brings. Takes one answer, that of its own `state`."""

    def __init__(self, client: Client, provider: Provider) -> None:
        self._client, self._provider = client, provider
        self.state = secrets.token_urlsafe(32)
        self._listening = Port(self._handle, 0)
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._listening.number}/callback"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        await self._listening.start()
        try:
            yield
        finally:
            await self._listening.close()

    async def code(self) -> str:
        """Wait for the person. Raises LoginError."""
        try:
            async with asyncio.timeout(_PERSON_SECONDS):
                return await self._code
        except TimeoutError:
            raise LoginError(f"nobody signed in within {_PERSON_SECONDS / 60:.0f} minutes") from None

    async def _handle(self, request: web.Request) -> web.Response:
        query = request.query
        given = query.getall("state", [])
        known = len(given) == 1 and hmac.compare_digest(given[0].encode(), self.state.encode())
        if request.path != "/callback" or request.method != "GET" or not known or self._code.done():
            return _page(404, "Nothing here", "This page belongs to no sign-in that is under way.")
        issuer = query.getall("iss", [])
        if (issuer or self._provider.names_itself) and issuer != [self._client.issuer]:
            return self._failed("the answer came from another identity provider")
        if "error" in query or len(query.getall("code", [])) != 1:
            return self._failed(f"the identity provider said no: {_plain(query.get('error', 'no code'))[:64]}")
        self._code.set_result(query["code"])
        return _page(200, "Signed in", "You can close this page and go on in your viewer.")

    def _failed(self, why: str) -> web.Response:
        self._code.set_exception(LoginError(why))
        return _page(400, "Not signed in", f"{why[:1].upper()}{why[1:]}. Try again from the terminal.")


def _page(status: int, title: str, text: str) -> web.Response:
    headers = {
        "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    }  # fmt: skip
    body = _PAGE.format(title=escape(title), text=escape(text))
    return web.Response(status=status, text=body, content_type="text/html", headers=headers)


async def login(client: Client, show: Callable[[str], None], now: Callable[[], float]) -> tuple[Tokens, Provider]:
    """Sign the person in; `show` is handed the address that their browser has to open. Raises LoginError."""
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    async with outside() as session:
        provider = await discover(session, client.issuer)
        back = _Back(client, provider)
        async with back.open():
            query = {
                "response_type": "code", "client_id": client.client_id, "redirect_uri": back.address,
                "scope": client.scope, "state": back.state, "nonce": nonce, "code_challenge": challenge,
                "code_challenge_method": "S256",
            } | ({"acr_values": client.acr} if client.acr else {})  # fmt: skip
            joint = "&" if urlsplit(provider.authorization).query else "?"
            show(f"{provider.authorization}{joint}{urlencode(query)}")
            code = await back.code()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": back.address,
            "client_id": client.client_id, "code_verifier": verifier,
        }  # fmt: skip
        tokens, identity = await granted(session, provider.token, form, now)
        if not hmac.compare_digest(_nonce(identity).encode(), nonce.encode()):
            raise LoginError("the identity provider answered for another sign-in")
        return tokens, provider


async def revoke(endpoint: str, client: Client, token: str) -> None:
    """Tell the identity provider that a refresh token is no longer needed (RFC 7009). Raises LoginError."""
    form = {"token": token, "token_type_hint": "refresh_token", "client_id": client.client_id}
    async with outside() as session:
        try:
            async with session.post(endpoint, data=form, allow_redirects=False) as reply:
                if reply.status != 200:  # noqa: PLR2004 - HTTP
                    raise LoginError(f"the identity provider answered {reply.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LoginError(str(unreachable(urlsplit(endpoint).netloc, error))) from None
