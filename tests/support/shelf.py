"""An archive that pages, with as many studies as a test wants."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from aiohttp import web

from support.facts import series_row, study_row

UID = "0020000D"


class Shelf:
    """An archive that pages as Orthanc does. A study whose UID begins with 9 is of a patient whose MR is hidden."""

    def __init__(self, *uids: str) -> None:
        self.uids = list(uids)
        self.asked: list[tuple[int, int]] = []  # offset and limit
        self.then: Callable[[], Awaitable[None] | None] = lambda: None  # after each page

    def row(self, uid: str) -> dict[str, Any]:
        return study_row(uid, patient_id="P002" if uid.startswith("9.") else "P001", modalities=["MR"])

    def _wanted(self, request: web.Request) -> list[str]:
        named = request.query.get("StudyInstanceUID", request.query.get(UID))
        return self.uids if named is None else [uid for uid in named.split(",") if uid in self.uids]

    async def studies(self, request: web.Request) -> web.Response:
        if not request.path.endswith("/studies"):
            return self._say([series_row(request.path.split("/")[3], modality="MR")])
        rows = [self.row(uid) for uid in self._wanted(request)]
        return await self._page(request, rows)

    async def series(self, request: web.Request) -> web.Response:
        rows = [series_row(uid, f"{uid}.{n}", "MR") for uid in self._wanted(request) for n in (1, 2)]
        return await self._page(request, rows)

    async def _page(self, request: web.Request, rows: Sequence[dict[str, Any]]) -> web.Response:
        if "limit" not in request.query:
            return self._say(rows)
        offset, limit = int(request.query.get("offset", "0")), int(request.query["limit"])
        self.asked.append((offset, limit))
        answer = self._say(rows[offset : offset + limit])
        if (then := self.then()) is not None:
            await then
        return answer

    def _say(self, rows: Sequence[dict[str, Any]]) -> web.Response:
        return web.Response(body=orjson.dumps(rows), content_type="application/dicom+json")
