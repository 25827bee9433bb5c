"""Part 10 files (PS3.10 section 7) de-identified as they stream.

Explicit and Implicit VR Little Endian, Explicit VR Big Endian and the deflated one leave in the encoding that they came in.
Nothing leaves before group 0028 has passed: until then it may turn out that the pixels must not leave, or leave changed.
"""

from typing import Final

from leadglass.codec.part10 import EXPLICIT_BIG, GE_PRIVATE_IMPLICIT, IMPLICIT_LITTLE
from leadglass.deid.deflated import Deflated
from leadglass.deid.elements import Elements
from leadglass.deid.filemeta import FileMeta
from leadglass.deid.forms import Form
from leadglass.deid.handling import Replacer
from leadglass.deid.instance import Header, PixelFilters
from leadglass.deid.opening import Opening
from leadglass.deid.pixeldata import ENCAPSULATED
from leadglass.deid.refused import unreadable
from leadglass.deid.values import Values
from leadglass.limits import DEID_HELD_BYTES

_EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_IMPLICIT: Final = frozenset({IMPLICIT_LITTLE, GE_PRIVATE_IMPLICIT})
_READ: Final = _IMPLICIT | ENCAPSULATED | {_EXPLICIT_LITTLE, EXPLICIT_BIG, _DEFLATED}
_LITTLE, _BIG = Form(explicit=True, order="<"), Form(explicit=True, order=">")
_WITHOUT_VR: Final = Form(explicit=False, order="<")


class Part10Rewriter:
    """Takes one file in pieces and gives back what may leave. `header` is None until its facts have passed.

    `feed` and `finish` raise Refusal `deid-unreadable`, and what `pixels` raises; after that, feed no more, and cut a
    reply that has begun. A file is whole only when `finish` has returned and its bytes have left, too. What was made up
    for its UIDs is then in the pseudonyms of `values`; those of bytes that leave are always in there before.
    """

    def __init__(self, values: Values, pixels: PixelFilters | None = None) -> None:
        self._values, self._pixels = values, pixels
        self._meta: FileMeta | None = FileMeta()
        self._out: list[bytes] = []
        self._elements: Elements | None = None
        self._opening: Opening | None = None
        self._deflated: Deflated | None = None
        self._begun = False

    @property
    def header(self) -> Header | None:
        """The facts of the instance, once group 0028 has passed."""
        return None if self._opening is None else self._opening.header

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave."""
        if self._meta is not None:
            if not self._meta.feed(data):
                return []
            data = self._begin(self._meta)
        if self._elements is not None and self._deflated is None:
            self._elements.feed(data)
        elif self._elements is not None and self._deflated is not None:
            for piece in self._deflated.opened(data):
                self._elements.feed(piece)
        return self._ready()

    def finish(self) -> list[bytes]:
        """Say that the file has ended, and return the last bytes."""
        if self._elements is None:
            raise unreadable("the file ends within its file meta")
        if self._deflated is not None:
            self._deflated.finish()
        self._elements.finish()
        return self._ready(last=True)

    def _begin(self, meta: FileMeta) -> bytes:
        syntax = meta.transfer_syntax
        if syntax not in _READ:
            raise unreadable("a transfer syntax that is not known")
        form = _BIG if syntax == EXPLICIT_BIG else _WITHOUT_VR if syntax in _IMPLICIT else _LITTLE
        plain, cleaned = (Replacer(self._values, form.order, cleaned=cleaned) for cleaned in (False, True))
        self._opening = Opening(meta, self._values, self._pixels, form, self._out)
        self._elements = Elements(self._values.rules, (plain, cleaned), form, self._opening, self._out)
        if syntax == _DEFLATED:
            self._deflated = Deflated()
        self._meta = None
        return meta.rest

    def _ready(self, *, last: bool = False) -> list[bytes]:
        if self._opening is None or self._opening.holds:
            if sum(map(len, self._out)) > DEID_HELD_BYTES:
                raise unreadable(f"more than {DEID_HELD_BYTES} bytes before the end of group 0028")
            return []
        ready = self._out.copy()
        self._out.clear()
        if self._deflated is None:
            return ready
        first, self._begun = [] if self._begun else ready[:1], True  # the file meta is not deflated
        return [*first, *self._deflated.closed(ready[len(first) :], last=last)]
