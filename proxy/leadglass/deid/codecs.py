"""Compressed frames opened and packed again without loss (PS3.5 annex A.4), each in its own transfer syntax.

A frame comes from an archive that may hold whatever somebody once sent. So what it says of its own size is read first,
with code of ours, and must be what the header says: no decoder is asked to make room for anything else.
"""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import jpeg_ls
import numpy as np
import openjpeg
import openjpeg.utils
from numpy.typing import NDArray

from leadglass.deid import dct, lossless, rle
from leadglass.deid.instance import Header
from leadglass.deid.native import BYTE, COLOUR, Layout, unchangeable
from leadglass.deid.risk import Region
from leadglass.limits import PIXEL_TILES
from leadglass.model.errors import Refusal

Samples: TypeAlias = NDArray[Any]
"""Samples of one frame by row, column and sample."""

_SOI, _SOF55, _SIZ = b"\xff\xd8", 0xF7, b"\xff\x4f\xff\x51"
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_MCT: Final = frozenset({"YBR_RCT", "YBR_ICT"})


class Codec(NamedTuple):
    """How one compression is undone and done again. `pack` gets the frame as it came, too, to keep to its form."""

    unpack: Callable[[bytes, Layout], Samples]
    pack: Callable[[Samples, bytes, Layout], bytes]


def _lies() -> Refusal:
    return unchangeable("a compressed frame is not of the size that its header says")


def _sized(samples: Samples, layout: Layout) -> Samples:
    if samples.size != layout.rows * layout.columns * layout.samples:
        raise _lies()
    return samples.reshape(layout.rows, layout.columns, layout.samples)


def _type(layout: Layout) -> str:
    return f"<u{layout.bits // BYTE}"


def _rle_unpack(data: bytes, layout: Layout) -> Samples:
    size = layout.bits // BYTE
    segments = rle.unpack(data, layout.samples * size, layout.rows * layout.columns)
    planes = np.frombuffer(b"".join(segments), np.uint8).reshape(layout.samples, size, layout.rows, layout.columns)
    # Of each sample the most significant byte comes first.
    ordered: Samples = np.ascontiguousarray(planes[:, ::-1].transpose(2, 3, 0, 1))
    return ordered.view(_type(layout))[..., 0]


def _rle_pack(samples: Samples, _: bytes, layout: Layout) -> bytes:
    planes = np.ascontiguousarray(samples)[..., None].view(np.uint8).transpose(2, 3, 0, 1)[:, ::-1]
    return rle.pack([plane.tobytes() for sample in planes for plane in sample], layout.columns)


def _deflate_unpack(data: bytes, layout: Layout) -> Samples:
    size = layout.frame_bits // BYTE
    inflator = zlib.decompressobj(-zlib.MAX_WBITS)
    found = inflator.decompress(data, size + 2)  # and the byte that makes it even
    if not size <= len(found) <= size + size % 2 or not inflator.eof:
        raise _lies()
    samples: Samples = np.frombuffer(found[:size], _type(layout))
    if layout.planar:
        return np.moveaxis(samples.reshape(layout.samples, layout.rows, layout.columns), 0, -1)
    return _sized(samples, layout)


def _deflate_pack(samples: Samples, _: bytes, layout: Layout) -> bytes:
    deflator = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    ordered = np.moveaxis(samples, -1, 0) if layout.planar else samples
    return deflator.compress(ordered.tobytes()) + deflator.flush()


def _ls_head(data: bytes, layout: Layout) -> tuple[int, int]:
    """Return bits of a sample and the interleave mode of a JPEG-LS frame (ISO/IEC 14495-1 annex C)."""
    at, bits = 2, 0
    if data[:2] != _SOI:
        raise _lies()
    while True:
        marker, size = struct.unpack_from(">HH", data, at)
        kind = marker & 0xFF
        if marker >> BYTE != 0xFF or kind in _STANDALONE or size < 2:  # noqa: PLR2004 - of all marker segments
            raise _lies()
        if kind == _SOF55:
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            # A sample factor other than 1 makes a component smaller than the picture.
            factors = {data[at + 11 + 3 * one] for one in range(samples)}
            if (rows, columns, samples, factors) != (layout.rows, layout.columns, layout.samples, {0x11}):
                raise _lies()
        elif kind == 0xDA:  # noqa: PLR2004 - start of scan
            components = data[at + 4]
            if not 2 <= bits <= min(layout.bits, 16):  # noqa: PLR2004 - T.87 table C.1
                raise _lies()
            return bits, data[at + 6 + 2 * components]
        elif kind == 0xF8 and data[at + 4] == 4:  # noqa: PLR2004 - an extension for pictures beyond 65535
            raise _lies()
        at += 2 + size


