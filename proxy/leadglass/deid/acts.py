"""What is done to one attribute: the action of Table E.1-1 made exact for its value representation."""

from enum import IntEnum
from typing import Final

from leadglass.deid.table import Action


class Act(IntEnum):
    """What becomes of an attribute. A sequence that stays is gone into, whatever the act that keeps it."""

    KEEP = 0
    """As it is."""
    REMOVE = 1
    """Gone, with all that is in it."""
    EMPTY = 2
    """There, without a value or item."""
    DUMMY = 3
    """A value that is valid for its representation and the same for everybody; a sequence has one item of dummies."""
    UID = 4
    """The UID's pseudonym."""
    IDENTIFIER = 5
    """The pseudonym of an identifier of the patient or the order."""
    SHIFT = 6
    """The date moved by the patient's number of whole days; times of day stay."""
    CLEAN = 7
    """The text without the values known; in a sequence that is cleaned, all text is (`Rules.cleaned`)."""
    AGE = 8
    """The age, 090Y when it is over 89 years."""
    POSTCODE = 9
    """The first three digits of a ZIP code, and nothing else."""


TEXT: Final = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
TIME: Final = frozenset({"DA", "DT", "TM"})
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

_PLAIN: Final[dict[Action, Act]] = {"X": Act.REMOVE, "Z": Act.EMPTY, "D": Act.DUMMY, "K": Act.KEEP}
_CLEANED: Final = frozenset({"CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "SQ"})
# How much of what was there is left: nothing, a pseudonym, a part, all.
_LEFT: Final = {Act.UID: 1, Act.IDENTIFIER: 1, Act.SHIFT: 2, Act.CLEAN: 2, Act.AGE: 2, Act.POSTCODE: 2, Act.KEEP: 3}


def act_of(action: Action, vr: str, strongest: Action, *, moment: bool) -> Act:
    """Return the act for an action on `vr`. `moment` says that it is cleaned because its row is about dates.

    What cannot be cleaned by a machine (bytes, application entities) gets what the Basic Profile says: `strongest`.
    """
    if action == "U":
        return Act.UID if vr == "UI" else Act.KEEP  # a sequence of references, whose UIDs have rows of their own
    if action != "C":
        return Act.EMPTY if action == "Z" and vr == "UI" else _PLAIN[action]
    if moment:
        return Act.SHIFT if vr in TIME or vr == "SH" else _PLAIN[strongest]
    return Act.CLEAN if vr in _CLEANED else _PLAIN[strongest]


def leaves_more(act: Act, than: Act) -> bool:
    """Whether `act` leaves more of what was there than `than` does."""
    return _LEFT.get(act, 0) > _LEFT.get(than, 0)
