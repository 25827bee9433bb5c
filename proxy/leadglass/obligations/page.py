"""A search reply that is opened to be judged: read within bounds, parsed once, written anew (PS3.18 annex F).

Rows that do not name their study, or name another than the address does, cannot be judged and are dropped.
"""

import asyncio
import gzip
from dataclasses import dataclass
from typing import Final

from leadglass.codec.dicomjson import Row, parse_rows, write_rows
from leadglass.codec.inflate import InflateError, inflate
from leadglass.codec.query import STUDY_UID
from leadglass.codec.routes import RouteMatch
from leadglass.codec.uid import is_uid
from leadglass.codec.workitem import Workitem, read_workitem
from leadglass.limits import COMPRESS_LEVEL, COMPRESS_MIN_BYTES, JUDGED_JSON_BYTES, OFFLOAD_BYTES
from leadglass.model.errors import Refusal, UpstreamBroken, refuse
from leadglass.model.ports import Links, UpstreamReply
from leadglass.model.reasons import Code
from leadglass.obligations.led import led_whole
from leadglass.obligations.treatment import PageRow

JSON_TYPES: Final = frozenset({"application/dicom+json", "application/json"})


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one search reply. `studies` are their distinct Study Instance UIDs in the order they came.

    `links` says where links in them lead, None when they may pass as they are.
    """

    rows: tuple[PageRow, ...]
    studies: tuple[str, ...]
    links: Links | None = None


async def read_page(reply: UpstreamReply, match: RouteMatch) -> Page:
    """Read a search reply whole. Raises Refusal `upstream-invalid`."""
    rows = await _read(reply)
    limit = len(rows) if match.search is None else match.search.limit
    kept = [item for row in rows[:limit] if (item := _judgeable(row, match.resource.study_uid)) is not None]
    return Page(tuple(kept), tuple(dict.fromkeys(item.study_uid for item in kept)), reply.links)


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


def _judgeable(row: Row, study_uid: str | None) -> PageRow | None:
    """Return the row with its study, None when it has not exactly one, or another than the address names."""
    values = row.get(STUDY_UID, {}).get("Value")
    if not isinstance(values, list) or len(values) != 1:
        return None
    uid = values[0]
    if not isinstance(uid, str) or not is_uid(uid) or uid != (study_uid or uid):
        return None
    return PageRow(uid, row)


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
