"""The facts door: a handful of fixed QIDO-RS queries (PS3.18 section 10.6) from which policy learns of a study.

No path, key or value of a client reaches these queries but UIDs, which are checked once more here. Rows are returned
as they came; whether they answer the question is for `attributes` to check.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson

from leadglass.codec.inflate import InflateError, inflate
from leadglass.codec.kinds import KINDS
from leadglass.limits import FACTS_BYTES, FACTS_PARALLEL, FACTS_TIMEOUT_SECONDS, PICTURES_BYTES, UID_CHARS
from leadglass.model.ask import Ask
from leadglass.model.errors import FactsUnavailable, LeadglassError
from leadglass.upstream.reply import Reply

_UID = re.compile(rf"[0-9.]{{1,{UID_CHARS}}}")
_JSON: Final = frozenset({"application/dicom+json", "application/json"})
_UIDS_A_QUERY: Final = 100  # 6.5 kB of target; Orthanc's HTTP server reads heads of 16 KiB


def _fields(*tags: str) -> str:
    return "".join(f"&includefield={tag}" for tag in tags)


# What policy reads at study level: date, modalities, referring physician, description, patient id and its issuer;
_STUDY: Final = _fields("00080020", "00080061", "00080090", "00081030", "00100020", "00100021")
# at series level: modality, institution, body part;
_SERIES: Final = _fields("00080060", "00080080", "00180015")
# of an instance: SOP class, patient id and its issuer.
_INSTANCE: Final = _fields("00080016", "00100020", "00100021")

# For research views alone: who text is to be cleaned of, at study level and at series level (deid/known.py; only what
# archives hold in their index, since a page of studies is asked for),
_PEOPLE: Final = _fields(
    "00080050", "00080080", "00080090", "00100010", "00100020", "00100030", "00101000", "00321032", "0020000D"
)
_STAFF: Final = _fields("00080080", "00081010", "00081050", "00081070", "0020000D")
# and what tells whether pixels may show the patient (deid/headers.py).
_PICTURE: Final = _fields(
    "00080008", "00080016", "00080060", "00080064", "00080070", "00081090", "00181020", "0020000D", "0020000E", "00280002",
    "00280004", "00280006", "00280008", "00280010", "00280011", "00280100", "00280101", "00280103", "00280301", "00280302",
)  # fmt: skip

_MORE: Final = "299"  # PS3.18 section 8.3.4.4: there are more results than were sent

Rows = list[dict[str, Any]]


class Facts:
    """model.ports.FactsDoor. `fetch` sends one Ask over the places kept for facts and returns the reply."""

    def __init__(self, fetch: Callable[[Ask], Awaitable[Reply]], *, kind: str) -> None:
        self._fetch = fetch
        self._lists = KINDS[kind].uid_lists
        self._parallel = asyncio.Semaphore(FACTS_PARALLEL)

    async def studies(self, uids: Sequence[str]) -> Rows:
        """Return the study rows for these Study Instance UIDs. Raises FactsUnavailable."""
        return await self._all([f"/studies?StudyInstanceUID={part}{_STUDY}" for part in self._parts(uids)])

    async def series(self, uids: Sequence[str]) -> Rows:
        """Return the series rows of these studies. Raises FactsUnavailable."""
        parts = self._parts(uids)
        if len(uids) == 1 or not self._lists:
            return await self._all([f"/studies/{part}/series?{_SERIES.removeprefix('&')}" for part in parts])
        return await self._all([f"/series?StudyInstanceUID={part}{_SERIES}" for part in parts])

    async def instances(self, study: str, series: str) -> Rows:
        """Return all instance rows of this series under this study. Raises FactsUnavailable."""
        path = f"/studies/{_checked(study)}/series/{_checked(series)}/instances"
        return await self._all([f"{path}?{_INSTANCE.removeprefix('&')}"])

    async def people(self, uids: Sequence[str]) -> tuple[Rows, Rows]:
        """Return the study rows and the series rows that name people of these studies. Raises FactsUnavailable."""
        parts = self._parts(uids)
        studies = [f"/studies?StudyInstanceUID={part}{_PEOPLE}" for part in parts]
        series = [f"/series?StudyInstanceUID={part}{_STAFF}" for part in parts]
        if len(uids) == 1 or not self._lists:
            series = [f"/studies/{part}/series?{_STAFF.removeprefix('&')}" for part in parts]
        return await self._all(studies), await self._all(series)

    async def pictures(self, study: str, series: str | None = None) -> Rows:
        """Return of all instances of this study, or of a series of it, what tells of their pixels. Raises FactsUnavailable."""
        path = f"/studies/{_checked(study)}" + ("" if series is None else f"/series/{_checked(series)}")
        return await self._all([f"{path}/instances?{_PICTURE.removeprefix('&')}"], PICTURES_BYTES)

    async def instance_anywhere(self, instance: str) -> Rows:
        """Return the instance rows with this SOP Instance UID in any study. Raises FactsUnavailable."""
        return await self._all([f"/instances?SOPInstanceUID={_checked(instance)}{_INSTANCE}"])

    async def workitem(self, uid: str) -> Rows:
        """Return the workitem with this UID as one row, none when there is no such workitem. Raises FactsUnavailable."""
        return await self._all([f"/workitems/{_checked(uid)}"])

    def _parts(self, uids: Sequence[str]) -> list[str]:
        """Join UIDs into the lists that one query may carry. An empty UID would match everything."""
        checked = [_checked(uid) for uid in uids]
        size = _UIDS_A_QUERY if self._lists else 1
        return [",".join(checked[start : start + size]) for start in range(0, len(checked), size)]

    async def _all(self, targets: Sequence[str], limit: int = FACTS_BYTES) -> Rows:
        try:
            async with asyncio.timeout(FACTS_TIMEOUT_SECONDS):
                if len(targets) == 1:
                    return await self._rows(targets[0], limit)
                pages = await asyncio.gather(*(self._bounded(target) for target in targets))
        except TimeoutError:
            raise FactsUnavailable(f"no facts within {FACTS_TIMEOUT_SECONDS:.0f} s") from None
        return [row for page in pages for row in page]

    async def _bounded(self, target: str) -> Rows:
        async with self._parallel:
            return await self._rows(target, FACTS_BYTES)

    async def _rows(self, target: str, limit: int) -> Rows:
        path, _, query = target.partition("?")
        ask = Ask("GET", "dicomweb", path, query, accept="application/dicom+json")
        try:
            reply = await self._fetch(ask)
            if reply.status in {204, 404}:  # some archives say 404 where there is nothing to list
                reply.abort()
                return []
            body = await reply.read(limit)
        except LeadglassError as error:
            raise FactsUnavailable(str(error)) from error
        if reply.status != 200:  # noqa: PLR2004 - RFC 9110 section 15.3.1
            raise FactsUnavailable(f"the archive answered {reply.status}")
        if _MORE in reply.headers.get("warning", ""):  # a part of the rows would pass for all of them
            raise FactsUnavailable("the archive says that it left rows out")
        return _parse(reply, body, limit)


def _checked(uid: str) -> str:
    if not _UID.fullmatch(uid):
        raise FactsUnavailable("not a UID")
    return uid


def _parse(reply: Reply, body: bytes, limit: int) -> Rows:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise FactsUnavailable("the facts are not JSON")
    coding = reply.headers.get("content-encoding", "identity").lower()
    try:
        if coding == "gzip":
            body = inflate(body, limit)
        elif coding != "identity":
            raise FactsUnavailable("the facts are in a coding that was not asked for")
        rows = orjson.loads(body)
    except (InflateError, orjson.JSONDecodeError) as error:
        raise FactsUnavailable(f"the facts cannot be read: {type(error).__name__}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FactsUnavailable("the facts are not a list of rows")
    return rows
