"""The loopback door: carries a viewer on this machine to the gateway, with the device's certificate and the person's token.

Whoever reaches this port has the PACS, so it believes nobody: a random secret in the path, the exact Host, no foreign
Origin, and the peer must be a process of the same user (a web page has none of these, another user not the last).
"""

import contextlib
import hmac
import logging
import os
import re
import socket
import struct
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Final

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from leadglass_agent.callers import turned_away
from leadglass_agent.cors import Pages
from leadglass_agent.gateway import Refused, Unreachable, read_bounded, unreachable
from leadglass_agent.links import BadEncoding, Links
from leadglass_agent.member import Member, Revoked
from leadglass_agent.port import Port
from leadglass_agent.token import NoToken, TokenSource

_log = logging.getLogger("leadglass_agent")
_CHUNK: Final = 256 * 1024
_PROBLEM_BYTES: Final = 64 * 1024
_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
_TARGET: Final = re.compile(r"[!-\"$-~]*")  # visible ASCII but for #
_UP: Final = ("Accept", "Content-Type", "Content-Length", "Leadglass-Purpose", "Leadglass-Break-Glass")
_DOWN: Final = (
    "Content-Type",
    "Content-Encoding",
    "Content-Length",
    "WWW-Authenticate",
    "Retry-After",
    "Warning",
    "Leadglass-Decision-Id",
)
_LINKED: Final = ("application/dicom+json", "application/json")
_OURS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox",
    "Referrer-Policy": "no-referrer",  # the address holds the secret
}


