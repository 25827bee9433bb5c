"""Talking to the gateway: TLS 1.3 with the device's short certificate, and the refusals it answers with."""

import os
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from leadglass_agent.keys import SessionKey

BASE = "/.leadglass/v1"
_REPLY_BYTES = 256 * 1024
_SECONDS = 20.0
_SILENCE_SECONDS = 120.0  # a gateway that was asked and says nothing: the network is gone, or the machine slept


class Unreachable(Exception):
    """The gateway did not answer, or something else answered in its place. `str()` is for people."""


class Refused(Exception):
    """The gateway said no. `error` tells the agent what to do, `extra` holds the problem's members."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.extra = status, problem
        self.reasons = _texts(problem.get("reasons"))
        self.error = str(problem.get("error", ""))
        self.decision_id = str(problem.get("decision_id", ""))
        fixes = " ".join(_texts(problem.get("remediation")))
        super().__init__(f"{problem.get('detail') or status} {fixes}".strip())

    @property
    def certificate(self) -> bool:
        """Whether it was the client certificate that was refused, so that a renewal may mend it."""
        codes = {"device-certificate-expired", "statement-invalid", "device-required"}
        return self.status == 403 and not self.error and bool(codes & set(self.reasons))  # noqa: PLR2004 - HTTP


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def origin(url: str) -> str:
    """Return a gateway's address in its canonical form: https, a host, perhaps a port. Raises ValueError."""
    parts = urlsplit(url.strip())
    if parts.scheme != "https" or not parts.hostname or not url.isascii():
        raise ValueError("the gateway's address must be like https://pacs.example.org")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("the gateway's address has a host and perhaps a port, and nothing after them")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" if parts.port in {None, 443} else f"https://{host}:{parts.port}"


def unreachable(url: str, error: Exception) -> Unreachable:
    """Say in words why the gateway could not be reached. The text of an HTTP error is not repeated: it may quote us."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        why = inner.verify_message if isinstance(inner, ssl.SSLCertVerificationError) else type(inner).__name__
        return Unreachable(f"{url} shows a certificate that this device does not trust ({why})")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{url} did not answer in time")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"{url} cannot be reached: {error.os_error.strerror or error.os_error}")
    return Unreachable(f"{url} broke off the exchange ({type(error).__name__})")


def tls(trust: Iterable[str], identity: tuple[str, SessionKey] | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """Return a TLS 1.3 context. `trust` are PEM certificates (none: the system's), `identity` a certificate and its key.

    `verify=False` is for enrolment alone, where the code authenticates both sides. Raises ssl.SSLError, ValueError.
    """
    authorities = "\n".join(trust)
    context = ssl.create_default_context(cadata=authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if identity is not None:
        certificate, key = identity
        # `ssl` reads certificates from files alone: a file in memory, so that the key never touches a disk.
        descriptor = os.memfd_create("leadglass-session", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, key.pem + certificate.encode("ascii"))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    return context


class _Connections:
    """The connections under one certificate, and how many exchanges use them."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=32),
            # No bound on waiting for one of the 32: a viewer that asks for 300 slices at once waits for its own.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS, sock_read=_SILENCE_SECONDS),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        self.users = 0
        self.retired = False

    async def close_when_idle(self) -> None:
        if self.retired and not self.users:
            await self.session.close()


class Gateway:
    """One gateway. Use as an async context manager; `present` swaps the certificate shown on new connections."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self.url, self._context = url.rstrip("/"), context
        self._connections: _Connections | None = None

    async def __aenter__(self) -> Self:
        self._connections = _Connections(self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connections is not None:
            await self._connections.session.close()

    async def present(self, context: ssl.SSLContext) -> None:
        """Use `context` from now on; an exchange that runs keeps its connection to its end."""
        old, self._connections = self._connections, _Connections(context)
        if old is not None:
            old.retired = True
            await old.close_when_idle()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Lend the session for one exchange. Raises RuntimeError when the gateway is not open."""
        connections = self._connections
        if connections is None:
            raise RuntimeError("the gateway is not open")
        connections.users += 1
        try:
            yield connections.session
        finally:
            connections.users -= 1
            await connections.close_when_idle()

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call `/.leadglass/v1/<path>` and return its JSON. Raises Refused, Unreachable."""
        try:
            async with (
                self.session() as session,
                session.request(
                    method,
                    f"{self.url}{BASE}/{path}",
                    data=None if body is None else orjson.dumps(body),
                    headers={"Accept-Encoding": "identity"}
                    | ({"Content-Type": "application/json"} if body is not None else {}),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=_SECONDS),
                ) as reply,
            ):
                data = await read_bounded(reply, _REPLY_BYTES)
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(self.url, error) from None
        try:
            document = orjson.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Unreachable(f"{self.url} answered {status} with something else than JSON; is it a Leadglass gateway?")
        if status not in {200, 201}:
            raise Refused(status, document)
        return document


async def read_bounded(reply: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the whole body, or its first `limit` bytes. Raises aiohttp.ClientError."""
    data = bytearray()
    async for chunk in reply.content.iter_any():
        data += chunk
        if len(data) >= limit:
            break
    return bytes(data[:limit])
