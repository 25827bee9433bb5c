import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from leadglass.epochs import Epochs
from leadglass.identity.jwks import HttpFetch, Keys, KeysUnavailable, discovery_url
from leadglass.limits import JWKS_BYTES, JWKS_KEEP_SECONDS, JWKS_PERIOD_SECONDS, JWKS_REFRESH_SECONDS
from leadglass.skew import Skew
from leadglass.tasks import Tasks
from support.clock import FakeClock
from support.idp import Provider
from support.tokens import ec_jwk, ec_key, jwks, rsa_jwk, rsa_key

OLD, NEW = ec_jwk(ec_key(), "old"), ec_jwk(ec_key("P-256", "new"), "new")


class Workshop:
    """Makes `Keys` that fetch over real HTTP."""

    def __init__(self, clock: FakeClock, epochs: Epochs) -> None:
        self.clock, self.epochs, self.tasks, self.fetch = clock, epochs, Tasks(), HttpFetch()

    def keys(self, issuer: str, source: str = "auto") -> Keys:
        return Keys(issuer, source, fetch=self.fetch, clock=self.clock, epochs=self.epochs, tasks=self.tasks)

    def moved(self, keys: Keys) -> int:
        return self.epochs.snapshot([keys.epoch])[0][1]


@pytest.fixture
async def workshop(clock: FakeClock, epochs: Epochs) -> AsyncIterator[Workshop]:
    workshop = Workshop(clock, epochs)
    yield workshop
    await workshop.tasks.close()
    await workshop.fetch.close()


def kids(keys: Keys) -> set[str | None]:
    current = keys.current()
    return set() if current is None else {key.kid for key in current.keys}


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("https://idp.example", "https://idp.example/.well-known/openid-configuration"),
        ("https://idp.example/", "https://idp.example/.well-known/openid-configuration"),
        ("https://idp.example/realms/a", "https://idp.example/realms/a/.well-known/openid-configuration"),
    ],
)
def test_discovery_stands_below_the_issuer(issuer: str, url: str) -> None:
    assert discovery_url(issuer) == url


async def test_keys_by_discovery_and_by_url(provider: Provider, workshop: Workshop) -> None:
    for source in ("auto", f"{provider.url}/keys"):
        keys = workshop.keys(provider.url, source)
        assert keys.current() is None
        assert (await keys.obtain("ec")).knows("ec")
        assert keys.problem is None


async def test_every_fetch_hears_what_the_issuer_says_of_the_time(provider: Provider, clock: FakeClock) -> None:
    skew = Skew(clock)
    fetch = HttpFetch(skew)
    try:
        await fetch(f"{provider.url}/keys")
    finally:
        await fetch.close()
    assert skew.off() is not None  # the provider says the machine's time, which is not that of the test
    assert skew.wrong()


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"issuer": "https://other.example"}, "another issuer"),
        ({"jwks_uri": "https://idp.example/keys"}, "another issuer"),
        ([], "not JSON"),
        ("trailing slash", "another issuer"),
        ({"issuer": ..., "jwks_uri": "http://idp.example/keys"}, "no jwks_uri"),
        ({"issuer": ..., "jwks_uri": "file:///etc/passwd"}, "no jwks_uri"),
        ({"issuer": ..., "jwks_uri": ["https://idp.example"]}, "no jwks_uri"),
        ({"issuer": ...}, "no jwks_uri"),
    ],
    ids=str,
)
async def test_discovery_is_checked_not_trusted(
    provider: Provider, workshop: Workshop, document: object, problem: str
) -> None:
    if document == "trailing slash":
        document = {"issuer": f"{provider.url}/", "jwks_uri": f"{provider.url}/keys"}
    elif isinstance(document, dict) and document.get("issuer") is ...:
        document = {**document, "issuer": provider.url}
    provider.discovery = lambda: document
    keys = workshop.keys(provider.url)
    with pytest.raises(KeysUnavailable, match=problem):
        await keys.obtain("ec")
    assert provider.hits == 0


