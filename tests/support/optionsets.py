"""Every legal set of options of Annex E, with values that know the words of canaries, and what each set keeps."""

from itertools import combinations
from typing import Final

from pydicom.datadict import DicomDictionary

from leadglass.deid.acts import Act
from leadglass.deid.known import Known
from leadglass.deid.options import Option, contradict
from leadglass.deid.profile import Profile, standard
from leadglass.deid.pseudonyms import Patient, Pseudonyms
from leadglass.deid.rules import Rules
from leadglass.deid.values import Values
from support.canaries import WORDS, rows

OPTIONS: Final = [option for option in Option if option is not Option.CLEAN_PIXELS]
LEGAL: Final = [
    some for size in range(len(OPTIONS) + 1) for some in combinations(OPTIONS, size) if not contradict(some)
]
DEPTHS: Final = (0, 1, 2, 5, 20)
# Every canary is a word that is known, so that cleaned text has to lose it.
_KNOWN: Final = Known.of({0x00100010: [f"CNRY^{word}" for word in WORDS.values()], 0x00100020: ["P-77"]})
_WORD: Final = 0  # what `survivors` calls a word that stands for no attribute


def chosen(options: tuple[Option, ...]) -> Values:
    """Return the values of a patient under these options."""
    profile = Profile.model_validate({"title": "T", "options": options})
    return Values(Rules(profile), Pseudonyms(b"k" * 32, Patient.of(None, "P-77"), 365), _KNOWN)


def kept(one: Values) -> set[int]:
    """Return what the options keep as it is, by the standard."""
    options = one.rules.profile.options
    stays = {tag for tag in rows() if standard(tag, DicomDictionary[tag][0], options) is Act.KEEP}
    return stays | ({_WORD} if options else set())


def more_than_said(found: list[str], options: tuple[Option, ...]) -> list[str]:
    """Return the survivors that options do not explain: where dates are moved, times of day stay."""
    moved = Option.RETAIN_MODIFIED_DATES in options
    return [line for line in found if not (moved and ": time" in line)]
