import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent.test_cli import Program
from leadglass_agent import signin
from leadglass_agent.state import Folder
from support.nativeidp import NativeIdp, native_idp, visit


@pytest_asyncio.fixture
async def idp() -> AsyncIterator[NativeIdp]:
    async with native_idp() as idp:
        yield idp


@pytest.fixture
def agent(tmp_path: Path) -> Program:
    return Program(tmp_path / "agent")


async def signs_in(agent: Program, *words: str) -> tuple[int, str]:
    """Start `login`, open the address it prints, and return its code and what it said."""
    process = await agent.start("login", "--no-browser", *words)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        first, url = await process.stdout.readline(), await process.stdout.readline()
        assert first == b"Sign in here:\n"
        await visit(url.decode().strip())
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_in_and_out_again(agent: Program, idp: NativeIdp) -> None:
    given = ("--issuer", idp.issuer, "--client-id", "agent")
    assert await signs_in(agent, *given) == (0, "signed in; it is renewed by itself\n")
    kept = signin.load(Folder(agent.state))
    assert kept is not None
    assert (kept.access_token, kept.refresh_token, kept.client_id) == ("access-1", "refresh-1", "agent")
    assert await signs_in(agent) == (0, "signed in; it is renewed by itself\n")  # as the time before
    assert (await agent("logout"))[:2] == (0, "signed out\n")
    assert idp.forms[-1]["token"] == "refresh-2"
    assert signin.load(Folder(agent.state)) is None


async def test_a_sign_in_that_cannot_be_renewed_says_so(agent: Program, idp: NativeIdp) -> None:
    idp.answer = {"refresh_token": None}
    agent.state.mkdir(mode=0o700)
    (agent.state / "agent.toml").write_text(f'issuer = "{idp.issuer}"\nclient_id = "agent"\n')
    assert await signs_in(agent) == (0, "signed in; it ends by itself: the provider gives no refresh token\n")


async def test_a_provider_that_does_not_hear_of_the_end(agent: Program, idp: NativeIdp) -> None:
    await signs_in(agent, "--issuer", idp.issuer, "--client-id", "agent")
    idp.error = "away"
    code, _, err = await agent("logout")
    assert (code, "forgotten here, not at the identity provider" in err) == (3, True)
    assert signin.load(Folder(agent.state)) is None
