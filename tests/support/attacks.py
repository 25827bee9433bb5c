"""What must hold after every attack: a clear no, one line of the record, nothing forwarded, and the process up."""

import asyncio
from collections.abc import Callable
from typing import Any

from support.door import parse_head
from support.gateway import CT, Running

METADATA = f"/dicom-web/studies/{CT.uid}/metadata"


class Watch:
    """The record and the archive, as they were before an attack."""

    def __init__(self, run: Running) -> None:
        self._run = run
        self.lines = len(run.record())
        run.archive.clear()

    def new(self) -> list[dict[str, Any]]:
        return self._run.record()[self.lines :]

    async def recorded(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for the lines of the attack and return them."""
        async with asyncio.timeout(5):
            while len(self.new()) < count:  # noqa: ASYNC110 - written by another task
                await asyncio.sleep(0.002)
        return self.new()

    async def refused(self) -> dict[str, Any]:
        """Return the one line that says no; nothing was asked of the archive."""
        lines = await self.recorded()
        assert len(lines) == 1, lines
        assert lines[0]["decision"]["allow"] is False
        assert lines[0]["decision"]["reasons"]
        assert self._run.archive.asked == []
        return lines[0]


def statuses(data: bytes) -> list[int]:
    """Return the status of every reply in what came back, by its own framing."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status, fields = parse_head(head + b"\r\n\r\n")
        found.append(status)
        data = rest[int(fields.get("content-length", "0")) :]
    return found


async def still_serves(run: Running) -> None:
    """Show that a good request goes through."""
    run.clock.advance(1)  # so that the count of strangers per minute begins anew from time to time
    await run.tell()
    assert (await run.ask(METADATA)).status == 200


Attack = Callable[[Running], bytes]
