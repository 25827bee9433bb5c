"""A real OpenID Connect provider on loopback with real signatures, the faults that each test plants, and a browser."""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web

from leadglass.hazmat.jws import SigningKey
from support.clock import FakeClock
from support.device import Agent
from support.gateway import HOST, OWNER, Answer, Running, running
from support.signals import Transmitter

V1 = "/.leadglass/v1/"
DEVICE = V1 + "session/device"
ORIGIN = f"https://{HOST}"
CLIENT, SECRET = "gateway", "s3cret/with:colon"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
NAVIGATE = ("Sec-Fetch-Mode: navigate", "Accept: text/html,*/*;q=0.8")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Oidc:
    """The provider. `person` signs in whoever comes; `id_claims` and the like change what is said (... leaves out)."""

    clock: FakeClock
    key: SigningKey = field(default_factory=SigningKey.generate)
    url: str = ""
    person: str = OWNER
    roles: tuple[str, ...] = ("radiologist",)
    acr: str = "mfa"
    sid: str = "sid-1"
    seconds: int = 300
    refresh: bool = True
    down: bool = False
    auth_age: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)
    id_claims: dict[str, Any] = field(default_factory=dict)
    access_claims: dict[str, Any] = field(default_factory=dict)
    token_reply: dict[str, Any] = field(default_factory=dict)
    id_typ: str = "JWT"
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    keys: list[SigningKey] = field(default_factory=list)  # published in place of `key`
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refreshes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/revoke", self._revoke)
        return app

    async def _discovery(self, _: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        document = {
            "issuer": self.url, "jwks_uri": f"{self.url}/keys", "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token", "end_session_endpoint": f"{self.url}/end",
            "revocation_endpoint": f"{self.url}/revoke", "code_challenge_methods_supported": ["plain", "S256"],
            "authorization_response_iss_parameter_supported": True, **self.metadata,
        }  # fmt: skip
        return web.json_response(_less(document))

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [key.public_jwk() for key in self.keys or (self.key,)]})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        self.asked.append(("authorize", asked))
        assert asked["client_id"] == CLIENT
        assert asked["redirect_uri"] == f"{ORIGIN}{V1}callback"
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        said = _less({"code": code, "state": asked["state"], "iss": self.url, **self.response})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(said)}")

    async def _token(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=503)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(("token", form))
        pair = base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        assert pair == f"{quote(CLIENT, safe='')}:{quote(SECRET, safe='')}"
        if form["grant_type"] == "refresh_token":
            asked = self.refreshes.pop(form["refresh_token"], None)
        else:
            asked = self.codes.pop(form.get("code", ""), None)
            if asked is not None:
                assert form["redirect_uri"] == asked["redirect_uri"]
                assert b64(hashlib.sha256(form["code_verifier"].encode()).digest()) == asked["code_challenge"]
        if asked is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self.tokens(asked))

    def tokens(self, asked: Mapping[str, str]) -> dict[str, Any]:
        now = int(self.clock.now())
        base = {
            "iss": self.url, "sub": f"sub-{self.person}", "iat": now, "exp": now + self.seconds, "acr": self.acr,
            "auth_time": now - self.auth_age,
        }  # fmt: skip
        access = self.key.sign(
            _less({**base, "aud": "leadglass", "preferred_username": self.person, "roles": list(self.roles),
                   "jti": secrets.token_hex(8), **self.access_claims}), typ="at+jwt",
        )  # fmt: skip
        half = b64(hashlib.sha256(access.encode()).digest()[:16])
        claims = {**base, "aud": CLIENT, "azp": CLIENT, "nonce": asked["nonce"], "at_hash": half, "sid": self.sid}
        identity = self.key.sign(_less({**claims, **self.id_claims}), typ=self.id_typ)
        refresh = secrets.token_urlsafe(16)
        self.refreshes[refresh] = dict(asked)
        said = {"access_token": access, "id_token": identity, "token_type": "Bearer", "expires_in": self.seconds,
                "refresh_token": refresh if self.refresh else ..., **self.token_reply}  # fmt: skip
        return _less(said)

    async def _revoke(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(("revoke", form))
        return web.Response()

    def logout_token(self, typ: str = "logout+jwt", **claims: Any) -> str:  # noqa: ANN401 - claims
        now = int(self.clock.now())
        base = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8),
                "events": {LOGOUT: {}}, "sid": self.sid, **claims}  # fmt: skip
        return self.key.sign(_less(base), typ=typ)


def _less(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not ...}


