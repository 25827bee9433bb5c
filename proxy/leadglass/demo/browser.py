"""What a browser on this machine does, for the tour: it signs in, shows its device by the agent, reads, and is cut off.

It does by hand what our pages and their scripts do in a real one (docs/sign-in.md).
"""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from leadglass.demo.world import DemoError, World

_V1: Final = "/.leadglass/v1/"
_NAVIGATE: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}
_SIP_BYTES: Final = 64 * 1024
_LAST: Final = b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Sip:
    """What came of a reply that was read slowly: how many bytes, and whether that was all of it."""

    came: int
    whole: bool


class Browser:
    """One browser with one profile. An async context manager."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tls = ssl.create_default_context(cafile=str(world.folder / "tls/ca.pem"))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls), cookie_jar=aiohttp.CookieJar(unsafe=True)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def sign_in(self, person: str, acr: str = "") -> None:
        """Sign in as one of the people of the tour, asking for this level. Raises DemoError."""
        begun = await self._go(f"{self._world.public}{_V1}login" + (f"?acr_values={acr}" if acr else ""))
        back = await self._go(f"{begun}&person={person}")
        await self._go(back)

    async def _go(self, url: str) -> str:
        """Navigate, and return where the browser is sent to. Raises DemoError."""
        async with self._session.get(URL(url, encoded=True), headers=_NAVIGATE, allow_redirects=False) as reply:
            if reply.status != 303:  # noqa: PLR2004 - See Other
                raise DemoError(f"sign-in stopped at {urlsplit(url).path} with {reply.status}")
            return reply.headers["Location"]

    async def show_device(self) -> None:
        """Let the agent of this machine sign that the session is open on it, as our page's script does. Raises DemoError."""
        url, origin = f"{self._world.public}{_V1}session/device", {"Origin": self._world.public}
        asked = await self._json("GET", url, None, {})
        shown = await self._json("POST", asked["agent"], asked["challenge"], origin)
        await self._json("POST", url, {"proof": shown["proof"]}, {**origin, "Sec-Fetch-Site": "same-origin"})

    async def _json(self, method: str, url: str, body: object, fields: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        async with self._session.request(method, url, json=body, headers=fields) as reply:
            if reply.status != 200:  # noqa: PLR2004 - OK
                raise DemoError(f"{urlsplit(url).path} answered {reply.status}")
            return json.loads(await reply.read())

    async def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """Ask as a viewer in the browser does; return status, header fields and body."""
        async with self._session.get(self._world.public + path, headers={"Accept": "*/*"}) as reply:
            return reply.status, dict(reply.headers), await reply.read()

    async def sip(self, path: str, begun: asyncio.Event, go_on: asyncio.Event) -> Sip:
        """Begin to read, say so, and read the rest when told to. Raises DemoError when there is nothing to read."""
        address = urlsplit(self._world.public)
        line = socket.create_connection((address.hostname or "", address.port or 443))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SIP_BYTES)
        reader, writer = await asyncio.open_connection(
            sock=line, ssl=self._tls, server_hostname=address.hostname, limit=_SIP_BYTES
        )
        cookies = self._session.cookie_jar.filter_cookies(URL(self._world.public))
        shown = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: {shown}\r\nAccept: */*\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise DemoError(f"{path} answered {head[9:12].decode()}")
            begun.set()
            await go_on.wait()
            return await _rest(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _rest(reader: asyncio.StreamReader) -> Sip:
    """Read to the end, however it comes. A reply in chunks is whole when the last one, of no bytes, has come."""
    came, tail = 0, b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := await reader.read(_SIP_BYTES):
            came, tail = came + len(piece), (tail + piece)[-len(_LAST) :]
    return Sip(came, whole=tail == _LAST)