GARBAGE = {
    "html": (b"<html>sorry</html>", 200),
    "empty": (b"", 200),
    "no keys": (b'{"keys":[]}', 200),
    "a symmetric key": (b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', 200),
    "too large": (b" " * (JWKS_BYTES + 1), 200),
    "an error": (jwks(OLD), 500),
    "another success": (jwks(OLD), 203),
    "a redirect": (jwks(OLD), 302),
}


@pytest.mark.parametrize(("body", "status"), GARBAGE.values(), ids=GARBAGE)
async def test_garbage_keeps_the_old_keys_and_is_said(
    provider: Provider,
    workshop: Workshop,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    status: int,
) -> None:
    provider.publish(OLD)
    keys = workshop.keys(provider.url)
    await keys.refresh()
    before = workshop.moved(keys)
    provider.answer(body, status, Location="/moved")
    with caplog.at_level(logging.WARNING, "leadglass.identity"):
        for _ in range(3):
            workshop.clock.advance(JWKS_PERIOD_SECONDS)
            await keys.maintain()
    assert kids(keys) == {"old"}
    assert workshop.moved(keys) == before
    assert len(caplog.records) == 1  # said once
    assert "stay in force" in caplog.text
    provider.publish(NEW)
    workshop.clock.advance(JWKS_PERIOD_SECONDS)
    await keys.maintain()
    assert kids(keys) == {"new"}


async def test_no_more_is_read_than_the_limit(provider: Provider, workshop: Workshop) -> None:
    provider.answer(b" " * (JWKS_BYTES + 1))
    with pytest.raises(KeysUnavailable, match="sent more than"):
        await workshop.fetch(f"{provider.url}/keys")
    provider.answer(b" " * JWKS_BYTES)
    assert len(await workshop.fetch(f"{provider.url}/keys")) == JWKS_BYTES


async def test_a_compressed_reply_is_not_inflated(provider: Provider, workshop: Workshop) -> None:
    def bomb() -> web.StreamResponse:
        reply = web.Response(body=b" " * 50_000_000)
        reply.enable_compression(web.ContentCoding.gzip)
        return reply

    provider.keys_reply = bomb
    with pytest.raises(KeysUnavailable):
        await workshop.keys(provider.url).obtain(None)


async def test_an_issuer_that_is_down_keeps_its_keys_for_a_day(provider: Provider, workshop: Workshop) -> None:
    provider.publish(OLD)
    keys = workshop.keys(provider.url)
    await keys.refresh()
    provider.answer(b"down", 503)
    workshop.clock.advance(JWKS_KEEP_SECONDS)
    await keys.maintain()
    assert kids(keys) == {"old"}
    before = workshop.moved(keys)
    workshop.clock.advance(1)
    await keys.maintain()
    assert kids(keys) == set()
    assert workshop.moved(keys) == before + 1
    with pytest.raises(KeysUnavailable, match="503"):
        await keys.obtain("old")


async def test_nobody_listens(workshop: Workshop) -> None:
    keys = workshop.keys("http://127.0.0.1:1", "http://127.0.0.1:1/keys")
    with pytest.raises(KeysUnavailable, match="cannot be read"):
        await keys.obtain("x")


async def test_an_unknown_kid_fetches_at_most_once_in_the_bounded_time(provider: Provider, workshop: Workshop) -> None:
    provider.publish(OLD)
    keys = workshop.keys(provider.url)
    await keys.refresh()
    provider.publish(OLD, NEW)
    for _ in range(20):  # someone makes kids up
        await keys.obtain("new")
    assert provider.hits == 1
    workshop.clock.advance(JWKS_REFRESH_SECONDS)
    for _ in range(20):
        await keys.obtain("made-up")
    assert provider.hits == 2
    assert kids(keys) == {"old", "new"}
    assert (await keys.obtain("new")).knows("new")
    assert provider.hits == 2


async def test_many_callers_share_one_fetch_and_none_can_cancel_it(provider: Provider, workshop: Workshop) -> None:
    provider.gate = asyncio.Event()
    keys = workshop.keys(provider.url)
    callers = [workshop.tasks.spawn(keys.obtain("ec"), name="caller") for _ in range(10)]
    await provider.asked.wait()
    callers[0].cancel()
    provider.gate.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(result is keys.current() for result in results[1:])
    assert provider.hits == 1


async def test_a_withdrawn_key_is_gone_within_the_period(provider: Provider, workshop: Workshop) -> None:
    provider.publish(OLD, NEW)
    keys = workshop.keys(provider.url)
    await keys.refresh()
    provider.publish(NEW)
    before = workshop.moved(keys)
    workshop.clock.advance(JWKS_PERIOD_SECONDS - 1)
    await keys.maintain()
    assert kids(keys) == {"old", "new"}
    workshop.clock.advance(1)
    await keys.maintain()
    assert kids(keys) == {"new"}
    assert workshop.moved(keys) == before + 1


async def test_the_same_keys_again_move_nothing(provider: Provider, workshop: Workshop) -> None:
    keys = workshop.keys(provider.url)
    await keys.refresh()
    before = workshop.moved(keys)
    workshop.clock.advance(JWKS_PERIOD_SECONDS)
    await keys.maintain()
    assert provider.hits == 2
    assert workshop.moved(keys) == before


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path, workshop: Workshop) -> None:
    file = tmp_path / "keys.json"
    keys = workshop.keys("https://idp.example", str(file))
    with pytest.raises(KeysUnavailable, match="cannot be read"):
        await keys.obtain("old")
    file.write_bytes(jwks(OLD))
    await keys.maintain()
    assert kids(keys) == {"old"}
    before = workshop.moved(keys)
    await keys.maintain()
    assert workshop.moved(keys) == before
    file.write_bytes(jwks(NEW, rsa_jwk(rsa_key())))
    await keys.maintain()
    assert kids(keys) == {"new", "rsa"}
    assert workshop.moved(keys) == before + 1
    file.write_bytes(b"half a fi")
    await keys.maintain()
    assert kids(keys) == {"new", "rsa"}
    assert keys.problem is not None


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(b"half a fi")])
async def test_a_file_that_is_gone_or_spoilt_keeps_its_keys_for_a_day(
    tmp_path: Path, workshop: Workshop, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object]
) -> None:
    file = tmp_path / "keys.json"
    keys = workshop.keys("https://idp.example", str(file))
    file.write_bytes(jwks(OLD))
    for _ in range(3):  # one that stands there unchanged is as good as on its first day
        await keys.maintain()
        workshop.clock.advance(JWKS_KEEP_SECONDS)
        assert kids(keys) == {"old"}
    await keys.maintain()
    spoil(file)
    await keys.maintain()
    assert "stay in force for 24 hours" in caplog.text
    workshop.clock.advance(JWKS_KEEP_SECONDS)
    await keys.maintain()
    assert kids(keys) == {"old"}
    before = workshop.moved(keys)
    workshop.clock.advance(1)
    await keys.maintain()
    assert keys.current() is None
    assert workshop.moved(keys) == before + 1
    assert "are dropped" in caplog.text
    file.write_bytes(jwks(NEW))
    await keys.maintain()
    assert kids(keys) == {"new"}
