"""Health and metrics for probes and scrapers: /health/live, /health/ready, /metrics and nothing else.

Readiness names its checks and never depends on the identity provider: images are needed when systems are down.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import orjson
from aiohttp import web

from leadglass.limits import CONTROL_SECONDS

Ready: TypeAlias = Callable[[], Awaitable[Mapping[str, bool]]]
Mode: TypeAlias = Callable[[], Mapping[str, Any]]
Render: TypeAlias = Callable[[], bytes]

_UNAVAILABLE: Final = 503


def metrics_app(ready: Ready, render: Render, content_type: str, mode: Mode) -> web.Application:
    """Return the app. `mode` says whether the gateway enforces, which belongs to how it is.

    `ready` names what must hold to serve (policy loaded, record writable, store open) and whether it does. `render`
    gives the metrics as text of `content_type`.
    """

    async def live(_request: web.Request) -> web.Response:
        return _json({"live": True, **mode()})

    async def readiness(_request: web.Request) -> web.Response:
        checks = dict(await ready())
        holds = bool(checks) and all(checks.values())
        return _json({"ready": holds, "checks": checks, **mode()}, 200 if holds else _UNAVAILABLE)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=render(), headers={"Content-Type": content_type})

    app = web.Application(client_max_size=1)
    app.router.add_get("/health/live", live)
    app.router.add_get("/health/ready", readiness)
    app.router.add_get("/metrics", metrics)
    return app


def _json(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


class TcpServer:
    """An aiohttp app on a TCP address."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CONTROL_SECONDS)
        self._host, self._port = host, port

    async def start(self) -> None:
        """Listen. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    @property
    def addresses(self) -> list[tuple[Any, ...]]:
        """Where it listens; port 0 became a real one."""
        return list(self._runner.addresses)

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
