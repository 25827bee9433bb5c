import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from leadglass_agent.login import Client, LoginError, Tokens, discover, login, outside, revoke
from support.clock import FakeClock
from support.nativeidp import NativeIdp, native_idp, visit

NOW = FakeClock().now


@pytest_asyncio.fixture
async def idp() -> AsyncIterator[NativeIdp]:
    async with native_idp() as idp:
        yield idp


class Person:
    """Opens the address at once, as a browser does, or goes to `instead` of what the provider sends back."""

    def __init__(self) -> None:
        self.url = URL()
        self.page: asyncio.Task[tuple[int, str]] | None = None

    def __call__(self, url: str) -> None:
        self.url = URL(url)
        self.page = asyncio.ensure_future(visit(url))

    async def read(self) -> tuple[int, str]:
        assert self.page is not None
        return await self.page


async def test_a_person_signs_in(idp: NativeIdp) -> None:
    person = Person()
    client = Client(idp.issuer, "agent", acr="mfa")
    tokens, provider = await login(client, person, NOW)
    assert tokens == Tokens("access-1", "refresh-1", NOW() + 300)
    assert provider.revocation == f"{idp.issuer}/revoke"
    assert (await person.read())[0] == 200
    asked = person.url.query
    assert (asked["client_id"], asked["acr_values"], asked["code_challenge_method"]) == ("agent", "mfa", "S256")
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    (form,) = idp.forms
    assert (form["redirect_uri"], form["client_id"]) == (asked["redirect_uri"], "agent")
    assert "client_secret" not in form


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"back": {"iss": "https://another.example.org"}}, "another identity provider"),
        ({"back": {"iss": "-"}}, "another identity provider"),
        ({"back": {"code": "-", "error": "access_denied"}}, "said no: access_denied"),
        ({"back": {"code": "-", "error": "a<b>\x07"}}, r"said no: a<b>\?"),
        ({"error": "invalid_grant"}, "said no: invalid_grant"),
        ({"answer": {"access_token": None}}, "no bearer token"),
        ({"answer": {"token_type": "DPoP"}}, "no bearer token"),
        ({"answer": {"access_token": "a\r\nX-Other: b"}}, "no bearer token"),
        ({"answer": {"id_token": None}}, "another sign-in"),
        ({"answer": {"id_token": "h.e30.s"}}, "another sign-in"),
        ({"document": {"issuer": "https://another.example.org"}}, "calls itself another issuer"),
        ({"document": {"token_endpoint": "http://idp.example.org/token"}}, "token endpoint is not an https address"),
        ({"document": {"authorization_endpoint": "javascript:alert(1)"}}, "authorization endpoint is not an https"),
        ({"document": {"authorization_endpoint": None}}, "authorization endpoint is not an https"),
        ({"document": {"authorization_endpoint": "https://user@idp.example.org/"}}, "authorization endpoint is not"),
    ],
)
async def test_what_goes_wrong_signs_nobody_in(idp: NativeIdp, changes: dict[str, Any], why: str) -> None:
    for name, value in changes.items():
        setattr(idp, name, value)
    person = Person()
    with pytest.raises(LoginError, match=why):
        await login(Client(idp.issuer, "agent"), person, NOW)
    if "back" in changes:
        status, page = await person.read()
        assert (status, "Not signed in" in page, "<b>" in page) == (400, True, False)


async def test_a_page_that_was_not_sent_changes_nothing(idp: NativeIdp) -> None:
    tried = ("code=x&state=forged", "code=x", "error=access_denied&state=forged", "state=a&state=b")
    running: list[asyncio.Task[list[int]]] = []

    async def others_first(url: str) -> list[int]:
        back = URL(url).query["redirect_uri"]
        pages = [await visit(address) for address in (*(f"{back}?{query}" for query in tried), f"{back}/else")]
        await visit(url)
        return [status for status, _ in pages]

    def show(url: str) -> None:
        running.append(asyncio.create_task(others_first(url)))

    tokens, _ = await login(Client(idp.issuer, "agent"), show, NOW)
    assert tokens.access == "access-1"
    assert await running[0] == [404] * 5


async def test_nobody_comes_back(idp: NativeIdp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadglass_agent.login._PERSON_SECONDS", 0.05)
    with pytest.raises(LoginError, match="nobody signed in within"):
        await login(Client(idp.issuer, "agent"), lambda _: None, NOW)


async def test_the_port_is_closed_afterwards(idp: NativeIdp) -> None:
    person = Person()
    await login(Client(idp.issuer, "agent"), person, NOW)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", URL(person.url.query["redirect_uri"]).port)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        ({"expires_in": 60}, 60.0),
        ({"expires_in": None}, 60.0),
        ({"expires_in": True}, 60.0),
        ({"expires_in": -1}, 60.0),
    ],
)
async def test_a_lifetime_that_nobody_tells_is_a_minute(idp: NativeIdp, answer: dict[str, Any], ends: float) -> None:
    idp.answer = answer
    tokens, _ = await login(Client(idp.issuer, "agent"), Person(), NOW)
    assert tokens.expires == NOW() + ends


async def test_a_provider_that_is_away(idp: NativeIdp, unused_tcp_port: int) -> None:
    async with outside() as session:
        with pytest.raises(LoginError, match="cannot be reached"):
            await discover(session, f"http://127.0.0.1:{unused_tcp_port}")
        with pytest.raises(LoginError, match="something else than JSON"):
            await discover(session, f"{idp.issuer}/nothing")


async def test_a_sign_in_is_ended_at_the_provider(idp: NativeIdp) -> None:
    await revoke(f"{idp.issuer}/revoke", Client(idp.issuer, "agent"), "refresh-1")
    assert idp.forms == [{"token": "refresh-1", "token_type_hint": "refresh_token", "client_id": "agent"}]
    idp.error = "away"
    with pytest.raises(LoginError, match="answered 503"):
        await revoke(f"{idp.issuer}/revoke", Client(idp.issuer, "agent"), "refresh-1")
