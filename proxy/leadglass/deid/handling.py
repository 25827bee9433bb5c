"""Rules made ready for bytes: what a walk looks up for each element, and what it has made already for this patient."""

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

from pydicom.datadict import DicomDictionary, RepeatersDictionary, mask_match

from leadglass.codec.dataset import SHORT_VRS
from leadglass.deid.dummies import dummy_item
from leadglass.deid.element import Element
from leadglass.deid.forms import TEXTS, Form, values_of
from leadglass.deid.rules import Act, Rules
from leadglass.deid.values import Values
from leadglass.limits import DEID_REMEMBERED, DEID_REMEMBERED_BYTES, DEID_SEQUENCES

CHARACTER_SET: Final = 0x00080005
INTEGER_PIXELS: Final = 0x7FE00010
PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, INTEGER_PIXELS})
"""Pixel data: of floats, of doubles, of integers or encapsulated."""
FRAME_TABLES: Final = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00003})
"""Where frames begin and how long they are (PS3.3 section C.7.6.3.1.8), which changes with them."""
_UN: Final = (b"UN",)
_NEEDLESS: Final = frozenset({Act.REMOVE, Act.EMPTY, Act.DUMMY})


def _spelled(vrs: str) -> tuple[bytes, ...]:
    return _UN if vrs == "NONE" else tuple(vrs.encode().split(b" or "))


NAMED: Final[Mapping[int, tuple[bytes, ...]]] = {tag: _spelled(entry[0]) for tag, entry in DicomDictionary.items()}
"""The VRs that the dictionary (PS3.6) has for a tag."""
_REPEATED: Final = {mask: _spelled(entry[0]) for mask, entry in RepeatersDictionary.items()}


def named(tag: int) -> tuple[bytes, ...] | None:
    """Return the VRs that the dictionary has for a tag, None for one that it does not know."""
    found = NAMED.get(tag)
    if found is not None or tag & 0x10000:
        return found
    mask = mask_match(tag)
    return None if mask is None else _REPEATED[mask]


class Look:
    """The acts for one kind of level.

    `acts` are by tag, `gone` is what is removed, and `keep` has the VRs in which a short element stays: none for what is
    looked at one by one. `told` are the VRs of what is special, and whether it stays.
    """

    def __init__(self, acts: Mapping[int, Act], special: Collection[int] = ()) -> None:
        """`special` are attributes that are looked at one by one."""
        apart = {CHARACTER_SET, *PIXELS, *special}
        self.acts = acts
        self.gone = frozenset(tag for tag, act in acts.items() if act is Act.REMOVE and tag not in apart)
        self.told = {
            tag: (tuple(vr for vr in NAMED[tag] if vr in SHORT_VRS), acts[tag] is Act.KEEP)
            for tag in special
            if tag in acts and tag in NAMED
        }
        self.keep = {
            tag: tuple(vr for vr in NAMED[tag] if vr in SHORT_VRS)
            for tag, act in acts.items()
            if act is Act.KEEP and tag in NAMED
        } | dict.fromkeys(apart, ())


class Looks:
    """The levels of one set of rules: that of the data set, those of items, and those of items that are cleaned.

    They know nothing of the rules themselves, so that they go with them when a profile is read anew.
    """

    def __init__(self, rules: Rules, special: frozenset[int]) -> None:
        self.top = Look(rules.acts, special)
        self.item, self.cleaned = Look(rules.acts), Look(rules.cleaned)
        self.marks: dict[tuple[Form, bool], list[tuple[int, bytes]]] = {}
        """What every data set gets, by encoding and by whether its pixels were changed."""

    def inside(self, rules: Rules, act: Act, look: Look) -> Look:
        """Return the level of the items of a sequence that stays by `act`, and that stands in `look`."""
        return self.cleaned if rules.inside(act, look.acts) is rules.cleaned else self.item


_looks: WeakKeyDictionary[Rules, dict[frozenset[int], Looks]] = WeakKeyDictionary()
_Made: TypeAlias = tuple[dict[bytes, bytes], dict[bool, dict[int, bytes]], dict[tuple[bytes, bytes], bytes]]
_made: WeakKeyDictionary[Values, dict[tuple[str, bool], _Made]] = WeakKeyDictionary()


def looks(rules: Rules, special: frozenset[int]) -> Looks:
    """Return the levels of `rules`, made once."""
    made = _looks.setdefault(rules, {})
    if special not in made:
        made[special] = Looks(rules, special)
    return made[special]


class Replacer:
    """Makes the elements that take the place of others, for one patient, and remembers those that are small.

    `made` is keyed by all bytes of what is replaced, its head among them. `fixed` is, with and without written VRs, by tag what
    replaces every short element of that tag, whatever its value. `sequences` has small ones whole, by the character set around
    them and their bytes: a series says the same of its procedure in every instance.
    """

    def __init__(self, values: Values, order: str, *, cleaned: bool) -> None:
        self._values = values
        made: _Made = _made.setdefault(values, {}).setdefault((order, cleaned), ({}, {True: {}, False: {}}, {}))
        self.made, self.fixed, self.sequences = made

    def replace(self, act: Act, tag: int, vr: bytes, raw: bytes, form: Form, character_set: bytes) -> bytes:
        """Return the element that takes the place of one with the value `raw`.

        Of text that cannot be decoded nothing is left.
        """
        was: list[str] | None = []
        if act not in _NEEDLESS and vr in TEXTS:
            was = values_of(raw, vr, character_set)
        return form.written(tag, vr, self._values.replace(act, tag, vr.decode(), was or []), character_set)

    def fix(self, act: Act, tag: int, written: bytes, vr: bytes, form: Form) -> bytes:
        """Return the element that takes the place of one by an act that does not look at its value. `vr` is what it is read as."""
        made = self.replace(act, tag, vr, b"", form, b"")
        if written in SHORT_VRS or not form.explicit:
            only = NAMED.get(tag, ())
            if len(only) == 1 and b"SQ" not in only:
                self.fixed[form.explicit][tag] = made
        return made

    def sequence(self, act: Act, tag: int, form: Form) -> bytes:
        """Return the sequence that takes the place of one: of one item of dummies, or none."""
        return form.added(Element(tag, "SQ", items=(dummy_item(tag),) if act is Act.DUMMY else ()))

    def remember(self, element: bytes, made: bytes) -> bytes:
        """Keep what was made of an element whose bytes say all of it, and return it."""
        if len(element) <= DEID_REMEMBERED_BYTES and element.isascii() and b"\x1b" not in element:
            if len(self.made) >= DEID_REMEMBERED:
                self.made.clear()
            self.made[element] = made
        return made

    def remember_sequence(self, key: tuple[bytes, bytes], made: bytes) -> None:
        """Keep what became of a sequence."""
        if len(self.sequences) >= DEID_SEQUENCES:
            self.sequences.clear()
        self.sequences[key] = made
