"""A search reply that is opened to be judged: read within bounds, parsed once, written anew (PS3.18 annex F).

Rows that do not name their study, or name another than the address does, cannot be judged and are dropped.
"""

import asyncio
import gzip
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from leadglass.codec.dicomjson import Row, parse_rows, write_rows
from leadglass.codec.inflate import InflateError, inflate
from leadglass.codec.query import SERIES_UID, STUDY_UID
from leadglass.codec.routes import RouteMatch
from leadglass.codec.uid import is_uid
from leadglass.codec.workitem import Workitem, read_workitem
from leadglass.limits import COMPRESS_LEVEL, COMPRESS_MIN_BYTES, JUDGED_JSON_BYTES, OFFLOAD_BYTES
from leadglass.model.errors import Refusal, UpstreamBroken, refuse
from leadglass.model.ports import Links, UpstreamReply
from leadglass.model.reasons import Code
from leadglass.obligations.led import led_whole
from leadglass.obligations.treatment import PageRow

_MORE: Final = "299"  # PS3.18 section 8.3.4.4: there are more results than were sent
# Series Instance UID, SOP Instance UID and Patient ID: all of them are required in rows of their levels (PS3.18 section 10.6.3.3).
_IDENTITY: Final = (SERIES_UID, "00080018", "00100020")
JSON_TYPES: Final = frozenset({"application/dicom+json", "application/json"})


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one search reply. `studies` are their distinct Study Instance UIDs in the order they came.

    `count` is how many rows the archive gave, those that cannot be judged among them, and `more` whether it says that it
    left some out. `links` says where links in them lead, None when they may pass as they are.
    """

    rows: tuple[PageRow, ...]
    studies: tuple[str, ...]
    links: Links | None = None
    count: int = 0
    more: bool = False

    def of(self, rows: Iterable[PageRow]) -> "Page":
        """Return the page with these rows of it alone."""
        kept = tuple(rows)
        return replace(self, rows=kept, studies=tuple(dict.fromkeys(item.study_uid for item in kept)))


async def read_page(reply: UpstreamReply, match: RouteMatch, limit: int) -> Page:
    """Read a search reply whole, at most `limit` rows of it. Raises Refusal `upstream-invalid`."""
    rows = (await _read(reply))[:limit]
    study_uid = match.resource.study_uid
    kept = [item for place, row in enumerate(rows) if (item := _judgeable(row, study_uid, place)) is not None]
    more = _MORE in reply.headers.get("warning", "")
    return Page((), (), reply.links, len(rows), more).of(kept)


def identity(item: PageRow) -> int:
    """Return what tells a row from others of its search: its UIDs, and whose it is.

    A study stored under one UID for two patients is two rows. A row without any UID is known by all of it.
    """
    row = item.row
    uids = [str(row[tag].get("Value")) for tag in _IDENTITY if tag in row]
    return hash((item.study_uid, *uids)) if uids else hash((item.study_uid, write_rows([row])))


async def read_workitems(reply: UpstreamReply, limit: int) -> list[Workitem]:
    """Read workitems whole, at most `limit` of them. Raises Refusal `upstream-invalid`."""
    return [read_workitem(row, _invalid) for row in (await _read(reply))[:limit]]


async def _read(reply: UpstreamReply) -> list[Row]:
    if reply.status == 204:  # noqa: PLR2004 - RFC 9110 section 15.3.5: nothing found
        reply.abort()
        return []
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = reply.headers.get("content-encoding", "identity").lower()
    if kind not in JSON_TYPES or coding not in {"identity", "gzip"}:
        reply.abort()
        raise _invalid("search results that are not JSON")
    body = await reply.read(JUDGED_JSON_BYTES)
    try:
        if coding == "gzip":
            body = await _offloaded_inflate(body)
    except InflateError as error:
        raise _invalid(f"search results: {error}") from None
    return parse_rows(body)


def _invalid(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_INVALID, detail)


async def _offloaded_inflate(body: bytes) -> bytes:
    if len(body) < OFFLOAD_BYTES:
        return inflate(body, JUDGED_JSON_BYTES)
    return await asyncio.to_thread(inflate, body, JUDGED_JSON_BYTES)


def _judgeable(row: Row, study_uid: str | None, place: int) -> PageRow | None:
    """Return the row with its study, None when it has not exactly one, or another than the address names."""
    values = row.get(STUDY_UID, {}).get("Value")
    if not isinstance(values, list) or len(values) != 1:
        return None
    uid = values[0]
    if not isinstance(uid, str) or not is_uid(uid) or uid != (study_uid or uid):
        return None
    return PageRow(uid, row, place)


async def write_page(rows: list[PageRow], links: Links | None = None, *, compress: bool) -> tuple[bytes, bool]:
    """Return the body of these rows, and whether it is gzipped. Raises Refusal `upstream-invalid`."""
    body = write_rows([item.row for item in rows])
    if links is not None:
        try:
            body = await led_whole(body, links)
        except UpstreamBroken as error:
            raise _invalid(f"links of search results: {error}") from None
    if not compress or len(body) < COMPRESS_MIN_BYTES:
        return body, False
    if len(body) < OFFLOAD_BYTES:
        return gzip.compress(body, COMPRESS_LEVEL, mtime=0), True
    return await asyncio.to_thread(gzip.compress, body, COMPRESS_LEVEL, mtime=0), True
