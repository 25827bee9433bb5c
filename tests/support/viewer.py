"""A viewer at the loopback door: raw requests, and what came of them."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadglass_agent.loopback import Loopback

SECRET = "s" * 32
PAGE = "http://localhost:3000"


@dataclass
class Open:
    """An open door, and raw bytes through it."""

    door: Loopback
    port: int
    token: Path

    async def raw(self, head: str, body: bytes = b"", *, close: bool = False) -> bytes:
        """Send a request as it is written (CRLF added) and return all that comes until the door closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("\r\n".join([*head.splitlines(), "", ""]).encode("utf-8") + body)
        if close:
            writer.write_eof()
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def ask(self, path: str = f"/{SECRET}/dicom-web/studies", *lines: str, method: str = "GET") -> bytes:
        head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close", *lines]
        return await self.raw("\n".join(head))

    async def told(self, *lines: str, path: str = f"/{SECRET}/dicom-web/studies") -> Any:  # noqa: ANN401 - JSON
        """Return what the gateway saw of a request."""
        answer = await self.ask(path, *lines)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), answer
        return json.loads(unchunk(body) if b"chunked" in head else body)


def unchunk(body: bytes) -> bytes:
    out = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if (count := int(size, 16)) == 0:
            return out
        out, body = out + body[:count], body[count + 2 :]


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0
