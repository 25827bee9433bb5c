"""What a proxy sends before anything of its client's: a PROXY v2 header, read from the bare socket to the byte.

It comes before the TLS handshake, and not one byte beyond it may be taken.
"""

import asyncio
import socket

from leadglass.codec import proxyv2
from leadglass.codec.proxyv2 import ProxyHeaderError, Source


class NothingSaidError(ProxyHeaderError):
    """The connection ended before its first byte, as a check does that only wants to know whether somebody listens."""


async def read_preface(client: socket.socket, seconds: float) -> Source | None:
    """Return the client that the proxy speaks for, None when it is the proxy itself.

    Raises ProxyHeaderError, TimeoutError, OSError.
    """
    async with asyncio.timeout(seconds):
        prefix = await _exactly(client, proxyv2.PREFIX_BYTES, signature=True)
        rest = await _exactly(client, proxyv2.length(prefix))
    return proxyv2.source(prefix, rest)


async def _exactly(client: socket.socket, count: int, *, signature: bool = False) -> bytes:
    loop, held = asyncio.get_running_loop(), bytearray()
    while len(held) < count:
        piece = await loop.sock_recv(client, count - len(held))
        if not piece:
            raise ProxyHeaderError("a PROXY header cut short") if held or not signature else NothingSaidError("nothing")
        held += piece
        if signature and not proxyv2.begins(bytes(held)):  # whoever speaks something else is not waited for
            raise ProxyHeaderError("no PROXY v2 header")
    return bytes(held)
