"""Work on pixels in threads of its own."""

import asyncio
import threading

import pytest

from leadglass.limits import PIXEL_THREADS
from leadglass.obligations.aside import aside


async def test_it_is_done_in_a_thread_for_pixels() -> None:
    assert (await aside(lambda: threading.current_thread().name)).startswith("pixels")
    with pytest.raises(ValueError, match="x"):
        await aside(int, "x")


async def test_who_waits_for_a_decoder_keeps_nobody_else_waiting() -> None:
    free = threading.Event()
    waiting = [asyncio.create_task(aside(free.wait)) for _ in range(3 * PIXEL_THREADS)]  # a test's own tasks
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: True), 5)
        assert not any(one.done() for one in waiting)
    finally:
        free.set()
        await asyncio.gather(*waiting)
