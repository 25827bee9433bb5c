"""The last lines of the record, and those that follow, over rotations."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from leadglass.audit.feed import Feed, last_lines
from leadglass.limits import SINK_BATCH_BYTES, SINK_BATCH_LINES

_POLL_SECONDS = 0.2


def tail(file: Path, count: int, *, follow: bool, wait: Callable[[float], None] = time.sleep) -> Iterator[bytes]:
    """Yield the last `count` lines; with `follow`, go on for ever. Raises OSError, Gap when the record is replaced."""
    found, position = last_lines(file, count)
    yield from found
    feed = Feed(file, position, lambda: None)
    while follow:
        if fresh := feed.read(SINK_BATCH_BYTES, SINK_BATCH_LINES):
            yield from fresh
        else:
            wait(_POLL_SECONDS)
