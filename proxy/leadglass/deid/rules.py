"""A profile compiled: one look-up says what becomes of an attribute, at whatever depth it stands.

`acts` has every attribute of the dictionary whose act is known beforehand. What is not in it (private attributes, curves,
overlays, group lengths, attributes that the dictionary does not know) is for `Rules.act`, and is removed: what cannot be
judged cannot be shown.
"""

from collections.abc import Mapping
from typing import Final

from pydicom.datadict import DicomDictionary

from leadglass.deid.acts import TEXT, Act, act_of
from leadglass.deid.options import Option
from leadglass.deid.profile import WORDS, Profile, tag_of
from leadglass.deid.table import MORE, ROWS, Row

__all__ = ["Act", "Rules"]

PATIENT_NAME, PATIENT_ID, ACCESSION = 0x00100010, 0x00100020, 0x00080050
_IDENTIFIERS: Final = frozenset({PATIENT_NAME, PATIENT_ID, ACCESSION})
_NOTHING_LEFT: Final = frozenset({Act.EMPTY, Act.DUMMY})
# Codes and what scheme they are of: numbers to a machine, and no text to clean. Their meanings are text.
_CODES: Final = frozenset({0x00080100, 0x00080101, 0x00080102, 0x00080103, 0x00080119, 0x00080120})
# Text that its item is nothing without: Code Meaning, Text Value, Unformatted Text Value.
_NEEDED: Final = frozenset({0x00080104, 0x0040A160, 0x00700006})
_META_LAST: Final = 0x0002FFFF
_CREATORS: Final = range(0x10, 0x100)  # elements of a private group that name who owns a block (PS3.5 section 7.8.1)


class Rules:
    """The acts of a profile.

    `acts` is for data sets; `cleaned` takes its place inside a sequence whose act is CLEAN: there, text that would stay is
    cleaned, too. `required` are the attributes that must not become empty: where nothing is left, a dummy stands.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.acts: dict[int, Act] = {}
        self.cleaned: dict[int, Act] = {}
        required = set(_NEEDED)
        for tag, entry in DicomDictionary.items():
            vr = entry[0]
            if vr == "NONE":
                continue  # items and delimiters, which are no attributes
            row = ROWS.get(tag) or MORE.get(tag)
            act = self._act(tag, vr, row)
            if row is not None and row.strongest == "D":
                required.add(tag)
            self.acts[tag] = act
            text = vr in TEXT and tag > _META_LAST and tag not in _CODES
            self.cleaned[tag] = Act.CLEAN if act is Act.KEEP and text else act
        for name, word in profile.attributes.items():
            self.acts[tag_of(name)] = self.cleaned[tag_of(name)] = WORDS[word]
        self.required: frozenset[int] = frozenset(required)
        self._private: dict[tuple[int, str], dict[int, Act]] = {}
        for block in profile.private:
            elements = self._private.setdefault((int(block.group, 16), block.creator), {})
            elements.update((int(element, 16), Act.KEEP) for element in block.elements)

    def _act(self, tag: int, vr: str, row: Row | None) -> Act:
        if row is None:
            return Act.KEEP
        act = act_of(
            row.action(self.profile.options), vr, row.strongest, moment=Option.RETAIN_MODIFIED_DATES in row.options
        )
        if tag in _IDENTIFIERS and act in _NOTHING_LEFT:
            return Act.IDENTIFIER
        if vr == "AS" and act is Act.KEEP and self.profile.ages_over_89:
            return Act.AGE
        return act

    def act(self, tag: int, creator: str | None = None) -> Act:
        """Return what becomes of the attribute `tag`.

        `creator` is, for a private attribute, the Private Creator that has reserved its block in the same data set or item,
        and for that element itself the creator it names.
        """
        found = self.acts.get(tag)
        if found is not None:
            return found
        if not tag >> 16 & 1 or creator is None:
            return Act.REMOVE
        elements = self._private.get((tag >> 16, creator.strip(" \0")))
        if elements is None:
            return Act.REMOVE
        if tag & 0xFFFF in _CREATORS:
            return Act.KEEP
        return elements.get(tag & 0xFF, Act.REMOVE)

    def inside(self, act: Act, acts: Mapping[int, Act]) -> Mapping[int, Act]:
        """Return the look-up for the items of a sequence that stays by `act`, itself found in `acts`."""
        return self.cleaned if act is Act.CLEAN else acts

    @property
    def keeps_private(self) -> bool:
        """Whether any private attribute stays at all."""
        return bool(self._private)