@dataclass
class Browser:
    """A browser at the gateway: keeps cookies, follows nothing by itself."""

    run: Running
    cookies: dict[str, str] = field(default_factory=dict)
    device: bool = True  # whether its connections show the device's certificate, as no browser's do

    async def ask(self, target: str, *fields: str, method: str = "GET", body: bytes | None = None) -> Answer:
        shown = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = (f"Cookie: {shown}", *fields) if shown else fields
        answer = await self.run.ask(target, *given, method=method, body=body, token=None, device=self.device)
        self.keep(answer)
        return answer

    def keep(self, answer: Answer) -> None:
        line = answer.headers.get("set-cookie")
        if line is None:
            return
        pair, _, attributes = line.partition("; ")
        assert attributes.startswith("Path=/; Secure; HttpOnly; SameSite=Lax")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value

    async def look(self, target: str) -> Answer:
        return await self.ask(target, *NAVIGATE)

    async def post(self, path: str, form: Mapping[str, str], *fields: str) -> Answer:
        given = fields or (f"Origin: {ORIGIN}", "Sec-Fetch-Site: same-origin")
        kind = "Content-Type: application/x-www-form-urlencoded"
        return await self.ask(path, kind, *given, method="POST", body=urlencode(form).encode())

    async def challenge(self) -> dict[str, str]:
        """Return what the agent is to sign for this browser's session."""
        state = await self.ask(DEVICE)
        assert state.status == 200, state.body
        challenge: dict[str, str] = state.json["challenge"]
        return challenge

    async def prove(self, agent: Agent, **changes: Any) -> Answer:  # noqa: ANN401 - claims
        """Prove that this browser is open on the device of an agent."""
        signed = agent.proof(self.run.clock.now(), ORIGIN, await self.challenge(), **changes)
        return await self.show(signed)

    async def show(self, signed: str) -> Answer:
        """Show the gateway a proof, as our page does."""
        given = ("Content-Type: application/json", f"Origin: {ORIGIN}", "Sec-Fetch-Site: same-origin")
        return await self.ask(DEVICE, *given, method="POST", body=json.dumps({"proof": signed}).encode())

    async def login(self, query: str = "") -> str:
        """Begin, let the provider sign the person in, and return where it sends the browser back to."""
        begun = await self.look(V1 + "login" + query)
        assert begun.status == 303, begun.body
        async with (
            aiohttp.ClientSession() as session,
            session.get(begun.headers["location"], allow_redirects=False) as reply,
        ):
            return reply.headers["Location"].removeprefix(ORIGIN)

    async def sign_in(self, query: str = "") -> Answer:
        """Sign in whole and return the answer of the callback."""
        return await self.look(await self.login(query))


async def provider(clock: FakeClock, stack: AsyncExitStack, **fields: Any) -> Oidc:  # noqa: ANN401 - of Oidc
    """Let a provider listen."""
    oidc = Oidc(clock, **fields)
    runner = web.AppRunner(oidc.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    oidc.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return oidc


def with_login(oidc: Oidc, *more: Oidc, sessions: str = "", settings: str = "") -> Callable[[Path], None]:
    """Return the change that makes a site sign people in at these providers; `settings` are more lines of its file."""

    def issuer(one: Oidc) -> str:
        return (
            f"    - issuer: {one.url}\n      audience: leadglass\n      token_type: at+jwt\n"
            "      claims: {id: preferred_username, roles: roles}\n      mfa: {acr: [mfa], amr: [otp]}\n"
            f"      login: {{client_id: {CLIENT}, client_secret: 'file:secret'}}\n"
        )

    def change(folder: Path) -> None:
        (folder / "secret").write_text(SECRET)
        file = folder / "leadglass.yaml"
        text = file.read_text()
        text = text.replace("  issuers:\n", "  issuers:\n" + "".join(issuer(one) for one in (oidc, *more)))
        file.write_text(text + (f"sessions: {sessions}\n" if sessions else "") + settings)

    return change


@dataclass
class Site:
    """A gateway at which people sign in."""

    run: Running
    oidc: Oidc
    others: tuple[Oidc, ...]
    transmitter: Transmitter | None = None

    def browser(self) -> Browser:
        return Browser(self.run)

    async def signed_in(self, query: str = "") -> Browser:
        browser = self.browser()
        answer = await browser.sign_in(query)
        assert answer.status == 303, answer.body
        return browser

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [line["fields"] for line in self.run.record("event") if line["kind"] == kind]


@asynccontextmanager
async def site(
    folder: Path,
    *,
    providers: int = 1,
    sessions: str = "",
    events: bool = False,
    settings: str = "",
    gateway: Mapping[str, Any] | None = None,
    **fields: Any,  # noqa: ANN401 - of Oidc
) -> AsyncIterator[Site]:
    """Open providers and a gateway that signs people in there. `gateway` goes to `running`."""
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        first, *more = [await provider(clock, stack, **fields) for _ in range(providers)]
        transmitter = Transmitter(clock) if events else None
        login = with_login(first, *more, sessions=sessions, settings=settings)

        def change(site: Path) -> None:
            login(site)
            if transmitter is not None:
                transmitter.configured(first.url)(site)

        run = await stack.enter_async_context(
            running(folder, clock=clock, change=change, owner_issuer=first.url, **(gateway or {}))
        )
        yield Site(run, first, tuple(more), transmitter)


__all__ = ["CLIENT", "DEVICE", "LOGOUT", "NAVIGATE", "ORIGIN", "V1", "Browser", "Oidc", "Site", "site"]
