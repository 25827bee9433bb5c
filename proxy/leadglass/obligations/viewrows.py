"""Rows of searches and metadata as a view shows them: de-identified, and without the instances that are not in it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from leadglass.codec.dicomjson import Row, parse_rows, write_rows
from leadglass.codec.query import SERIES_UID, STUDY_UID
from leadglass.codec.routes.spelling import HANDLE, INSTANCE_UID
from leadglass.deid.headers import header_of
from leadglass.deid.jsonset import Bulk, deidentify_row, row_of
from leadglass.deid.markers import markers
from leadglass.deid.values import Values
from leadglass.limits import JUDGED_JSON_BYTES
from leadglass.model.errors import Cut, refuse
from leadglass.model.facts import Resource, Study
from leadglass.model.reasons import Code
from leadglass.obligations.treatment import PageRow
from leadglass.obligations.view import PIXELS, PLACES, View, uid_of

_LINK: Final = "00081190"  # Retrieve URL
_INSTANCES: Final = "00201209"  # Number of Series Related Instances
_BURNED_IN: Final = "00280301"
_BREATHER: Final = 20  # rows after which others have their turn: some 5 ms of a CT's metadata


async def shown(view: View, rows: Sequence[PageRow], level: str) -> list[PageRow]:
    """Return the rows of a search as the view has them. `level` is `study`, `series` or `instance`. Raises Refusal."""
    known = await view.pictures.people([item.study_uid for item in rows]) if rows else {}
    resource = view.occasion.match.resource
    if level != "study" and rows and resource.study_uid is not None and resource.series_uid is None:
        await view.pictures.of_study(resource.study_uid)  # one question in place of one for each series
    each: dict[str, Values | None] = {}
    kept: list[PageRow] = []
    for at, item in enumerate(rows):
        uid = item.study_uid
        if uid not in each:
            study = view.occasion.study(uid)
            each[uid] = None if study is None or not view.told(study) else view.values(study, known[uid])
        values = each[uid]
        if values is None or (level != "study" and not await _in_view(view, item.row, uid, level)):
            continue  # whose it is, or what it is, is not known, or not for the view
        row = deidentify_row(item.row, values)
        if _LINK in row:
            row[_LINK] = {"vr": "UR", "Value": [view.address(row, level)]}
        kept.append(PageRow(uid, row, item.place))
        if at % _BREATHER == _BREATHER - 1:
            await asyncio.sleep(0)
    await view.keep()
    return kept


async def _in_view(view: View, row: Row, study: str, level: str) -> bool:
    """Whether a series has any instance in the view, or an instance is one; the count of a series becomes that of these."""
    headers = await view.pictures.of_series(study, uid_of(row, SERIES_UID)) if uid_of(row, SERIES_UID) else {}
    if level == "instance":
        header = headers.get(uid_of(row, INSTANCE_UID))
        return header is not None and view.judge(header) is not None
    count = sum(view.judge(header) is not None for header in headers.values())
    if count and _INSTANCES in row:
        row[_INSTANCES] = {"vr": "IS", "Value": [count]}
    return count > 0


async def metadata(view: View, body: AsyncIterator[bytes], resource: Resource, study: Study) -> AsyncIterator[bytes]:
    """Yield the metadata of instances as the view has them.

    Raises Refusal `upstream-invalid`, `pixels-at-risk` for an instance asked for by itself, and Cut `part-mismatch`.
    """
    rows = parse_rows(await _whole(body))
    known = (await view.pictures.people([study.study_uid]))[study.study_uid]
    values = view.values(study, known)
    kept: list[Row] = []
    for at, row in enumerate(rows):
        _check(row, resource)
        header = header_of(row)
        judgement = view.judge(header)
        if judgement is None:
            if resource.instance_uid is not None:
                view.lens.pixels.judge(header)  # says why
            continue
        done = deidentify_row(row, values, bulk=_bulk(view, row, masked=judgement.verdict == "mask"), marked=True)
        done.pop(_LINK, None)
        if judgement.verdict == "mask":
            done |= {_BURNED_IN: {"vr": "CS", "Value": ["NO"]}}
            done |= row_of(markers(view.lens.rules.profile, pixels_cleaned=True))
        kept.append(dict(sorted(done.items())))
        if at % _BREATHER == _BREATHER - 1:
            await asyncio.sleep(0)
    if rows and not kept:
        raise refuse(Code.STUDY_NOT_VISIBLE, "nothing of it is in the view")
    await view.keep()
    yield write_rows(kept)


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    held = bytearray()
    async for chunk in body:
        held += chunk
        if len(held) > JUDGED_JSON_BYTES:
            raise refuse(Code.UPSTREAM_INVALID, f"JSON of more than {JUDGED_JSON_BYTES} bytes")
    return bytes(held)


def _check(row: Row, resource: Resource) -> None:
    """Hold a row to what was asked for: the archive may be wrong, and the permit is not for others."""
    for tag, wanted in (
        (STUDY_UID, resource.study_uid),
        (SERIES_UID, resource.series_uid),
        (INSTANCE_UID, resource.instance_uid),
    ):
        named = uid_of(row, tag)
        if not named or named != (wanted or named):
            raise Cut(Code.PART_MISMATCH, "metadata of another instance than was asked for")


def _bulk(view: View, row: Row, *, masked: bool) -> Bulk:
    """Return what gives the bulk data of an instance their URIs: handles, and never what the archive wrote."""
    instance = uid_of(row, INSTANCE_UID)
    uids = tuple(view.spelt(tag, uid_of(row, tag)) or "" for _, tag in PLACES)
    place = "/".join(f"{name}/{uid}" for (name, _), uid in zip(PLACES, uids, strict=True))

    def uri(_was: str, path: str) -> str | None:
        parts = path.split(".")
        if not view.shows_bulk(".".join(parts[::2])) or (masked and parts[-1] in PIXELS):
            return None
        # Items count from 0 in a path of JSON, and from 1 in an address.
        written = "/".join(str(int(part) + 1) if at % 2 else part for at, part in enumerate(parts))
        return f"{view.occasion.base}/{place}/{HANDLE}/{view.handle(instance, written)}"

    return uri
