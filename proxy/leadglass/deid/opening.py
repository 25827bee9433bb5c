"""What a file says before its pixels: file meta, facts of the instance, and what a de-identified one says of itself.

All of it is held until group 0028 has passed. Then whoever judges pixels is asked, once; what their answer changes is
written in its place, and the rest goes on.
"""

from collections.abc import Mapping
from typing import Any, Final

from leadglass.deid.filemeta import FileMeta
from leadglass.deid.filemeta import written as file_meta
from leadglass.deid.forms import Form
from leadglass.deid.handling import FRAME_TABLES, looks, named
from leadglass.deid.instance import Header, PixelFilter, PixelFilters
from leadglass.deid.markers import DATES_MODIFIED, IDENTITY_REMOVED, METHOD, METHOD_CODES, markers
from leadglass.deid.native import UsedBits
from leadglass.deid.pixeldata import Taker, taker
from leadglass.deid.refused import unreadable
from leadglass.deid.rules import Act
from leadglass.deid.values import Values

_IMAGE: Final = 0x0028  # the group that describes pixels
_ASK: Final = 0x00290000  # the first tag behind it
_SOP_INSTANCE: Final = 0x00080018
_TEXT: Final = {
    0x00080008: "image_type", 0x00080016: "sop_class_uid", _SOP_INSTANCE: "sop_instance_uid", 0x00080060: "modality",
    0x00080064: "conversion_type", 0x00080070: "manufacturer", 0x00081090: "model", 0x00181020: "software",
    0x0020000D: "study_uid", 0x0020000E: "series_uid", 0x00280004: "photometric", 0x00280301: "burned_in",
    0x00280302: "recognizable", 0x00282110: "lossy",
}  # fmt: skip
_NUMBERS: Final = {
    0x00280002: "samples", 0x00280006: "planar", 0x00280008: "frames", 0x00280010: "rows", 0x00280011: "columns",
    0x00280100: "bits_allocated", 0x00280101: "bits_stored", 0x00280102: "high_bit", 0x00280103: "signed",
}  # fmt: skip
_FRAMES: Final = 0x00280008
_DIGITS: Final = 10  # PS3.5 section 6.2: IS has 12 bytes
# Of each overlay, how its bits lie (PS3.3 section C.9.2): alone in an element of their own, or among those of the pixels.
_OVERLAYS: Final = {0x60000100 | group << 17: 1 for group in range(16)} | {
    0x60000102 | group << 17: 0 for group in range(16)
}
SPECIAL: Final = frozenset(_TEXT) | frozenset(_NUMBERS) | frozenset(_OVERLAYS)
"""Attributes that are read, or that a filter of pixels may change."""
MARKERS: Final = frozenset({IDENTITY_REMOVED, METHOD, METHOD_CODES, DATES_MODIFIED})
"""Attributes that are written anew, whatever the file said."""
_BURNED_IN: Final = 0x00280301
_PLACES: Final = sorted({*MARKERS, _BURNED_IN, _ASK}, reverse=True)
"""Where something may have to stand that the file does not have."""


class Opening:
    """The `Top` of one file. Raises what the judge of its pixels raises, and Refusal `deid-unreadable`."""

    special = SPECIAL
    replaced: frozenset[int] = MARKERS

    def __init__(
        self, meta: FileMeta, values: Values, pixels: PixelFilters | None, form: Form, out: list[bytes]
    ) -> None:
        self._meta, self._values, self._pixels, self._form, self._out = meta, values, pixels, form, out
        self._waiting = list(_PLACES)
        self._places: dict[int, int] = {}  # of what may yet change, in `out`
        self._facts: dict[str, Any] = {"sop_class_uid": meta.sop_class_uid, "sop_instance_uid": meta.sop_instance_uid}
        self._instance: str | None = None  # the UID that it leaves with
        self._filter: PixelFilter | None = None
        self._among = False  # whether an overlay lies among the pixels
        self.next = self._waiting[-1]
        self.holds = True
        self.header: Header | None = None
        out.append(b"")  # of the file meta

    def reach(self, tag: int) -> None:
        """Leave room for what belongs before an element of this tag, and ask about pixels when its time has come."""
        while self._waiting and self._waiting[-1] <= tag:
            place = self._waiting.pop()
            if place == _ASK:
                self._ask()
            elif place != tag or place in MARKERS:
                self._places[place] = len(self._out)
                self._out.append(b"")
        self.next = self._waiting[-1] if self._waiting else 1 << 32

    def found(self, tag: int, _vr: bytes, raw: bytes, made: bytes) -> None:
        """Take a fact."""
        self._places[tag] = len(self._out)
        self._out.append(made)
        name = _TEXT.get(tag)
        if name is not None:
            self._facts[name] = raw.decode("latin-1").strip(" \0")
            if tag == _SOP_INSTANCE and made:
                self._instance = (
                    made[12 if made[4:6] == b"UN" else 8 :].rstrip(b"\0 ").decode("latin-1")
                )  # behind its head
        elif tag == _FRAMES:
            text = raw.strip(b" \0")
            if text.isdigit() and len(text) <= _DIGITS:
                self._facts["frames"] = int(text)
            elif text:
                raise unreadable("a number of frames that is none")
        elif tag in _OVERLAYS:
            self._among |= int.from_bytes(raw, "little" if self._form.order == "<" else "big") != _OVERLAYS[tag]
        elif len(raw) == 2:  # noqa: PLR2004 - US
            self._facts[_NUMBERS[tag]] = int.from_bytes(raw, "little" if self._form.order == "<" else "big")

    def _ask(self) -> None:
        self.header = Header(self._meta.transfer_syntax, **self._facts)
        if self._pixels is not None:
            self._filter = self._pixels(self.header)
        if self._filter is not None:
            self.replaced = MARKERS | FRAME_TABLES
        changes: Mapping[int, list[str] | None] = {} if self._filter is None else self._filter.changes
        for tag, values in changes.items():
            if tag in self._places:
                vrs = named(tag) or (b"UN",)
                self._out[self._places[tag]] = b"" if values is None else self._form.written(tag, vrs[0], values, b"")
            elif values is not None:
                raise unreadable("an attribute of the pixels that would have to be changed, and is not there")
        for marker, written in self._marks(pixels_cleaned=self._filter is not None):
            self._out[self._places[marker]] = written
        if self._instance is None:
            act = self._values.rules.acts.get(_SOP_INSTANCE, Act.UID)
            (self._instance,) = self._values.replace(act, _SOP_INSTANCE, "UI", [self._meta.sop_instance_uid]) or [""]
        syntax = (self._filter and self._filter.transfer_syntax) or self._meta.transfer_syntax
        self._out[0] = file_meta(self.header.sop_class_uid, self._instance, syntax)
        self.holds = False

    def _marks(self, *, pixels_cleaned: bool) -> list[tuple[int, bytes]]:
        marks, key = looks(self._values.rules, SPECIAL | MARKERS).marks, (self._form, pixels_cleaned)
        if key not in marks:
            made = markers(self._values.rules.profile, pixels_cleaned=pixels_cleaned)
            marks[key] = [(marker.tag, self._form.added(marker)) for marker in made]
        return marks[key]

    def pixels(self, tag: int, vr: bytes, length: int) -> Taker:
        """Return who takes the pixel data."""
        if self.header is None:
            raise unreadable("pixel data before what describes it")
        if self._among:
            self._filter = UsedBits(self.header, self._filter)
        return taker(self.header, self._filter, self._form, (tag, vr, length), self._out)
