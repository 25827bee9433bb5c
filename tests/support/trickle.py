"""Frames that go on until somebody ends them."""

import asyncio

from aiohttp import web


async def trickle(request: web.Request) -> web.StreamResponse:
    """Send frames until somebody ends it."""
    kind = 'multipart/related; type="application/octet-stream"; boundary=b'
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(request)
    await response.write(b"--b\r\nContent-Type: application/octet-stream\r\n\r\n")
    while True:
        await response.write(bytes(1024))
        await asyncio.sleep(0.005)
