"""Slow readers of a large study, while another person asks for a frame again and again."""

import asyncio
import socket
import time
from contextlib import suppress

from bench import archive
from bench.rig import PEOPLE, BenchError, Rig

READERS = 64
_TAKES = 128 * 1024  # bytes a reader takes at once, every
_PAUSE = 1.0  # seconds: far below what the archive gives, and above the least rate that is not cut


def _request(port: int, path: str, accept: str, token: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


async def _read_slowly(port: int, token: str) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        line.settimeout(0)
        await loop.sock_connect(line, ("127.0.0.1", port))
        await loop.sock_sendall(
            line, _request(port, archive.LARGE.path, 'multipart/related; type="application/dicom"', token)
        )
        while await loop.sock_recv(line, _TAKES):  # noqa: ASYNC110 - slowness is what this is for
            await asyncio.sleep(_PAUSE)


async def _frame(port: int, token: str) -> float:
    """Fetch one frame over a connection of its own and return how long that took, in seconds."""
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024 * 1024)
    try:
        writer.write(_request(port, archive.FRAME, 'multipart/related; type="application/octet-stream"', token))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise BenchError(f"the frame was refused: {head[:60]!r}")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    except (OSError, EOFError) as error:
        raise BenchError(f"no frame: {type(error).__name__}") from error
    finally:
        writer.close()
    return time.perf_counter() - start


async def frames_beside_slow_readers(rig: Rig, seconds: float) -> list[float]:
    """Return how long each frame took, in seconds."""
    port, tokens = rig.ports["gateway"][0], rig.people()
    loop = asyncio.get_running_loop()
    readers = [loop.create_task(_read_slowly(port, tokens[n % len(tokens)])) for n in range(READERS)]
    try:
        await asyncio.sleep(2.0)
        taken, until = [], time.perf_counter() + seconds
        while time.perf_counter() < until:
            taken.append(await _frame(port, rig.token_of(PEOPLE[-1])))
            await asyncio.sleep(0.05)
        return taken
    finally:
        for task in readers:
            task.cancel()
        for task in readers:
            with suppress(asyncio.CancelledError, OSError):
                await task
