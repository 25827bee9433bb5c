"""An identity provider for a program on the person's machine: one public client, codes bound to PKCE, tokens that rotate.

What the real thing does not do on demand is asked for by its fields.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from support.device import b64u


@dataclass
class NativeIdp:
    """`document` and `answer` replace members of what it says; a member of None is left out."""

    issuer: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)  # of what the browser brings back
    error: str = ""  # what the token endpoint refuses with
    forms: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    async def _discovery(self, _: web.Request) -> web.Response:
        said = {
            "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token", "revocation_endpoint": f"{self.issuer}/revoke",
            "authorization_response_iss_parameter_supported": True, **self.document,
        }  # fmt: skip
        return web.json_response({name: value for name, value in said.items() if value is not None})

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        brought = {"code": code, "state": asked["state"], "iss": self.issuer, **self.back}
        kept = {name: value for name, value in brought.items() if value != "-"}
        raise web.HTTPFound(URL(asked["redirect_uri"]).with_query(kept))

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        if self.error:
            return web.json_response({"error": self.error}, status=400)
        asked = self._codes.get(form.get("code", ""), {})
        if form["grant_type"] == "authorization_code":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
                return web.json_response({"error": "invalid_grant"}, status=400)
        identity = f"h.{b64u(json.dumps({'nonce': asked.get('nonce')}).encode())}.s"
        number = len(self.forms)
        given = {
            "access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "id_token": identity,
            "token_type": "Bearer", "expires_in": 300, **self.answer,
        }  # fmt: skip
        return web.json_response({name: value for name, value in given.items() if value is not None})

    async def _revoke(self, request: web.Request) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response(status=503 if self.error else 200)


@asynccontextmanager
async def native_idp() -> AsyncIterator[NativeIdp]:
    """Listen on a free port of loopback for the time of the block."""
    idp = NativeIdp()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", idp._discovery)
    app.router.add_get("/authorize", idp._authorize)
    app.router.add_post("/token", idp._token)
    app.router.add_post("/revoke", idp._revoke)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    idp.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield idp
    finally:
        await runner.cleanup()


async def visit(url: str) -> tuple[int, str]:
    """Go where a browser goes that is shown an address, and return what the person reads at the end."""
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return reply.status, await reply.text()
