"""What a research view costs: a study whole and a page of a search, as they are and as a project's pseudonymous view, in turn.

They are read as by a researcher who has looked at them before: each pseudonym is written down once in the life of a project. What
the first reading takes stands beside it.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import orjson

from bench import archive
from bench.report import Row, Target, median
from bench.rig import PEOPLE, PROJECT, BenchError, Rig
from bench.rows import Bench

_STUDY, _PAGE = 1.25, 15.0
_QUERY = f"/dicom-web/studies?limit={archive.ROWS}&offset=0&includefield=00081030,00080060"
_DICOM = 'multipart/related; type="application/dicom"'
_PAGES, _WARMING = 40, 3


async def _project(rig: Rig) -> None:
    """Make the project by the command that administrators use."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("leadglass")), "project", "create", PROJECT, "-c", str(rig.folder / "leadglass.yaml"),
        "--title", "Bench", "--profile", "research", stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if await process.wait():
        raise BenchError("no project")


class _Reader:
    """Somebody who reads one after the other: in the clear, or in the view."""

    def __init__(self, door: aiohttp.ClientSession, rig: Rig, *, view: bool) -> None:
        self._door = door
        roles = ("radiologist", PROJECT) if view else ("radiologist",)
        self._fields = {"Authorization": f"Bearer {rig.token_of(PEOPLE[0], *roles)}"}
        if view:
            self._fields["Leadglass-Purpose"] = "HRESCH"

    async def page(self) -> tuple[float, list[str]]:
        """Return milliseconds, and the Study Instance UIDs of the page."""
        began = time.perf_counter()
        async with self._door.get(_QUERY, headers={**self._fields, "Accept": archive.JSON}) as reply:
            body = await reply.read()
        taken = (time.perf_counter() - began) * 1e3
        uids = [row["0020000D"]["Value"][0] for row in orjson.loads(body)] if reply.status == 200 else []
        if len(uids) != archive.ROWS:
            raise BenchError(f"not the page: {reply.status}")
        return taken, uids

    async def study(self, uid: str) -> float:
        """Return milliseconds."""
        began, size = time.perf_counter(), 0
        async with self._door.get(f"/dicom-web/studies/{uid}", headers={**self._fields, "Accept": _DICOM}) as reply:
            async for chunk in reply.content.iter_any():
                size += len(chunk)
        if reply.status != 200 or size < archive.CHEST.slices * 512 * 1024:
            raise BenchError(f"not the study: {reply.status}, {size} bytes")
        return (time.perf_counter() - began) * 1e3


async def views(bench: Bench) -> list[Row]:
    """Compare medians of the rounds."""
    await _project(bench.rig)
    door = aiohttp.ClientSession(f"http://127.0.0.1:{bench.rig.ports['gateway'][0]}", read_bufsize=2**20)
    async with door:
        plain, view = _Reader(door, bench.rig, view=False), _Reader(door, bench.rig, view=True)
        first_page, shown = await view.page()
        first = await view.study(shown[0])
        studies: dict[str, list[float]] = {"plain": [], "view": []}
        pages: dict[str, list[float]] = {"plain": [], "view": []}
        for _ in range(bench.rounds):
            for name, reader, uid in (("plain", plain, archive.CHEST.uid), ("view", view, shown[0])):
                studies[name].append(median([await reader.study(uid) for _ in range(3)]))
                taken = [(await reader.page())[0] for _ in range(_WARMING + _PAGES)]
                pages[name].append(median(taken[_WARMING:]))
    ratios = [seen / clear for clear, seen in zip(studies["plain"], studies["view"], strict=True)]
    more = [seen - clear for clear, seen in zip(pages["plain"], pages["view"], strict=True)]
    said = f"plain {median(studies['plain']):.0f} ms, view {median(studies['view']):.0f} ms, its first reading {first:.0f} ms"
    told = f"plain {median(pages['plain']):.1f} ms, view {median(pages['view']):.1f} ms, the first page {first_page:.0f} ms"
    return [
        Row(
            "study in a view",
            "x plain",
            {"gateway": ratios},
            [Target("x", median(ratios), _STUDY, "under")],
            said,
            studies,
        ),
        Row(
            "added to a page by a view",
            "ms",
            {"gateway": more},
            [Target("ms", median(more), _PAGE, "under")],
            told,
            pages,
        ),
    ]


VIEWS: Mapping[str, Callable[[Bench], Awaitable[list[Row]]]] = {"views": views}
