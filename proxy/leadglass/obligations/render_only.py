"""`render-only`: pictures and lists, and never the data behind them, as referring physicians see images on the web.

Searches, rendered pictures, thumbnails and attributes pass; of attributes nothing that holds or names bulk data. Whatever
else there is, is refused.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import ClassVar

from leadglass.codec.accept import JSON
from leadglass.codec.dicomjson import Row, parse_rows, write_rows
from leadglass.codec.multipart import ContentType
from leadglass.codec.routes import RouteMatch
from leadglass.limits import JUDGED_JSON_BYTES, OFFLOAD_BYTES
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Content, Occasion
from leadglass.obligations.page import JSON_TYPES
from leadglass.obligations.treatment import PageRow, Params, Treatment, Verdict

_METADATA = "-metadata"
_HELD = ("BulkDataURI", "InlineBinary")


class NoParams(Params):
    """`render-only` takes no parameters."""


class RenderOnly(Treatment):
    """Lets nothing pass but pictures and attributes."""

    name: ClassVar[str] = "render-only"
    schema: ClassVar[type[Params]] = NoParams
    changes: ClassVar[bool] = True

    def fits(self, match: RouteMatch) -> bool:
        """Everything is either shown or refused in words (`admit`)."""
        return bool(match.route.transaction)

    def admit(self, occasion: Occasion) -> None:
        """Refuse all but pictures, attributes, searches and the files of a viewer. Raises Refusal `render-only`."""
        route, action = occasion.match.route, occasion.match.action.name
        if route.judged not in {"rows", "file"} and action != "render" and not route.transaction.endswith(_METADATA):
            raise refuse(Code.RENDER_ONLY, route.transaction, what=route.says)

    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:  # noqa: ARG002 - the shape of all treatments
        """Return the rows without bulk data."""
        return [replace(item, row=without_bulk(item.row)) for item in rows]

    async def content(self, content: Content, occasion: Occasion) -> Content:
        """Return attributes without bulk data; pictures as they are. Raises Refusal `upstream-invalid`, UpstreamBroken."""
        if not occasion.match.route.transaction.endswith(_METADATA):
            return content
        if content.kind.media not in JSON_TYPES:
            raise refuse(Code.UPSTREAM_INVALID, "attributes that are not JSON")
        body = bytearray()
        async for piece in content.body:
            body += piece
            if len(body) > JUDGED_JSON_BYTES:
                raise refuse(Code.UPSTREAM_INVALID, f"attributes of more than {JUDGED_JSON_BYTES} bytes")
        data = bytes(body)
        less = _less(data) if len(data) < OFFLOAD_BYTES else await asyncio.to_thread(_less, data)
        return Content(ContentType(JSON, {}), _once(less))

    def describe(self) -> str:
        """Return the sentence."""
        return "Pictures can be seen here, and the images themselves are not given out."


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _less(body: bytes) -> bytes:
    return write_rows([without_bulk(row) for row in parse_rows(body)])


def without_bulk(row: Row) -> Row:
    """Return a data set of DICOM JSON in which no attribute, at any depth, holds or names bulk data (PS3.18 annex F.2.6)."""
    kept: Row = {}
    for tag, attribute in row.items():
        if any(name in attribute for name in _HELD):
            continue
        items = attribute.get("Value")
        if isinstance(items, list) and any(isinstance(item, dict) for item in items) and attribute.get("vr") != "PN":
            items = [without_bulk(item) if isinstance(item, dict) else item for item in items]
            kept[tag] = {**attribute, "Value": items}
        else:
            kept[tag] = attribute
    return kept
