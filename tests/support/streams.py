"""Replies that go on until somebody ends them, and what their client sees."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from support.gateway import CT, HOST, Client, Running
from support.trickle import trickle

FRAMES = f"/dicom-web/studies/{CT.uid}/series/{CT.instances[0].series}/instances/{CT.instances[0].sop}/frames/1"
SECONDS = 5.0


def endless(gateway: Running) -> None:
    """Let the archive's frames go on until somebody ends them."""
    gateway.archive.replaced[FRAMES] = trickle


@asynccontextmanager
async def streaming(gateway: Running, token: str) -> AsyncIterator[Client]:
    endless(gateway)
    async with asyncio.timeout(20), gateway.client() as client:
        await client.send(f"GET {FRAMES} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        await client.reader.readexactly(4096)
        yield client


async def ended(client: Client) -> bool:
    """Read on until the reply ends; return whether it was cut rather than finished."""
    try:
        while await client.reader.read(65536):
            pass
    except ConnectionError:
        return True
    return False


async def completion(gateway: Running) -> dict[str, object]:
    await until(lambda: any(line.get("cut_by") for line in gateway.record("completion")))
    return next(line for line in gateway.record("completion") if line.get("cut_by"))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - the other side is another task of the gateway's own
            await asyncio.sleep(0.01)
