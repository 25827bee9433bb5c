"""Health and metrics: three paths and nothing else."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from leadglass.gateways.control.metrics import TcpServer, metrics_app

CHECKS: dict[str, bool] = {}
MODE = {"mode": "observe"}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def ready() -> dict[str, bool]:
        return CHECKS

    CHECKS.update(policy=True, record=True, store=True)
    server = TcpServer(metrics_app(ready, lambda: b"up 1\n", "text/plain; version=0.0.4", lambda: MODE), "127.0.0.1", 0)
    await server.start()
    yield f"http://127.0.0.1:{server.addresses[0][1]}"
    await server.close()


async def get(url: str, method: str = "GET") -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url) as reply:
        return reply.status, reply.headers["Content-Type"], await reply.text()


async def test_it_lives(url: str) -> None:
    assert await get(f"{url}/health/live") == (200, "application/json", '{"live":true,"mode":"observe"}')


async def test_it_is_ready_when_every_check_holds(url: str) -> None:
    assert (await get(f"{url}/health/ready"))[0] == 200
    CHECKS["record"] = False
    status, _, body = await get(f"{url}/health/ready")
    assert (status, body) == (
        503,
        '{"ready":false,"checks":{"policy":true,"record":false,"store":true},"mode":"observe"}',
    )


async def test_no_checks_is_not_ready(url: str) -> None:
    CHECKS.clear()
    assert (await get(f"{url}/health/ready"))[0] == 503


async def test_metrics_are_as_rendered(url: str) -> None:
    assert await get(f"{url}/metrics") == (200, "text/plain; version=0.0.4", "up 1\n")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/devices", 404), ("POST", "/metrics", 405)]
)
async def test_nothing_else_is_served(url: str, method: str, path: str, status: int) -> None:
    assert (await get(url + path, method))[0] == status
