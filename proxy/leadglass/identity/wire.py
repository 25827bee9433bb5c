"""Small JSON conversations with an identity provider: no redirects, cookies, proxies or patience."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import aiohttp

from leadglass.hazmat.jwk import strict_object
from leadglass.limits import PROVIDER_REPLY_BYTES, PROVIDER_SECONDS
from leadglass.model.login import ProviderUnavailable

_BROKEN: Final = 500
_LATER: Final = frozenset({408, 425, 429})  # says nothing about what was asked


class Wire(Protocol):
    """Asks a provider."""

    async def __call__(
        self, url: str, form: Mapping[str, str] | None = None, auth: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """GET `url`, or POST `form` to it with this Authorization; return status and JSON object.

        An empty body counts as an empty object. Raises ProviderUnavailable for anything else, for 5xx, and
        for what asks to come again later.
        """
        ...


class HttpWire:
    """A Wire over HTTP."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, url: str, form: Mapping[str, str] | None = None, auth: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Ask. Raises ProviderUnavailable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=PROVIDER_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        method, headers = ("GET" if form is None else "POST"), ({} if auth is None else {"Authorization": auth})
        place = url.partition("?")[0]
        body = bytearray()
        try:
            async with self._session.request(method, url, data=form, headers=headers, allow_redirects=False) as reply:
                async for chunk in reply.content.iter_any():
                    body += chunk
                    if len(body) > PROVIDER_REPLY_BYTES:
                        raise ProviderUnavailable(f"{place} sent more than {PROVIDER_REPLY_BYTES} bytes")
                status = reply.status
        except TimeoutError:
            raise ProviderUnavailable(f"{place} took over {PROVIDER_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ProviderUnavailable(f"{place} cannot be asked: {type(error).__name__}") from None
        if status >= _BROKEN or status in _LATER:
            raise ProviderUnavailable(f"{place} answered {status}")
        try:
            return status, strict_object(bytes(body)) if body else {}
        except ValueError:
            raise ProviderUnavailable(f"{place} answered {status} and no JSON object") from None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
