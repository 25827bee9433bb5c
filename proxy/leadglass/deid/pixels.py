"""What happens to the pixels of each instance: they pass, they leave with regions painted black, or they are kept back.

PS3.15 section E.3.1, Clean Pixel Data Option.
"""

from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.masks import Masks
from leadglass.deid.native import NativePixels, unchangeable
from leadglass.deid.risk import Judgement, PixelSettings, judge

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
        judgement = self.judge(header)
        if not judgement.regions:
            return None
        if header.transfer_syntax in _NATIVE:
            return NativePixels(header, judgement.regions)
        from leadglass.deid.frames import FramePixels  # numpy and codecs take time to import, and few need them

        return FramePixels(header, judgement.regions)