def _ls_unpack(data: bytes, layout: Layout) -> Samples:
    _ls_head(data, layout)
    return _sized(np.ascontiguousarray(jpeg_ls.jlsread(data)), layout)


def _ls_pack(samples: Samples, data: bytes, layout: Layout) -> bytes:
    bits, mode = _ls_head(data, layout)
    ordered = np.moveaxis(samples, -1, 0) if mode == 0 and layout.samples > 1 else samples
    return bytes(
        jpeg_ls.encode_buffer(
            ordered.tobytes(), layout.rows, layout.columns, layout.samples, bits, interleave_mode=mode
        )
    )


def _2000_head(data: bytes, layout: Layout) -> tuple[int, bool]:
    """Return bits of a sample and whether it is signed, of a JPEG 2000 frame (ISO/IEC 15444-1 annex A.5.1)."""
    if data[:4] != _SIZ:
        raise _lies()
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = struct.unpack_from(">8I", data, 8)
    (samples,) = struct.unpack_from(">H", data, 40)
    components = {data[42 + 3 * one : 45 + 3 * one] for one in range(min(samples, 5))}
    if (bottom - top, right - left, samples) != (layout.rows, layout.columns, layout.samples) or len(components) != 1:
        raise _lies()
    precision, *steps = components.pop()
    if steps != [1, 1] or not tile_width or not tile_height:
        raise _lies()
    across, down = -(-(right - tile_left) // tile_width), -(-(bottom - tile_top) // tile_height)
    bits = (precision & 0x7F) + 1
    if across * down > PIXEL_TILES or bits > min(layout.bits, 24):  # more bits than that are not packed again
        raise _lies()
    return bits, bool(precision & 0x80)


def _2000_unpack(data: bytes, layout: Layout) -> Samples:
    _2000_head(data, layout)
    return _sized(np.asarray(openjpeg.decode(data)), layout)


def _2000_pack(samples: Samples, data: bytes, layout: Layout) -> bytes:
    bits, signed = _2000_head(data, layout)
    mixed = layout.samples == COLOUR and layout.photometric in _MCT
    return bytes(
        openjpeg.utils.encode_buffer(
            samples.tobytes(), layout.columns, layout.rows, layout.samples, bits, signed,
            photometric_interpretation=1 if mixed else 0, use_mct=mixed,
        )
    )  # fmt: skip


_LS, _2000 = Codec(_ls_unpack, _ls_pack), Codec(_2000_unpack, _2000_pack)
_JPEG: Final = Codec(lossless.unpack, lossless.pack)

CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {
        "1.2.840.10008.1.2.5": Codec(_rle_unpack, _rle_pack),
        "1.2.840.10008.1.2.8.1": Codec(_deflate_unpack, _deflate_pack),
        "1.2.840.10008.1.2.4.57": _JPEG,
        "1.2.840.10008.1.2.4.70": _JPEG,
        "1.2.840.10008.1.2.4.80": _LS,
        "1.2.840.10008.1.2.4.81": _LS,  # near-lossless, of which lossless is the nearest
        "1.2.840.10008.1.2.4.90": _2000,
        "1.2.840.10008.1.2.4.91": _2000,  # lossless or not
    }
)
"""By transfer syntax."""

PAINTERS: Final[Mapping[str, Callable[[bytes, Layout, Sequence[Region]], bytes]]] = MappingProxyType(
    dict.fromkeys(("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"), dct.paint)
)
"""What has no lossless form, by transfer syntax: its frames are painted as they are coded."""


def paint(header: Header, regions: Sequence[Region], data: bytes) -> bytes | str:
    """Return one frame with the regions painted, or why it cannot be. Raises whatever the codecs raise."""
    layout = Layout(header)
    painter = PAINTERS.get(header.transfer_syntax)
    try:
        if painter is not None:
            return painter(data, layout, regions)
        codec = CODECS[header.transfer_syntax]
        samples = np.array(codec.unpack(data, layout))  # a copy: what a codec gives may not be written to
        for one in regions:
            samples[one.top : one.top + one.height, one.left : one.left + one.width] = layout.black
        return codec.pack(samples, data, layout)
    except Refusal as refusal:
        return refusal.causes[0].params["why"]
