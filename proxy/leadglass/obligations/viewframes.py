"""Frames, rendered pictures and bulk data as a view shows them: without what was written beside the pixels, and masked.

The parts of the archive are framed anew; of their header fields, the media type and the transfer syntax are kept, each
proven. What is compressed in a way that cannot be cleaned does not leave.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, Protocol, TypeAlias

from leadglass.codec import png
from leadglass.codec.jpeg import JpegCleaner
from leadglass.codec.jpeg2000 import CodestreamCleaner
from leadglass.codec.multipart import ContentType, Parser, PartBegin, PartData, Writer, parse_content_type
from leadglass.codec.picture import Cleaner, PictureError
from leadglass.codec.uid import is_uid
from leadglass.deid.instance import Header
from leadglass.deid.native import UsedBits, has_unused
from leadglass.deid.pixels import masked_frame
from leadglass.deid.risk import Region
from leadglass.limits import FRAMES_LISTED, PICTURE_BYTES, PIXEL_FRAME_BYTES
from leadglass.model.errors import UpstreamBroken, refuse
from leadglass.model.reasons import Code
from leadglass.obligations.aside import aside
from leadglass.obligations.occasion import Content

_OCTETS: Final = "application/octet-stream"
_JPEG: Final = frozenset({"image/jpeg", "image/jls", "image/x-jls"})
_JPEG_2000: Final = frozenset({"image/jp2", "image/jpx", "image/jphc"})
_RLE: Final = frozenset({"image/dicom-rle", "image/x-dicom-rle"})
_NATIVE: Final = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
_OF_SYNTAX: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81)), _JPEG
    ),
    **dict.fromkeys((f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203)), _JPEG_2000),
    "1.2.840.10008.1.2.5": _RLE,
}  # fmt: skip
_DEFAULT_SYNTAX: Final = {  # PS3.18 table 8.7.3-5
    "image/jpeg": "1.2.840.10008.1.2.4.70", "image/jls": "1.2.840.10008.1.2.4.80", "image/x-jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90", "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/dicom-rle": "1.2.840.10008.1.2.5", "image/x-dicom-rle": "1.2.840.10008.1.2.5",
}  # fmt: skip
_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_JPEG_2000_MAGIC: Final = b"\xff\x4f\xff\x51"
_NATIVE_SYNTAX: Final = "1.2.840.10008.1.2.1"
_How: TypeAlias = tuple[Header | None, tuple[Region, ...], str, bool]
"""The header, the regions, the transfer syntax asked for, and whether all frames come in one."""


class _Picture(Protocol):
    """One part on its way."""

    async def feed(self, data: bytes) -> bytes:
        """Take bytes and return those that may leave."""

    async def finish(self) -> bytes:
        """Return the last bytes."""


class _Cleaned:
    """Passes a picture through a cleaner; None passes it as it is."""

    def __init__(self, cleaner: Cleaner | None) -> None:
        self._cleaner = cleaner

    async def feed(self, data: bytes) -> bytes:
        return data if self._cleaner is None else self._cleaner.feed(data)

    async def finish(self) -> bytes:
        return b"" if self._cleaner is None else self._cleaner.finish()


class _Native:
    """Pixels that are said to be native: what begins like a compressed picture is cleaned as one, whatever it is called."""

    def __init__(self, native: "_Picture") -> None:
        self._native, self._held = native, b""
        self._picture: _Picture | None = None

    async def feed(self, data: bytes) -> bytes:
        if self._picture is not None:
            return await self._picture.feed(data)
        self._held += data
        if len(self._held) < len(_JPEG_2000_MAGIC):
            return b""
        held, self._held = self._held, b""
        return await self._begun(held).feed(held)

    async def finish(self) -> bytes:
        held, self._held = self._held, b""
        picture = self._picture or self._begun(held)
        return (await picture.feed(held) if held else b"") + await picture.finish()

    def _begun(self, held: bytes) -> "_Picture":
        if held.startswith(_JPEG_MAGIC):
            self._picture = _Cleaned(JpegCleaner())
        elif held.startswith(_JPEG_2000_MAGIC):
            self._picture = _Cleaned(CodestreamCleaner())
        else:
            self._picture = self._native
        return self._picture


class _Masked:
    """Paints regions of one frame black; it is held until it is whole."""

    def __init__(self, header: Header, regions: tuple[Region, ...], syntax: str) -> None:
        self._paint = partial(masked_frame, header, regions, syntax or _NATIVE_SYNTAX)
        self._held = bytearray()

    async def feed(self, data: bytes) -> bytes:
        self._held += data
        if len(self._held) > PIXEL_FRAME_BYTES:
            raise refuse(Code.PIXELS_AT_RISK, why="its frames are larger than the gateway opens")
        return b""

    async def finish(self) -> bytes:
        return await aside(self._paint, bytes(self._held))


class _Used:
    """Passes native pixels less the bits that are none of their value."""

    def __init__(self, header: Header) -> None:
        self._bits = UsedBits(replace(header, transfer_syntax=_NATIVE_SYNTAX))

    async def feed(self, data: bytes) -> bytes:
        return self._bits.native(data)

    async def finish(self) -> bytes:
        return b""


class _Ended:
    """Passes native pixels; bytes behind the last frame become zero, as they do in files: no viewer shows them.

    A picture whose header does not say how large it is has no end. Chrominance that two pixels share counts as if each had
    its own: the archive may have opened it.
    """

    def __init__(self, native: "_Picture", header: Header) -> None:
        self._native = native
        samples = (header.rows or 0) * (header.columns or 0) * (header.samples or 1) * header.frames
        size = (samples * (header.bits_allocated or 0) + 7) // 8
        self._left: int | None = size + size % 2 if size > 0 else None

    async def feed(self, data: bytes) -> bytes:
        if self._left is not None:
            kept = data[: self._left]
            self._left -= len(kept)
            data = kept + bytes(len(data) - len(kept))
        return await self._native.feed(data)

    async def finish(self) -> bytes:
        return await self._native.finish()


def _form(kind: ContentType, asked: str) -> tuple[str, str]:
    """Return the media type and the transfer syntax of a part, empty when native. Raises UpstreamBroken.

    `asked` is the transfer syntax that was asked for, which a part that names none may be in.
    """
    media, syntax = kind.media, kind.parameters.get("transfer-syntax", "")
    if syntax and not is_uid(syntax):
        raise UpstreamBroken("a transfer syntax that is no UID")
    if media == _OCTETS:
        syntax = syntax or (asked if is_uid(asked) else "")
        if syntax and syntax not in _NATIVE and syntax not in _OF_SYNTAX:
            raise UpstreamBroken("pixels in a form that cannot be cleaned")
        return media, "" if syntax in _NATIVE else syntax
    if media not in _JPEG | _JPEG_2000 | _RLE or media not in _OF_SYNTAX.get(syntax, frozenset({media})):
        raise UpstreamBroken("pixels in a form that cannot be cleaned")
    return media, syntax or _DEFAULT_SYNTAX.get(media, "")


def _cleaner(media: str, syntax: str) -> Cleaner | None:
    known = _OF_SYNTAX.get(syntax, frozenset({media}))
    if known <= _JPEG:
        return JpegCleaner()
    return CodestreamCleaner() if known <= _JPEG_2000 else None


def frames(
    content: Content, header: Header | None, regions: tuple[Region, ...], asked: str, *, whole: bool = False
) -> Content:
    """Return frames, or the bulk data of one attribute, as the view shows them.

    `regions` of the pictures that `header` describes are painted black. `asked` is the transfer syntax asked for. `whole` says
    that it is all frames of the instance, and not one a part. The body raises UpstreamBroken, and Refusal `pixels-at-risk`.
    """
    boundary = content.kind.boundary
    if boundary is None:
        media, syntax = _form(content.kind, asked)
        picture = _picture(media, syntax, (header, regions, asked, whole))
        return Content(_kind(media, syntax), _told(_one(picture, content.body)))
    inner = content.kind.parameters.get("type", "").partition(";")[0].strip().lower()
    writer = Writer(inner if inner in _OF_MEDIA else _OCTETS)
    kind = parse_content_type(writer.content_type)
    return Content(kind, _told(_several(content.body, boundary, writer, (header, regions, asked, whole))))


_OF_MEDIA: Final = frozenset({_OCTETS}) | _JPEG | _JPEG_2000 | _RLE


def _kind(media: str, syntax: str) -> ContentType:
    return ContentType(media, {"transfer-syntax": syntax} if syntax else {})


def _picture(media: str, syntax: str, how: _How) -> _Picture:
    header, regions, _, whole = how
    if regions and header is not None:
        return _Masked(header, regions, syntax)
    if media == _OCTETS and not syntax:
        native = _Used(header) if header is not None and has_unused(header) else _Cleaned(None)
        return _Native(native if header is None or not whole else _Ended(native, header))
    return _Cleaned(_cleaner(media, syntax))


async def _one(picture: _Picture, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in body:
        if piece := await picture.feed(chunk):
            yield piece
    if piece := await picture.finish():
        yield piece


async def _several(body: AsyncIterator[bytes], boundary: str, writer: Writer, how: _How) -> AsyncIterator[bytes]:
    parser = Parser(boundary, max_parts=FRAMES_LISTED, fault=UpstreamBroken)
    picture: _Picture | None = None
    async for chunk in body:
        for event in parser.feed(chunk):
            if isinstance(event, PartBegin):
                kind = parse_content_type(event.headers.get("content-type", _OCTETS), UpstreamBroken)
                media, syntax = _form(kind, how[2])
                picture = _picture(media, syntax, how)
                told = f"{media}; transfer-syntax={syntax}" if syntax else media
                yield writer.part((("Content-Type", told),))
            elif picture is None:
                continue
            elif isinstance(event, PartData):
                if piece := await picture.feed(event.data):
                    yield piece
            else:
                if piece := await picture.finish():
                    yield piece
                picture = None
    parser.finish()
    yield writer.end()


async def _told(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a body; a picture that cannot be read is a broken reply."""
    try:
        async for piece in body:
            yield piece
    except PictureError as error:
        raise UpstreamBroken(str(error)) from None


async def rendered(content: Content) -> Content:
    """Return a rendered picture without what its program wrote beside the pixels; what it is, its bytes say.

    Raises Refusal `upstream-invalid` for what is no JPEG nor PNG that can be read.
    """
    held = bytearray()
    async for chunk in content.body:
        held += chunk
        if len(held) > PICTURE_BYTES:
            raise refuse(Code.UPSTREAM_INVALID, "a picture larger than the gateway opens")
    data = bytes(held)
    try:
        if data.startswith(_JPEG_MAGIC):
            cleaner = JpegCleaner()
            media, clean = "image/jpeg", cleaner.feed(data) + cleaner.finish()
        else:
            media, clean = "image/png", png.clean(data)
    except PictureError as error:
        raise refuse(Code.UPSTREAM_INVALID, f"a picture that cannot be cleaned: {error}") from None
    return Content(_kind(media, ""), _once(clean))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
