"""A port of 127.0.0.1 that this machine's programs may ask: the loopback door's, and the one that answers pages."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Prepare: TypeAlias = Callable[[web.Request, web.StreamResponse], Awaitable[None]]

_CLOSE_SECONDS: Final = 0.5


class Port:
    """Every request goes to `handle`; `prepare`, when given, sees every answer. `body` bounds what `read()` takes, 0: nothing.

    `number` 0 takes a free one, and is that one afterwards.
    """

    def __init__(self, handle: Handle, number: int, *, body: int = 0, prepare: Prepare | None = None) -> None:
        self._handle, self._body, self._prepare = handle, body, prepare
        self.number = number
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. Raises OSError."""
        app = web.Application(client_max_size=self._body)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        if self._prepare is not None:
            app.on_response_prepare.append(self._prepare)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_SECONDS, auto_decompress=False
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.number)
        await site.start()
        self.number = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening and end what runs."""
        if self._runner is not None:
            await self._runner.cleanup()
