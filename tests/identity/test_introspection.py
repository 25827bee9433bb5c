"""Opaque tokens: what the issuer says of them, and what is made of everything else that it could say."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from pydantic import ValidationError

from leadglass.epochs import Epochs
from leadglass.identity.identity import STEPS, Identity
from leadglass.identity.settings import IdentitySettings, IntrospectionSettings
from leadglass.limits import INTROSPECTION_BYTES, INTROSPECTIONS, OPAQUE_TOKEN_BYTES
from leadglass.model.credentials import Evidence
from leadglass.model.errors import Refusal
from support.clock import FakeClock
from support.dpop import URL, Client
from support.idp import NOW, Provider, claims, token

Build = Callable[..., Identity]
ISSUER = "https://idp.example.org"
SECRET = "s:e/c r+et"
TOKEN = "2YotnFZFEjr1zCsicMWpAA"


@dataclass
class Endpoint:
    """An introspection endpoint that says what each test wants."""

    url: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    reply: Callable[[str], web.StreamResponse] = field(default=lambda _: answer())
    gate: asyncio.Event | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        form = parse_qs(await request.text())
        self.asked.append(form)
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.gate is not None:
            await self.gate.wait()
        return self.reply(form["token"][0])


def answer(**more: object) -> web.Response:
    """Say that a token is active; a claim of ... is left out."""
    document = {**claims(ISSUER), "active": True, "token_type": "Bearer", **more}
    return web.json_response({name: value for name, value in document.items() if value is not ...})


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_post("/introspect", endpoint.serve)
    app.router.add_post("/elsewhere", endpoint.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/introspect"
    yield endpoint
    if endpoint.gate is not None:
        endpoint.gate.set()
    await runner.cleanup()


def settings_for(url: str, **more: object) -> dict[str, Any]:
    return {
        "issuer": ISSUER,
        "audience": "leadglass",
        "jwks": "http://127.0.0.1:9/keys",
        "claims": {"id": "preferred_username", "roles": "realm_access.roles"},
        "introspection": {"url": url, "client_id": "lead glass", "client_secret": "env:SECRET", **more},
    }


@pytest.fixture
async def make(clock: FakeClock, endpoint: Endpoint, epochs: Epochs) -> AsyncIterator[Build]:
    made: list[Identity] = []

    def build(*more: dict[str, Any], **introspection: object) -> Identity:
        issuers = [settings_for(endpoint.url, **introspection), *more]
        context = {"base": None, "environ": {"SECRET": SECRET}}
        settings = IdentitySettings.model_validate_json(json.dumps({"issuers": issuers}), context=context)
        made.append(Identity(settings, clock=clock, epochs=epochs))
        return made[-1]

    yield build
    for identity in made:
        await identity.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is awaited is another program's doing
            await asyncio.sleep(0.001)


async def refused(identity: Identity, opaque: str = TOKEN, evidence: Evidence | None = None) -> str:
    with pytest.raises(Refusal) as caught:
        await identity.authenticate(f"Bearer {opaque}", evidence or Evidence())
    assert caught.value.causes[0].reason.code == "user-unauthenticated"
    assert opaque not in caught.value.detail or len(opaque) < 8
    return caught.value.detail


async def test_an_active_token_is_mapped_as_any_other(make: Build, endpoint: Endpoint) -> None:
    identity = make()
    who = await identity.authenticate(f"Bearer {TOKEN}")
    assert (who.id, who.roles, who.issuer, who.expires) == ("dr.demo", ("radiologist",), ISSUER, NOW + 300)
    assert endpoint.asked == [{"token": [TOKEN], "token_type_hint": ["access_token"]}]
    basic = base64.b64decode(endpoint.authorizations[0].removeprefix("Basic ")).decode()
    assert basic == "lead+glass:s%3Ae%2Fc+r%2Bet"
    assert identity.cached(f"Bearer {TOKEN}") is who
    assert (await identity.authenticate(f"Bearer {TOKEN}")) is who
    assert len(endpoint.asked) == 1
    steps, explained = await identity.explain(TOKEN)
    assert explained == who
    assert [step.name for step in steps] == list(STEPS)


def bomb() -> web.Response:
    return web.Response(body=b"[" * (INTROSPECTION_BYTES + 1), content_type="application/json")


ANSWERS: dict[str, tuple[Callable[[], web.StreamResponse], str]] = {
    "inactive": (lambda: web.json_response({"active": False}), "introspection: not active"),
    "inactive, with claims": (lambda: answer(active=False), "introspection: not active"),
    "active missing": (lambda: answer(active=...), "introspection: not active"),
    "active as text": (lambda: answer(active="true"), "introspection: not active"),
    "active as a number": (lambda: answer(active=1), "introspection: not active"),
    "another issuer's": (lambda: answer(iss="https://evil.example"), "introspection: the token is another issuer's"),
    "issuer null": (lambda: answer(iss=None), "introspection: the token is another issuer's"),
    "expired": (lambda: answer(exp=NOW), "expired"),
    "exp missing": (lambda: answer(exp=...), "exp missing"),
    "exp as text": (lambda: answer(exp=str(NOW + 9)), "exp is not a time"),
    "not yet": (lambda: answer(nbf=NOW + 31), "not yet valid"),
    "aud missing": (lambda: answer(aud=...), "aud missing"),
    "aud another's": (lambda: answer(aud="account"), "aud is another's"),
    "refresh token": (lambda: answer(typ="Refresh"), "a token of kind refresh"),
    "id missing": (lambda: answer(preferred_username=...), "claim preferred_username is missing"),
    "roles as text": (lambda: answer(realm_access={"roles": "admin"}), "claim realm_access.roles"),
    "DPoP without its key": (lambda: answer(token_type="DPoP"), "of type DPoP"),
    "cnf unknown": (lambda: answer(cnf={"kid": "x"}), "bound to a key (cnf) in a way"),
    "duplicate name": (
        lambda: web.Response(body=b'{"active":false,"active":true}', content_type="application/json"),
        "introspection: the endpoint answered with something",
    ),
    "not an object": (lambda: web.json_response([True]), "introspection: the endpoint answered with something"),
    "empty": (lambda: web.Response(content_type="application/json"), "introspection: the endpoint answered with some"),
    "another media type": (
        lambda: web.Response(body=b'{"active":true}', content_type="application/token-introspection+jwt"),
        "introspection: the endpoint answered with another media type",
    ),
    "too large": (bomb, "introspection: the endpoint sent more than"),
    "compressed": (
        lambda: web.Response(body=b"\x1f\x8b", content_type="application/json", headers={"Content-Encoding": "gzip"}),
        "introspection: the endpoint answered with something",
    ),
    "401": (lambda: web.json_response({"active": True}, status=401), "introspection: the endpoint answered 401"),
    "500": (lambda: web.json_response({"active": True}, status=500), "introspection: the endpoint answered 500"),
    "redirect": (
        lambda: web.Response(status=307, headers={"Location": "/elsewhere"}),
        "introspection: the endpoint answered 307",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_anything_but_a_plain_yes_is_a_no_and_forgotten(make: Build, endpoint: Endpoint, name: str) -> None:
    identity = make()
    reply, cause = ANSWERS[name]
    endpoint.reply = lambda _: reply()
    assert (await refused(identity)).startswith(cause)
    assert len(endpoint.asked) == 1
    endpoint.reply = lambda _: answer()
    assert (await identity.authenticate(f"Bearer {TOKEN}")).id == "dr.demo"  # no memory of the no


@pytest.mark.parametrize(
    "opaque",
    ["a.b.c", "x y", "x\x7f", "", "a=b", "===", "x" * (OPAQUE_TOKEN_BYTES + 1), "\u00e9", 'x"'],
    ids=["jwt", "space", "control", "empty", "equals inside", "equals", "oversize", "not ASCII", "quote"],
)
async def test_what_is_no_opaque_token_is_asked_of_nobody(make: Build, endpoint: Endpoint, opaque: str) -> None:
    await refused(make(), opaque)
    assert endpoint.asked == []


async def test_a_yes_is_good_for_its_time_and_never_beyond_exp(
    make: Build, endpoint: Endpoint, clock: FakeClock
) -> None:
    identity = make(cache_seconds=60)
    endpoint.reply = lambda _: answer(exp=NOW + 90)
    header = f"Bearer {TOKEN}"
    await identity.authenticate(header)
    clock.advance(59)
    assert identity.cached(header) is not None
    clock.advance(1)
    assert identity.cached(header) is None
    await identity.authenticate(header)
    clock.advance(29.9)
    assert identity.cached(header) is not None
    clock.advance(0.1)  # exp: no leeway
    assert identity.cached(header) is None
    assert await refused(identity) == "expired"


async def test_an_outage_refuses_what_is_not_remembered_and_recovers(
    make: Build, endpoint: Endpoint, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    served, endpoint.url = endpoint.url, "http://127.0.0.1:9/introspect"
    identity = make()
    with caplog.at_level(logging.WARNING, "leadglass.identity"):
        for _ in range(3):
            assert (await refused(identity)).startswith("introspection: the endpoint cannot be asked")
    assert len(caplog.records) == 1
    assert TOKEN not in caplog.text
    assert SECRET not in caplog.text
    endpoint.url = served
    identity = make(cache_seconds=60)
    await identity.authenticate(f"Bearer {TOKEN}")
    endpoint.reply = lambda _: web.Response(status=503)
    assert identity.cached(f"Bearer {TOKEN}") is not None
    clock.advance(60)
    await refused(identity)
    assert identity.problems()[ISSUER]
    endpoint.reply = lambda _: answer()
    await identity.authenticate(f"Bearer {TOKEN}")


async def test_many_requests_with_one_token_ask_once(make: Build, endpoint: Endpoint) -> None:
    identity, endpoint.gate = make(), asyncio.Event()
    waiting = [asyncio.ensure_future(identity.authenticate(f"Bearer {TOKEN}")) for _ in range(20)]
    await until(lambda: bool(endpoint.asked))
    waiting[0].cancel()  # whoever asked first leaves; the others get their answer
    endpoint.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert {who.id for who in found[1:] if not isinstance(who, BaseException)} == {"dr.demo"}
    assert len(endpoint.asked) == 1


async def test_two_tokens_never_share_an_answer(make: Build, endpoint: Endpoint) -> None:
    identity, endpoint.gate = make(), asyncio.Event()
    endpoint.reply = lambda opaque: answer(preferred_username=f"owner-of-{opaque}")
    names = ["a", "ab", "c", "bc", "abc", "A"]
    waiting = [asyncio.ensure_future(identity.authenticate(f"Bearer {name}")) for name in names]
    await until(lambda: len(endpoint.asked) == len(names))
    endpoint.gate.set()
    assert [who.id for who in await asyncio.gather(*waiting)] == [f"owner-of-{name}" for name in names]


async def test_a_flood_of_guesses_is_bounded(make: Build, endpoint: Endpoint) -> None:
    identity, endpoint.gate = make(), asyncio.Event()
    endpoint.reply = lambda _: web.json_response({"active": False})
    waiting = [
        asyncio.ensure_future(identity.authenticate(f"Bearer guess{number}")) for number in range(INTROSPECTIONS + 3)
    ]
    await until(lambda: sum(task.done() for task in waiting) >= 3)
    endpoint.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    details = [error.detail for error in found if isinstance(error, Refusal)]
    assert details.count("introspection: too many under way") == 3
    assert len(details) == len(waiting)


async def test_an_opaque_token_may_be_bound(make: Build, endpoint: Endpoint) -> None:
    identity, client = make(), Client()
    endpoint.reply = lambda _: answer(token_type="DPoP", cnf={"jkt": client.jkt})
    assert (await refused(identity)).startswith("bound to a DPoP key")
    nonce = identity._proofs.nonces.new()
    evidence = Evidence("GET", URL, client.proof(TOKEN, nonce=nonce))
    assert (await identity.authenticate(f"DPoP {TOKEN}", evidence)).id == "dr.demo"


async def test_jwts_of_other_issuers_are_judged_here(make: Build, endpoint: Endpoint, provider: Provider) -> None:
    identity = make({"issuer": provider.url, "audience": "leadglass"})
    assert (await identity.authenticate(f"Bearer {token(provider.url)}")).issuer == provider.url
    assert endpoint.asked == []


async def test_closing_leaves_nobody_waiting(make: Build, endpoint: Endpoint) -> None:
    identity, endpoint.gate = make(), asyncio.Event()
    waiting = asyncio.ensure_future(identity.authenticate(f"Bearer {TOKEN}"))
    await until(lambda: bool(endpoint.asked))
    await identity.close()
    with pytest.raises(Refusal) as caught:
        await waiting
    assert caught.value.detail == "introspection: stopped"


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example.org/i",
        "https://user:pw@idp.example.org/i",
        "ftp://127.0.0.1/",
        "idp",
        "https://idp.example/#x",
    ],
)
def test_the_endpoint_is_https(url: str) -> None:
    with pytest.raises(ValidationError):
        IntrospectionSettings.model_validate(
            {"url": url, "client_id": "x", "client_secret": "env:S"}, context={"base": None, "environ": {"S": "s"}}
        )


def test_one_issuer_alone_may_have_it() -> None:
    first = settings_for("https://idp.example.org/introspect")
    context = {"base": None, "environ": {"SECRET": SECRET}}
    both = {"issuers": [first, {**first, "issuer": "https://other.example"}]}
    with pytest.raises(ValidationError, match="one issuer alone"):
        IdentitySettings.model_validate_json(json.dumps(both), context=context)


def test_the_secret_is_in_no_text(endpoint_settings: IntrospectionSettings) -> None:
    assert SECRET not in repr(endpoint_settings)


@pytest.fixture
def endpoint_settings() -> IntrospectionSettings:
    return IntrospectionSettings.model_validate(
        {"url": "https://idp.example.org/i", "client_id": "x", "client_secret": "env:S"},
        context={"base": None, "environ": {"S": SECRET}},
    )
