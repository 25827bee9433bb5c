"""The relay: takes a request that the pipeline let through to the public control app, over its unix socket.

Nothing of the client's request travels but method, path, media type and body. The facts travel sealed, the query and the
sign-in cookie of a row for browsers among them.
"""

from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from leadglass.codec.control import match
from leadglass.gateways.control.peer import HEADER, PeerSeal
from leadglass.gateways.control.problems import REASON
from leadglass.limits import CONTROL_BODY_BYTES, CONTROL_CONNECTIONS, CONTROL_REPLY_BYTES, CONTROL_SECONDS
from leadglass.model.control import PeerFacts
from leadglass.model.errors import refuse
from leadglass.model.permit import ControlReply
from leadglass.model.reasons import Code
from leadglass.model.request import CleanRequest

_PASSED: Final = ("content-type", "content-language", "retry-after")
_BROWSER: Final = (*_PASSED, "location", "content-security-policy", "referrer-policy")


class ControlRelay:
    """The door's way to the public control app (model.ports.ControlDoor). An async context manager."""

    def __init__(self, socket: Path, seal: PeerSeal) -> None:
        self._seal = seal
        # However many wait for an identity provider, devices find room to report, and sessions to prove theirs.
        self._waiting, self._prompt = _session(socket), _session(socket)

    async def ask(self, request: CleanRequest, body: bytes, facts: PeerFacts) -> ControlReply:
        """Return the control app's reply. Raises Refusal `http-malformed`, `body-too-large`, `internal-fault`."""
        route = match(request.path, request.method)
        browser = route is not None and route.browser
        if request.query and not browser:
            raise refuse(Code.HTTP_MALFORMED, "a query on a control path")
        if len(body) > CONTROL_BODY_BYTES:
            raise refuse(Code.BODY_TOO_LARGE)
        headers = {HEADER: self._seal.seal(facts, request.method, request.path)}
        if (media := request.headers.get("content-type")) is not None:
            headers["Content-Type"] = media
        try:
            async with (self._waiting if route is not None and route.waits else self._prompt).request(
                request.method,
                f"http://control{request.path}",
                data=body or None,
                headers=headers,
                skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
                allow_redirects=False,
            ) as reply:
                content = await reply.content.read(CONTROL_REPLY_BYTES + 1)
                while len(content) <= CONTROL_REPLY_BYTES and not reply.content.at_eof():
                    content += await reply.content.read(CONTROL_REPLY_BYTES + 1 - len(content))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise refuse(Code.INTERNAL_FAULT, f"control side: {type(error).__name__}") from None
        if len(content) > CONTROL_REPLY_BYTES:
            raise refuse(Code.INTERNAL_FAULT, "control side: reply too large")
        passed = tuple(
            (name.encode("ascii"), value.encode("ascii"))
            for name in (_BROWSER if browser else _PASSED)
            if (value := reply.headers.get(name)) is not None
        )
        cookies = tuple((b"set-cookie", line.encode("ascii")) for line in reply.headers.getall("set-cookie", ()))
        return ControlReply(
            reply.status,
            (*passed, *(cookies if browser else ()), (b"cache-control", b"no-store")),
            content,
            reply.headers.get(REASON, ""),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._waiting.close()
        await self._prompt.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _session(socket: Path) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # A new connection for each request: it costs microseconds here, and none can have been closed meanwhile.
        connector=aiohttp.UnixConnector(path=str(socket), limit=CONTROL_CONNECTIONS, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=CONTROL_SECONDS),
        auto_decompress=False,
        raise_for_status=False,
    )
