"""Rendered pictures (PS3.18 section 8.3.5) opened, painted and packed again: JPEG and PNG alone, within bounds, by a process apart.

What a picture said beside its pixels (comments, EXIF, text chunks, profiles, thumbnails) does not leave.
"""

import io
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeAlias

from PIL import Image, JpegImagePlugin

from leadglass.apart import APART, ApartError
from leadglass.codec.multipart import ContentType
from leadglass.limits import PICTURE_BYTES, PICTURE_PIXELS
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code
from leadglass.obligations.aside import aside
from leadglass.obligations.occasion import Content

Paint: TypeAlias = Callable[[Image.Image], object]
"""Changes a picture in place: greyscale of 8 or 16 bits (mode L or I;16) or red, green and blue (RGB). It can be pickled."""

_FORMATS: Final = ((b"\xff\xd8\xff", "JPEG", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "PNG", "image/png"))
PAINTABLE: Final = frozenset(media for _, _, media in _FORMATS)
"""The media types of pictures that can be painted."""

_QUALITY: Final = 90  # of a JPEG whose own tables are not known
_MODES: Final = {"1": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGBA": "RGB", "I;16B": "I;16"}

Image.MAX_IMAGE_PIXELS = None  # it would warn; the bound is PICTURE_PIXELS, held before a pixel is opened


def _invalid(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_INVALID, detail)


async def painted(content: Content, paint: Paint, fit: tuple[int, int] | None = None) -> Content:
    """Return a picture as `paint` leaves it, in the form that it came in. Raises Refusal `upstream-invalid`, UpstreamBroken.

    The form is that of its bytes: Orthanc's WADO-URI says image/png of a JPEG (1.10, tried).
    With `fit` it is then made to fit into so many columns and rows, its proportions kept. It is read whole before a byte of it leaves; so many at once are worked on, and the others wait.
    """
    if content.kind.media not in PAINTABLE:
        raise _invalid("a picture in a form that cannot be painted")
    body, size = bytearray(), 0
    async for piece in content.body:
        size += len(piece)
        if size > PICTURE_BYTES:
            raise _invalid(f"a picture of more than {PICTURE_BYTES} bytes")
        body += piece
    form, media = next(((form, media) for magic, form, media in _FORMATS if body.startswith(magic)), ("", ""))
    if not form:
        raise _invalid("a picture in a form that cannot be painted")
    try:
        packed = await aside(APART.do, _repaint, bytes(body), form, paint, fit)
    except ApartError as error:
        raise _invalid(f"a picture that cannot be painted ({error})") from None
    if isinstance(packed, str):
        raise _invalid(packed)
    return Content(ContentType(media, {}), _once(packed))


def _repaint(body: bytes, form: str, paint: Paint, fit: tuple[int, int] | None) -> bytes | str:
    """Do it, in a process apart: a refusal does not travel, and its detail does."""
    try:
        return repaint(body, form, paint, fit)
    except Refusal as refusal:
        return refusal.detail


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def repaint(body: bytes, form: str, paint: Paint, fit: tuple[int, int] | None = None) -> bytes:
    """Return a picture of the form JPEG or PNG as `paint` leaves it. Raises Refusal `upstream-invalid`."""
    try:
        with Image.open(io.BytesIO(body), formats=(form,)) as picture:
            _check(picture)
            how = _how(picture)
            plain = picture.convert(_MODES[picture.mode]) if picture.mode in _MODES else picture.copy()
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the decoder makes of it, it is not passed on
        raise _invalid(f"a picture that cannot be read ({type(error).__name__})") from None
    if plain.mode not in {"L", "RGB", "I;16"}:
        raise _invalid(f"a picture of the mode {plain.mode}")
    plain.info = {}
    paint(plain)
    if fit is not None:
        plain = _fitted(plain, fit)
    out = io.BytesIO()
    plain.save(out, form, **how)
    return out.getvalue()


def _check(picture: Image.Image) -> None:
    """Look at a picture before its pixels are opened."""
    if picture.width * picture.height > PICTURE_PIXELS:
        raise _invalid(f"a picture of more than {PICTURE_PIXELS} pixels")
    if getattr(picture, "n_frames", 1) != 1:
        raise _invalid("a picture that moves")


def _fitted(picture: Image.Image, fit: tuple[int, int]) -> Image.Image:
    scale = min(fit[0] / picture.width, fit[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if size[0] * size[1] > PICTURE_PIXELS:
        raise _invalid(f"a picture of more than {PICTURE_PIXELS} pixels")
    # Nothing of what was painted over is there any more, so no way of scaling can bring it back.
    return picture.resize(size, Image.Resampling.NEAREST if picture.mode == "I;16" else Image.Resampling.BILINEAR)


def _how(picture: Image.Image) -> dict[str, Any]:
    """Return how to pack it: a JPEG with the tables that it came with, so that its quality is what was asked for."""
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return {"compress_level": 1} if picture.format == "PNG" else {"quality": _QUALITY}
    sampling = JpegImagePlugin.get_sampling(picture)
    how: dict[str, Any] = {"qtables": picture.quantization}
    if picture.mode == "RGB" and sampling >= 0:
        how["subsampling"] = sampling
    return how
