"""The gateway as a process: SIGTERM and SIGINT drain, SIGHUP reloads."""

import asyncio
import gc
import logging
import signal
from pathlib import Path

from leadglass.app import Gateway
from leadglass.model.errors import ConfigurationError
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass")


def _settle_heap() -> None:
    """Leave what the start made out of every later garbage collection: looking through it stops the loop for 0.1 s."""
    gc.collect()
    gc.freeze()


async def serve(file: Path) -> None:
    """Run the gateway of `file` until SIGTERM or SIGINT. Raises ConfigurationError."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    gateway = await Gateway.open(file)
    tasks = Tasks()

    async def reload() -> None:
        try:
            await gateway.reload()
        except ConfigurationError:
            return  # said loudly where it was found

    try:
        await gateway.start()
        _settle_heap()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.spawn(reload(), name="reload"))
        await stop.wait()
        _log.info("draining")
    finally:
        await tasks.close()
        await gateway.stop()
