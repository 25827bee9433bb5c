"""A connection that ends cancels its own task; who waits on it is told `ClientGone` instead."""

import asyncio

from leadglass.model.errors import ClientGone


def gone(words: str) -> ClientGone:
    """Take back the cancellation that a lost connection gave its task, and return what is to be raised for it."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    return ClientGone(words)
