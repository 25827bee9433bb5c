"""Regions painted black in compressed frames: each is opened, painted, and packed again without further loss.

Lossy JPEG has no lossless form; it is painted as it is coded (`dct`).
What was lost when it was first compressed stays lost, so (0028,2110) and its kin stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from leadglass.apart import APART, ApartError
from leadglass.deid.instance import Header
from leadglass.deid.native import BURNED_IN, BYTE, Layout, unchangeable
from leadglass.deid.risk import Region
from leadglass.limits import PIXEL_FRAME_BYTES, PIXEL_WALKED

PHOTOMETRIC: Final = 0x00280004
_SUBSAMPLED: Final = ("_422", "_420")
_ROOT: Final = "1.2.840.10008.1.2."
AS_CODED: Final = frozenset(_ROOT + one for one in ("4.50", "4.51"))
"""Transfer syntaxes that have no lossless form: their frames are painted as they are coded."""
REPACKED: Final = frozenset(_ROOT + one for one in ("4.57", "4.70", "4.80", "4.81", "4.90", "4.91", "5", "8.1"))
"""Transfer syntaxes whose frames are opened and packed again without loss."""
_WALKED: Final = AS_CODED | frozenset(
    _ROOT + one for one in ("4.57", "4.70", "5")
)  # by code of ours, which takes longer


class FramePixels:
    """A `PixelFilter` for encapsulated pixel data. Raises Refusal `pixels-at-risk` for what cannot be changed.

    Its transfer syntax stays. Opening and packing take long, and are done by a process apart: call `frame` in a thread.
    """

    transfer_syntax: str | None = None

    def __init__(self, header: Header, regions: Sequence[Region]) -> None:
        if header.transfer_syntax not in AS_CODED | REPACKED:
            raise unchangeable("it is compressed in a way that cannot be painted without loss")
        if header.transfer_syntax in AS_CODED:  # the frame itself says how its chrominance lies
            header = replace(header, photometric=header.photometric.removesuffix("_422"), planar=0)
        self._header = header
        self._layout = Layout(header)
        if self._layout.bits < BYTE or any(name in header.photometric for name in _SUBSAMPLED):
            raise unchangeable("its header does not say how its pixels lie")
        if self._layout.frame_bits > PIXEL_FRAME_BYTES * BYTE:
            raise unchangeable("its frames are larger than the gateway opens")
        coded = self._layout.rows * self._layout.columns * self._layout.samples
        if header.transfer_syntax in _WALKED and coded > PIXEL_WALKED:
            raise unchangeable("its frames are larger than the gateway opens")
        self._regions = tuple(regions)
        self.changes: Mapping[int, list[str] | None] = {
            BURNED_IN: ["NO"],
            **({PHOTOMETRIC: ["YBR_RCT"]} if header.photometric == "YBR_ICT" else {}),
        }

    def native(self, data: bytes) -> bytes:
        """Refuse pixels that are not compressed."""
        del data
        raise unchangeable("it is not compressed, and its transfer syntax says that it is")

    def frame(self, data: bytes) -> bytes:
        """Return one whole frame, of even length. Raises Refusal."""
        if not data or len(data) > PIXEL_FRAME_BYTES:
            raise unchangeable("a compressed frame is larger than the gateway opens")
        try:
            painted = APART.do(_paint, self._header, self._regions, data)
        except ApartError as error:  # whatever a codec makes of what it was given, it is not passed on
            raise unchangeable(f"a compressed frame cannot be read ({error})") from None
        if isinstance(painted, str):
            raise unchangeable(painted)
        return painted + b"\0" if len(painted) % 2 else painted


def _paint(header: Header, regions: Sequence[Region], data: bytes) -> bytes | str:
    from leadglass.deid.codecs import paint  # there alone: neither numpy nor a decoder is in the process that asks

    return paint(header, regions, data)
