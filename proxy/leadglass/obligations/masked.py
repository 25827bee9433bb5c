"""Rendered pictures with the regions of a device's mask painted black, as the instance itself leaves painted.

The archive is asked for the whole picture at its own size, so that every region lies where the mask says; it is made as
small as the client wanted it here. A picture of another size is none that can be masked.
"""

from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from PIL import Image

from leadglass.codec.routes import RouteMatch
from leadglass.codec.routes.keys import write_keys
from leadglass.deid.instance import Header
from leadglass.deid.risk import Region
from leadglass.limits import PICTURE_PIXELS
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Content
from leadglass.obligations.pictures import painted

_SIZES: Final = ("viewport", "rows", "columns")
_THUMBNAIL: Final = "/thumbnail"
_THUMBNAIL_SIDE: Final = 128
_WHOLE: Final = 2  # numbers of a viewport that shows the whole picture


def uncropped(match: RouteMatch) -> RouteMatch:
    """Return the request for the whole picture at its own size. Raises Refusal `view-refused` for a part of one."""
    ask = match.ask
    keys = dict(parse_qsl(ask.query))
    if "region" in keys or len(keys.get("viewport", "").split(",")) > _WHOLE:
        raise refuse(Code.VIEW_REFUSED, match.route.transaction, what="a part of a picture that has a mask")
    for name in _SIZES:
        keys.pop(name, None)
    path = f"{ask.path.removesuffix(_THUMBNAIL)}/rendered" if ask.path.endswith(_THUMBNAIL) else ask.path
    return match._replace(ask=ask._replace(path=path, query=write_keys(keys)))


def wanted(match: RouteMatch) -> tuple[int, int] | None:
    """Return the columns and rows into which the client wants a picture to fit, None for its own size."""
    keys = dict(parse_qsl(match.ask.query))
    if "viewport" in keys:
        across, down, *_ = map(int, keys["viewport"].split(","))
        return max(across, 1), max(down, 1)
    if "columns" in keys or "rows" in keys:
        return int(keys.get("columns") or PICTURE_PIXELS), int(keys.get("rows") or PICTURE_PIXELS)
    return (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE) if match.ask.path.endswith(_THUMBNAIL) else None


async def masked(content: Content, header: Header, regions: tuple[Region, ...], fit: tuple[int, int] | None) -> Content:
    """Return the picture with the regions black, in the size that was `wanted`. `content` answers what `uncropped` asks.

    Raises Refusal `upstream-invalid`, also for a picture of another size than the instance, and UpstreamBroken.
    """
    return await painted(content, partial(_mask, header, regions), fit)


def _mask(header: Header, regions: tuple[Region, ...], picture: Image.Image) -> None:
    if picture.size != (header.columns, header.rows):
        raise refuse(Code.UPSTREAM_INVALID, "a picture of another size than the instance: its mask would lie wrong")
    black = (0, 0, 0) if picture.mode == "RGB" else 0
    for one in regions:
        picture.paste(black, (one.left, one.top, one.left + one.width, one.top + one.height))
