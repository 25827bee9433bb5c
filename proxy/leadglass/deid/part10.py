"""Part 10 files (PS3.10 section 7) de-identified as they stream."""

from typing import Protocol

from leadglass.deid.instance import Header, PixelFilters
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code


class Replaces(Protocol):
    """What a value becomes; see `deid/values.py`."""


def unreadable(detail: str) -> Refusal:
    """Make the refusal of what cannot be read, and so cannot be de-identified."""
    return refuse(Code.DEID_UNREADABLE, detail)


class Part10Rewriter:
    """Takes one file in pieces and gives back what may leave. `header` is None until its facts have passed.

    `feed` and `finish` raise Refusal `deid-unreadable`, and what `pixels` and `values` raise; after that, feed no more,
    and cut a reply that has begun. The file is whole only when `finish` has returned, and its bytes have left, too.
    """

    def __init__(self, values: Replaces, pixels: PixelFilters | None = None) -> None:
        self._values, self._pixels = values, pixels
        self.header: Header | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave."""
        del data
        raise unreadable("no rewriter yet")

    def finish(self) -> list[bytes]:
        """Say that the file has ended, and return the last bytes."""
        raise unreadable("no rewriter yet")
