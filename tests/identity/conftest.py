"""A local identity provider over real HTTP, and identities that ask it."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from leadglass.epochs import Epochs
from leadglass.identity.identity import Identity
from leadglass.identity.settings import IdentitySettings
from support.clock import FakeClock
from support.idp import NOW, Provider


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.router.add_get("/keys", provider.serve_keys)
    app.router.add_get("/moved", provider.serve_moved)
    app.router.add_get("/.well-known/openid-configuration", provider.serve_discovery)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield provider
    if provider.gate is not None:
        provider.gate.set()
    await runner.cleanup()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(float(NOW))


@pytest.fixture
def epochs() -> Epochs:
    return Epochs()


Build = Callable[..., Identity]


@pytest.fixture
async def build(clock: FakeClock, epochs: Epochs) -> AsyncIterator[Build]:
    """Make an Identity for issuers given as they stand in leadglass.yaml."""
    made: list[Identity] = []

    def make(*issuers: dict[str, Any]) -> Identity:
        settings = IdentitySettings.model_validate_json(json.dumps({"issuers": issuers}))
        made.append(Identity(settings, clock=clock, epochs=epochs))
        return made[-1]

    yield make
    for identity in made:
        await identity.close()
