"""HTTP POST to one receiver that an administrator named, without redirects, cookies or patience."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp

from leadglass.limits import POST_REPLY_BYTES
from leadglass.model.errors import ConfigurationError

_TOO_LARGE: Final = 413


class Undelivered(Exception):
    """It was not taken. `smaller`: it is too large, `after` asks for a pause of so many seconds at least.

    `status` is what the receiver answered, 0 when nothing came.
    """

    def __init__(self, why: str, *, smaller: bool = False, after: float = 0.0, status: int = 0) -> None:
        super().__init__(why)
        self.smaller, self.after, self.status = smaller, after, status


class Poster:
    """One address. Its session is made at the first post and holds one connection."""

    def __init__(self, url: str, fields: Mapping[str, str], ca: Path | None, setting: str, *, seconds: float) -> None:
        """Take where to, the header fields, and the name of the setting of `ca`. Raises ConfigurationError."""
        self._url, self._headers, self._seconds = url, dict(fields), seconds
        try:
            self._tls = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise ConfigurationError(f"cannot read {setting} {ca}: {error.strerror}") from error
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes) -> bytes:
        """Post, and return the beginning of the answer. Anything but a 2xx, redirects too, raises Undelivered."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds),
                connector=aiohttp.TCPConnector(limit=1, ssl=self._tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        try:
            async with self._session.post(self._url, data=body, headers=self._headers, allow_redirects=False) as reply:
                if reply.ok and reply.status < 300:  # noqa: PLR2004 - the class of success
                    return await _beginning(reply.content)
                after = reply.headers.get("Retry-After", "")
                raise Undelivered(
                    f"it answered {reply.status}",
                    smaller=reply.status == _TOO_LARGE,
                    after=float(after) if after.isdecimal() and len(after) < 6 else 0.0,  # noqa: PLR2004 - a day of seconds
                    status=reply.status,
                )
        except TimeoutError:
            raise Undelivered(f"no answer in {self._seconds:.0f} s") from None
        except aiohttp.ClientError as error:
            raise Undelivered(type(error).__name__) from error  # its text may quote the address with its query

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()


async def _beginning(content: aiohttp.StreamReader) -> bytes:
    held = b""
    while len(held) < POST_REPLY_BYTES and (piece := await content.read(POST_REPLY_BYTES - len(held))):
        held += piece
    return held


def bearer(token: str | None) -> dict[str, str]:
    """Return the header field that carries a token, if there is one."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}
