"""A local identity provider that does what each test tells it to, and the tokens of its people."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from support.tokens import ec_jwk, ec_key, forge, jwks, sign_es

NOW = 1_800_000_000


@dataclass
class Provider:
    """Discovery and keys; `keys_reply` and `discovery_reply` are what it answers, `hits` counts fetches of keys."""

    url: str = ""
    hits: int = 0
    keys_reply: Callable[[], web.StreamResponse] = field(default=lambda: web.Response(body=jwks(ec_jwk(ec_key()))))
    discovery: Callable[[], Any] | None = None
    gate: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, *keys: dict[str, Any]) -> None:
        self.keys_reply = lambda: web.Response(body=jwks(*keys))

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.keys_reply = lambda: web.Response(body=body, status=status, headers=headers)

    async def serve_keys(self, _: web.Request) -> web.StreamResponse:
        self.hits += 1
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        return self.keys_reply()

    async def serve_moved(self, _: web.Request) -> web.StreamResponse:
        """Where a redirect leads: good keys of someone else."""
        return web.Response(body=jwks(ec_jwk(ec_key("P-256", "elsewhere"), "elsewhere")))

    async def serve_discovery(self, _: web.Request) -> web.StreamResponse:
        document = self.discovery() if self.discovery else {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return web.Response(body=json.dumps(document))


def claims(issuer: str, **more: object) -> dict[str, Any]:
    """Claims of a good access token, changed by `more`; a value of ... leaves the claim out."""
    base = {
        "iss": issuer,
        "aud": "leadglass",
        "exp": NOW + 300,
        "iat": NOW,
        "sub": "5f1c",
        "preferred_username": "dr.demo",
        "realm_access": {"roles": ["radiologist"]},
        **more,
    }
    return {name: value for name, value in base.items() if value is not ...}


def token(issuer: str, *, kid: object = "ec", key: str = "a", typ: object = "JWT", **more: object) -> str:
    """An access token signed with ES256 by the key `key`."""
    header = {"alg": "ES256", "typ": typ, "kid": kid}
    return forge(header, claims(issuer, **more), sign_es(ec_key("P-256", key)))
