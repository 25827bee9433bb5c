"""`watermark`: who sees a picture, when and why, written across it faintly, so that a copy says where it came from.

A watermark is drawn over pictures that the archive rendered. What would leave without one (instances, frames, bulk data,
video) is refused; attributes and searches show no picture, and pass.
"""

import math
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import ClassVar, Final, Literal, cast

from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from leadglass.codec.routes import RouteMatch
from leadglass.limits import WATERMARK_CHARS
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Content, Occasion
from leadglass.obligations.pictures import PAINTABLE, painted
from leadglass.obligations.treatment import Params, Treatment

Part = Literal["requester", "time", "purpose"]

_ANGLE: Final = 30  # degrees: across the lines of tables and scales, so that no crop along them removes it
_LARGEST, _SMALLEST, _SHARE = 40, 9, 36  # of letters, in pixels; and of the shorter side
_GAP: Final = 6.0  # lines between two lines of text
_METADATA: Final = "-metadata"


class WatermarkParams(Params):
    """Parameters of `watermark`."""

    show: tuple[Part, ...] = Field(
        default=("requester", "time", "purpose"), min_length=1, strict=False, description="What it says."
    )
    note: str = Field(default="", max_length=60, description="Text that it begins with, such as the hospital's name.")
    strength: int = Field(
        default=20, ge=10, le=40, description="How much of it shows, in percent: 20 is legible and hides nothing."
    )


class Watermark(Treatment):
    """Writes across rendered pictures."""

    name: ClassVar[str] = "watermark"
    schema: ClassVar[type[Params]] = WatermarkParams
    changes: ClassVar[bool] = True

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._params = cast("WatermarkParams", params)  # as the plan makes it

    def fits(self, match: RouteMatch) -> bool:
        """Everything is either without a picture, or watermarked, or refused in words (`admit`)."""
        return bool(match.route.transaction)

    def admit(self, occasion: Occasion) -> None:
        """Refuse what would show a picture without a watermark. Raises Refusal `watermark-impossible`."""
        match = occasion.match
        if match.action.name == "render":
            if match.ask.accept.partition(";")[0] not in PAINTABLE:
                raise refuse(Code.WATERMARK_IMPOSSIBLE, match.ask.accept[:80], what="a picture that is no JPEG or PNG")
        elif match.action.name == "retrieve" and not _pictureless(match):
            raise refuse(Code.WATERMARK_IMPOSSIBLE, match.route.transaction, what=match.route.says)

    async def content(self, content: Content, occasion: Occasion) -> Content:
        """Return a rendered picture with the watermark; anything else as it is. Raises Refusal `upstream-invalid`."""
        if occasion.match.action.name != "render":
            return content
        return await painted(content, partial(draw, text=self._text(occasion), strength=self._params.strength))

    def _text(self, occasion: Occasion) -> str:
        question = occasion.question
        if question is None:  # a test's alone: nobody is let in without one
            raise refuse(Code.INTERNAL_FAULT, "a watermark without a question")
        said = {
            "requester": question.subject.id,
            "time": datetime.fromtimestamp(occasion.now, UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "purpose": question.context.purpose or "",
        }
        parts = (self._params.note, *(said[part] for part in self._params.show))
        return "  ".join(
            "".join(character if character.isprintable() else "?" for character in part[:WATERMARK_CHARS])
            for part in parts
            if part
        )

    def describe(self) -> str:
        """Return the sentence."""
        return "Pictures bear your name, the time and the purpose."


def _pictureless(match: RouteMatch) -> bool:
    return match.route.judged == "file" or match.route.transaction.endswith(_METADATA)


def draw(picture: Image.Image, *, text: str, strength: int) -> None:
    """Write `text` across a picture, in rows that lean: light with a dark edge, so that it is legible on both.

    Of a pixel at most `strength` percent become the text's.
    """
    stencil = _stencil(picture.size, text).point([value * strength // 100 for value in range(256)])
    deep = picture.mode == "I;16"
    shade = Image.new("L", picture.size)
    shade.paste(stencil, (1, 1))
    if not deep:
        for colour, layer in ((0, shade), (255, stencil)):
            picture.paste((colour,) * 3 if picture.mode == "RGB" else colour, mask=layer)
        return
    import numpy as np  # takes time to import, and pictures of 16 bits are rare

    pixels = np.asarray(picture).astype(np.uint32)
    for colour, layer in ((0, shade), (0xFFFF, stencil)):
        part = np.asarray(layer).astype(np.uint32)
        pixels = (pixels * (255 - part) + colour * part) // 255
    picture.paste(Image.fromarray(pixels.astype(np.uint16)))


@lru_cache(maxsize=8)
def _stencil(size: tuple[int, int], text: str) -> Image.Image:
    """Return how much of each pixel the text covers. A viewer scrolls through pictures of one size: it is drawn once a minute."""
    width, height = size
    font = ImageFont.load_default(max(_SMALLEST, min(_LARGEST, min(size) // _SHARE)))
    left, top, right, bottom = font.getbbox(text)
    line = max(1, math.ceil((bottom - top) * _GAP))
    step = max(1, math.ceil(right - left + bottom - top))
    side = math.ceil(math.hypot(width, height))
    sheet = Image.new("L", (side, side))
    pen = ImageDraw.Draw(sheet)
    for row, y in enumerate(range(0, side, line)):
        for x in range(-(row % 3) * step // 3, side, step):
            pen.text((x, y), text, fill=255, font=font)
    turned = sheet.rotate(_ANGLE, Image.Resampling.BILINEAR)
    across, down = (side - width) // 2, (side - height) // 2
    return turned.crop((across, down, across + width, down + height))
