"""Regions painted black in compressed frames: each is opened, painted, and packed again without further loss.

Lossy JPEG has no lossless form; it is painted as it is coded (`dct`).
What was lost when it was first compressed stays lost, so (0028,2110) and its kin stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from leadglass.deid.codecs import CODECS, PAINTERS, WALKED
from leadglass.deid.instance import Header
from leadglass.deid.native import BURNED_IN, BYTE, Layout, unchangeable
from leadglass.deid.risk import Region
from leadglass.limits import PIXEL_FRAME_BYTES, PIXEL_WALKED
from leadglass.model.errors import Refusal

PHOTOMETRIC: Final = 0x00280004
_SUBSAMPLED: Final = ("_422", "_420")


class FramePixels:
    """A `PixelFilter` for encapsulated pixel data. Raises Refusal `pixels-at-risk` for what cannot be changed.

    Its transfer syntax stays. Opening and packing take long: call `frame` in a thread.
    """

    transfer_syntax: str | None = None

    def __init__(self, header: Header, regions: Sequence[Region]) -> None:
        self._codec, self._painter = CODECS.get(header.transfer_syntax), PAINTERS.get(header.transfer_syntax)
        if self._codec is None and self._painter is None:
            raise unchangeable("it is compressed in a way that cannot be painted without loss")
        if self._painter is not None:  # the frame itself says how its chrominance lies
            header = replace(header, photometric=header.photometric.removesuffix("_422"), planar=0)
        self._layout = Layout(header)
        if self._layout.bits < BYTE or any(name in header.photometric for name in _SUBSAMPLED):
            raise unchangeable("its header does not say how its pixels lie")
        if self._layout.frame_bits > PIXEL_FRAME_BYTES * BYTE:
            raise unchangeable("its frames are larger than the gateway opens")
        coded = self._layout.rows * self._layout.columns * self._layout.samples
        if header.transfer_syntax in WALKED and coded > PIXEL_WALKED:
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
            packed = self._painted(data)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a codec makes of what it was given, it is not passed on
            raise unchangeable(f"a compressed frame cannot be read ({type(error).__name__})") from None
        return packed + b"\0" if len(packed) % 2 else packed

    def _painted(self, data: bytes) -> bytes:
        layout = self._layout
        if self._painter is not None:
            return self._painter(data, layout, self._regions)
        assert self._codec is not None  # noqa: S101 - one of the two there is
        samples = np.array(self._codec.unpack(data, layout))  # a copy: what a codec gives may not be written to
        for one in self._regions:
            samples[one.top : one.top + one.height, one.left : one.left + one.width] = layout.black
        return self._codec.pack(samples, data, layout)
