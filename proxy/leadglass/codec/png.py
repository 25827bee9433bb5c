"""PNG (ISO/IEC 15948) without the chunks in which programs write about a picture: text, times, profiles, EXIF."""

from typing import Final

from leadglass.codec.picture import PictureError

_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"sBIT", b"bKGD"})
_AROUND: Final = 12  # length, type and CRC of a chunk


def clean(data: bytes) -> bytes:
    """Return a picture that is whole in memory without what is no part of its pixels. Raises PictureError."""
    if not data.startswith(_MAGIC):
        raise PictureError("not PNG")
    out, at = [_MAGIC], len(_MAGIC)
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + _AROUND + length
        if end > len(data):
            raise PictureError("a chunk that is longer than the picture")
        if kind in _KEPT:
            out.append(data[at:end])
        elif not kind[:1].islower():
            raise PictureError("a chunk that is needed and not known")
        at = end
        if kind == b"IEND":
            return b"".join(out)  # what lies behind is no part of the picture
    raise PictureError("no end")
