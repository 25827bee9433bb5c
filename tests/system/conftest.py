"""One gateway for a whole module, on the loop that serves: what one attack leaves behind, the next one meets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio
import uvloop

from support.composed import PATIENT, behind_nginx, trust
from support.gateway import Running, running


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["bare", pytest.param("nginx", marks=pytest.mark.system)]
)
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Asked straight, and from outside nginx."""
    folder = tmp_path_factory.mktemp("site")
    if request.param == "bare":
        async with running(folder) as run:
            yield run
    else:
        async with running(folder / "site", change=trust, bounds=PATIENT) as run:
            with behind_nginx(run, folder):
                yield run
