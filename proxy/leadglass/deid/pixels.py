"""What happens to the pixels of each instance: they pass, they leave with regions painted black, or they are kept back.

PS3.15 section E.3.1, Clean Pixel Data Option.
"""

from collections.abc import Sequence
from dataclasses import replace

from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.masks import Masks
from leadglass.deid.native import BYTE, Layout, NativePixels, UsedBits, has_unused, unchangeable
from leadglass.deid.risk import Judgement, PixelSettings, Region, judge

_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"})


class Pixels:
    """The `PixelFilters` of a profile: its section `pixels:`, and the masks of devices."""

    def __init__(self, settings: PixelSettings, masks: Masks) -> None:
        self._settings, self._masks = settings, masks

    def judge(self, header: Header) -> Judgement:
        """Return what is to be done with an instance. Raises Refusal `pixels-at-risk` for one that is kept back.

        With the verdict `mask` its pixels leave cleaned, which the markers say: CID 7050 113101, and (0028,0301) NO.
        """
        judgement = judge(header, self._settings, self._masks.regions(header))
        if judgement.verdict == "at-risk":
            raise unchangeable(judgement.why)
        return judgement

    def __call__(self, header: Header) -> PixelFilter | None:
        """Return what the pixels of an instance must go through, None when they pass as they are.

        Every instance is asked about, with pixels or not. Raises Refusal `pixels-at-risk`, also where its pixels cannot
        be changed as they have to be.
        """
        regions = self.judge(header).regions
        return _filter(header, regions) if regions else None


def _filter(header: Header, regions: Sequence[Region]) -> PixelFilter:
    if header.transfer_syntax in _NATIVE:
        return NativePixels(header, regions)
    from leadglass.deid.frames import FramePixels  # numpy and codecs take time to import, and few need them

    return FramePixels(header, regions)


def masked_frame(header: Header, regions: Sequence[Region], transfer_syntax: str, data: bytes) -> bytes:
    """Return one frame, as it is retrieved by itself (PS3.18 section 10.4.1.1.6), with the regions painted.

    `header` is of the instance as the archive has it, `transfer_syntax` that in which it gave the frame. A frame takes long: call
    it in a thread. Raises Refusal `pixels-at-risk`, also when the frame is not of the size that the header says.
    """
    one = replace(header, frames=1, transfer_syntax=transfer_syntax)
    if transfer_syntax not in _NATIVE:
        return _filter(one, regions).frame(data)
    size = Layout(one).frame_bits
    if "_422" in one.photometric and len(data) * BYTE > size + BYTE:  # opened by the archive, and no longer halved
        one = replace(one, photometric="RGB")
        size = Layout(one).frame_bits
    if not 0 <= len(data) * BYTE - size < 2 * BYTE:
        raise unchangeable("a frame is not of the size that its header says")
    filter_ = _filter(one, regions)
    return (UsedBits(one, filter_) if has_unused(one) else filter_).native(data)