def problem(status: int, title: str, detail: str, fix: str) -> web.Response:
    """Make an answer of the agent's own, in the form of the gateway's (RFC 9457)."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "remediation": [fix]}
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/problem+json", headers=dict(_OURS)
    )


def _cut(request: web.Request) -> None:
    """End the viewer's connection so that what it has cannot look whole: a reset, whatever the framing."""
    transport = request.transport
    if transport is None:
        return
    if (peer := transport.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Loopback:
    """The door. `base` is what a viewer is given as the address of its DICOMweb server's parent.

    `uids` may come in beside root, `origins` are the pages of other origins that may ask (a viewer's own).
    """

    def __init__(
        self,
        member: Member,
        tokens: TokenSource,
        port: int,
        *,
        secret: str,
        uids: Iterable[int] | None = None,
        origins: Collection[str] = (),
    ) -> None:
        self._member, self._tokens, self._secret = member, tokens, secret
        self._uids = frozenset((os.getuid(),) if uids is None else uids) | {0}
        self._pages = Pages(
            origins,
            methods=", ".join(_METHODS),
            headers="Accept, Content-Type, Leadglass-Purpose, Leadglass-Break-Glass",
            exposed="Leadglass-Decision-Id, Warning, WWW-Authenticate",
        )
        self._listening = Port(self._handle, port, prepare=self._pages.share)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listening.number

    @property
    def base(self) -> str:
        """The address under which the gateway appears, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}/{self._secret}"

    async def start(self) -> None:
        """Listen. Port 0 takes a free one. Raises OSError."""
        await self._listening.start()

    async def close(self) -> None:
        """Stop listening and end what runs."""
        await self._listening.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        why = turned_away(request, self.port, self._uids, self._pages.origins)
        secret, _, path = request.raw_path.removeprefix("/").partition("/")
        if why is None and not hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode()):
            why = "the path does not begin with the secret"
        if why is not None:
            _log.warning("turned away: %s", why)
            return problem(
                403, "Not for you", "This port serves the viewer of one person.", "Use the address the agent printed."
            )
        answer = self._answer(request, path)
        return answer if answer is not None else await self._attempt(request, f"/{path}")

    def _answer(self, request: web.Request, path: str) -> web.Response | None:
        """Answer what needs no gateway; None for what does."""
        if request.method == "OPTIONS" and self._pages.lists(request):
            return self._pages.preflight(request)
        if request.method not in _METHODS:
            return problem(405, "Method not allowed", f"{request.method} is not carried.", "Use GET or POST.")
        if not _TARGET.fullmatch(path):
            return problem(400, "Bad request", "The path holds characters that a URL has not.", "Encode them.")
        if "Content-Encoding" in request.headers:
            return problem(415, "Unsupported encoding", "A compressed body is not carried.", "Send it as it is.")
        return None

    async def _attempt(self, request: web.Request, target: str) -> web.StreamResponse:
        try:
            return await self._carry(request, target)
        except NoToken as error:
            return problem(401, "Not signed in", str(error), "Sign in with the tool that keeps the token.")
        except Revoked as error:
            return problem(403, "Device withdrawn", str(error), "Ask the administrator, then enrol again.")
        except (Refused, Unreachable) as error:
            _log.warning("not carried: %s", error)
            return problem(502, "Gateway not reached", str(error), "Check the network, then try again.")

    async def _carry(self, request: web.Request, target: str) -> web.StreamResponse:
        await self._member.renew_if_due()
        headers = {name: request.headers[name] for name in _UP if name in request.headers}
        # JSON is opened here to lead its links; the rest passes as it is, so only what the viewer can open is asked for.
        headers["Accept-Encoding"] = "gzip" if _opens_gzip(request) else "identity"
        headers["Authorization"] = f"Bearer {await self._tokens.token()}"
        # Without a body an exchange can be had again.
        for again in (not request.body_exists, False):
            number = self._member.generation
            async with self._exchange(request, target, headers) as reply:
                refusal = await _refusal(reply)
                if refusal is None:
                    return await self._relay(request, reply)
                if refusal[0].certificate:
                    # It ended while this machine slept, or the gateway forgot it: the next request has a new one.
                    await self._member.renew(number)
                    if again:
                        continue
                return _pass(reply, refusal[1])
        raise AssertionError("the second exchange returns")

    @contextlib.asynccontextmanager
    async def _exchange(
        self, request: web.Request, target: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        gateway = self._member.gateway
        async with gateway.session() as session:
            try:
                reply = await session.request(
                    request.method,
                    URL(f"{gateway.url}{target}", encoded=True),  # as the viewer wrote it: the gateway judges it
                    headers=headers,
                    data=request.content.iter_chunked(_CHUNK) if request.body_exists else None,
                    allow_redirects=False,
                    skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
                )
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise unreachable(gateway.url, error) from None
            async with reply:
                yield reply

    async def _relay(self, request: web.Request, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: reply.headers[name] for name in _DOWN if name in reply.headers} | _OURS
        links: Links | None = None
        encoding = reply.headers.get("Content-Encoding", "").lower()
        if reply.content_type in _LINKED and encoding in {"", "identity", "gzip"}:
            links = Links(self._member.gateway.url, self.base, gzip=encoding == "gzip")
            headers.pop("Content-Length", None)
            headers.pop("Content-Encoding", None)
        response = web.StreamResponse(status=reply.status, headers=headers)
        await response.prepare(request)
        try:
            async for chunk in reply.content.iter_any():
                for piece in (chunk,) if links is None else links.feed(chunk):
                    await response.write(piece)
            if links is not None and (rest := links.finish()):
                await response.write(rest)
        except (aiohttp.ClientError, TimeoutError, OSError, BadEncoding) as error:
            _log.warning("an answer was cut: %s", type(error).__name__)
            _cut(request)
            return response
        await response.write_eof()
        return response


def _opens_gzip(request: web.Request) -> bool:
    codings = ",".join(request.headers.getall("Accept-Encoding", [])).lower().split(",")
    return any(re.fullmatch(r"\s*gzip\s*(;\s*q\s*=\s*(1(\.0+)?|0\.\d*[1-9]\d*)\s*)?", coding) for coding in codings)


async def _refusal(reply: aiohttp.ClientResponse) -> tuple[Refused, bytes] | None:
    """Return a small 403 that says its reasons in JSON, whole; None for every other reply, untouched."""
    small = (reply.content_length or 0) <= _PROBLEM_BYTES
    if reply.status != 403 or reply.content_type != "application/problem+json" or not small:  # noqa: PLR2004 - HTTP
        return None
    if "Content-Encoding" in reply.headers:
        return None
    try:
        data = await read_bounded(reply, _PROBLEM_BYTES)
        document = orjson.loads(data)
    except ValueError:
        document, data = {}, b""
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"the gateway broke off its answer ({type(error).__name__})") from None
    return Refused(reply.status, document if isinstance(document, dict) else {}), data


def _pass(reply: aiohttp.ClientResponse, data: bytes) -> web.Response:
    headers = {name: reply.headers[name] for name in _DOWN if name in reply.headers} | _OURS
    headers.pop("Content-Length", None)
    return web.Response(status=reply.status, headers=headers, body=data)
