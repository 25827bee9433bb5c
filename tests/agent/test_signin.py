import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from leadglass_agent import signin
from leadglass_agent.login import Tokens, granted
from leadglass_agent.signin import FILE, SignedInToken, SignIn
from leadglass_agent.state import Folder
from leadglass_agent.token import NoToken
from support.clock import FakeClock
from support.nativeidp import NativeIdp, native_idp


@pytest_asyncio.fixture
async def idp() -> AsyncIterator[NativeIdp]:
    async with native_idp() as idp:
        yield idp


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "agent")
    folder.prepare()
    return folder


def kept(idp: NativeIdp, expires: float) -> SignIn:
    return SignIn(idp.issuer, "agent", "openid", "", f"{idp.issuer}/token", "", "access-0", "refresh-0", expires)


async def test_it_is_renewed_once_for_many_that_ask_and_kept(idp: NativeIdp, folder: Folder) -> None:
    clock = FakeClock()
    signin.save(folder, kept(idp, clock.now() + 100))
    source = SignedInToken(folder, clock.now)
    assert await source.token() == "access-0"
    clock.advance(80)
    assert set(await asyncio.gather(*(source.token() for _ in range(5)))) == {"access-1"}
    assert [form["refresh_token"] for form in idp.forms] == ["refresh-0"]
    found = signin.load(folder)
    assert found == replace(kept(idp, clock.now() + 300), access_token="access-1", refresh_token="refresh-1")
    assert stat.S_IMODE((folder.path / FILE).stat().st_mode) == 0o600


async def test_a_refresh_token_that_does_not_rotate_stays(idp: NativeIdp, folder: Folder) -> None:
    idp.answer = {"refresh_token": None}
    signin.save(folder, kept(idp, 0))
    assert await SignedInToken(folder, FakeClock().now).token() == "access-1"
    found = signin.load(folder)
    assert found is not None
    assert found.refresh_token == "refresh-0"


async def test_a_sign_in_that_ended_says_what_to_do(idp: NativeIdp, folder: Folder) -> None:
    clock = FakeClock()
    idp.error = "invalid_grant"
    signin.save(folder, kept(idp, clock.now() + 10))
    with pytest.raises(NoToken, match="leadglass-agent login"):
        await SignedInToken(folder, clock.now).token()
    signin.save(folder, replace(kept(idp, 0), refresh_token=""))
    with pytest.raises(NoToken, match="has ended; sign in anew"):
        await SignedInToken(folder, clock.now).token()


async def test_a_provider_that_is_away_leaves_what_is_still_good(idp: NativeIdp, folder: Folder) -> None:
    clock = FakeClock()
    idp.error = "temporarily_unavailable"
    signin.save(folder, kept(idp, clock.now() + 10))
    source = SignedInToken(folder, clock.now)
    assert await source.token() == "access-0"
    clock.advance(11)
    with pytest.raises(NoToken, match="temporarily_unavailable"):
        await source.token()


async def test_somebody_who_signed_in_anew_meanwhile(
    idp: NativeIdp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    idp.error = "invalid_grant"
    signin.save(folder, kept(idp, 0))
    source = SignedInToken(folder, clock.now)
    renew = source._renewed

    async def after_a_login(old: SignIn) -> SignIn:
        signin.save(folder, replace(old, access_token="new", expires=clock.now() + 60))
        return await renew(old)

    monkeypatch.setattr(source, "_renewed", after_a_login)
    assert await source.token() == "new"


@pytest.mark.parametrize("then", ["out", "as another"])
async def test_whoever_signs_out_or_in_anew_while_it_is_renewed_has_the_last_word(
    idp: NativeIdp, folder: Folder, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    clock = FakeClock()
    another = replace(kept(idp, clock.now() + 60), access_token="of another") if then == "as another" else None

    async def meanwhile(*asked: Any) -> tuple[Tokens, str]:  # noqa: ANN401 - passed on
        given = await granted(*asked)
        signin.save(folder, another)
        return given

    monkeypatch.setattr(signin, "granted", meanwhile)
    signin.save(folder, kept(idp, clock.now() + 10))
    source = SignedInToken(folder, clock.now)
    if another is None:
        with pytest.raises(NoToken, match="nobody has signed in"):
            await source.token()
    else:
        assert await source.token() == "of another"
    assert signin.load(folder) == another


async def test_a_viewer_that_turns_away_does_not_take_the_refresh_token_with_it(
    idp: NativeIdp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(*forms: Any) -> tuple[Tokens, str]:  # noqa: ANN401 - passed on
        given = await granted(*forms)
        asked.set()
        await go_on.wait()
        return given

    monkeypatch.setattr(signin, "granted", slowly)
    signin.save(folder, kept(idp, 0))
    source = SignedInToken(folder, FakeClock().now)
    viewer = asyncio.create_task(source.token())
    await asked.wait()
    viewer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await viewer
    go_on.set()
    assert await source.token() == "access-1"
    assert [form["refresh_token"] for form in idp.forms] == ["refresh-0"]


async def test_a_disk_that_takes_nothing_is_said(
    idp: NativeIdp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    signin.save(folder, kept(idp, 0))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leadglass_agent.state.write", full)
    with pytest.raises(NoToken, match=r"cannot be kept: .*No space left"):
        await SignedInToken(folder, FakeClock().now).token()


async def test_nobody_has_signed_in(folder: Folder) -> None:
    with pytest.raises(NoToken, match="nobody has signed in"):
        await SignedInToken(folder, FakeClock().now).token()


@pytest.mark.parametrize("damage", [b"[]", b"{", b'{"issuer": 1}', b"{}"])
async def test_a_damaged_file(idp: NativeIdp, folder: Folder, damage: bytes) -> None:
    (folder.path / FILE).write_bytes(damage)
    with pytest.raises(NoToken, match="is damaged"):
        await SignedInToken(folder, FakeClock().now).token()
    signin.save(folder, kept(idp, 0))
    document = orjson.loads((folder.path / FILE).read_bytes())
    (folder.path / FILE).write_bytes(orjson.dumps({**document, "expires": "soon"}))
    with pytest.raises(NoToken, match="is damaged"):
        await SignedInToken(folder, FakeClock().now).token()
