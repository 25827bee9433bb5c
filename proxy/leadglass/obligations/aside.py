"""Work on pixels in threads of its own, so that whoever waits for a decoder keeps nobody else waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from leadglass.limits import PIXEL_THREADS

P = ParamSpec("P")
T = TypeVar("T")
_THREADS: Final = ThreadPoolExecutor(PIXEL_THREADS, "pixels")


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, done in one of those threads when one is free. Raises what it raises."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(work, *args, **kwargs))
