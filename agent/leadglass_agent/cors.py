"""Pages of listed origins at a port of loopback: what they may read, and what their browsers ask first.

That is the CORS protocol (Fetch standard, section 3.3), and the question whether a page may reach the local network (Private
Network Access; browsers with Local Network Access ask the person instead).
"""

from collections.abc import Collection
from typing import Final

from aiohttp import web

from leadglass_agent.callers import listed

_KEPT_SECONDS: Final = 600


class Pages:
    """Pages of these `origins` may send `methods` with `headers`, and read `exposed` fields of what is answered."""

    def __init__(self, origins: Collection[str], *, methods: str, headers: str, exposed: str = "") -> None:
        self.origins = frozenset(origins)
        self._methods, self._headers, self._exposed = methods, headers, exposed

    def lists(self, request: web.Request) -> bool:
        """Return whether a page of one of the origins asks."""
        return listed(request, self.origins)

    async def share(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let a listed page read the answer; every other page's browser keeps it from the page."""
        response.headers["Vary"] = "Origin"
        if not self.lists(request):
            response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
            return
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        if self._exposed:
            response.headers["Access-Control-Expose-Headers"] = self._exposed

    def preflight(self, request: web.Request) -> web.Response:
        """Answer the question of a listed page's browser whether the page may ask."""
        response = web.Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = self._methods
        response.headers["Access-Control-Allow-Headers"] = self._headers
        response.headers["Access-Control-Max-Age"] = str(_KEPT_SECONDS)
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            response.headers["Access-Control-Allow-Private-Network"] = "true"
        return response
