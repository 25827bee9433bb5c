"""The one door to background tasks.

A task started here is held until it ends (asyncio itself keeps only a weak reference), its failure is logged, and it
is cancelled when its owner closes. `asyncio.create_task` is banned elsewhere.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_log = logging.getLogger("leadglass.tasks")


class Tasks:
    """A set of background tasks that live no longer than their owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    def spawn(self, coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Start a task. Raises RuntimeError once the owner is closed."""
        if self._closed:
            coroutine.close()
            message = f"cannot start {name!r}: its owner is closed"
            raise RuntimeError(message)
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task %s failed: %s", task.get_name(), type(error).__name__, exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        self._closed = True
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
