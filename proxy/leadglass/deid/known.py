"""What is known of a study and its patient before a byte of it is read: the values that text is cleaned of.

Study Description comes before Patient's Name in every data set, so what is to be found in it has to be known first: from
the archive's row of the study, or from a file read ahead.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from leadglass.limits import DEID_KNOWN_CHARS

_WHO: Final = (0x00100010, 0x00100020)  # name and number: who knows neither knows nothing to clean text of
PEOPLE: Final = (
    *_WHO,
    0x00080050,  # Accession Number
    0x00080090, 0x0008009C, 0x00081048, 0x00081050, 0x00081060, 0x00081070, 0x00321032, 0x00321033,  # physicians, operators
    0x00100030,  # Patient's Birth Date
    0x00101000, 0x00101001, 0x00101005, 0x00101040, 0x00101060, 0x00101090, 0x00102154, 0x00102155, 0x00102297,
    0x00380010,  # Admission ID
)  # fmt: skip
"""Attributes that name people, by whatever."""
PLACES: Final = (0x00080080, 0x00080081, 0x00081010, 0x00081040, 0x00080055)
"""Attributes that name where it was made."""

# Marks belong to the letter before them, in Devanagari as in a decomposed accent; `\\w` has none of them.
_MARKS: Final = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
RUN: Final = re.compile(rf"[^\W_]+(?:[{_MARKS}]+[^\W_]*)*")
PIECE: Final = re.compile(rf"[^\W\d_]+(?:[{_MARKS}]+[^\W\d_]*)*|\d+(?:[{_MARKS}]+\d*)*")
_PEOPLE: Final = frozenset(PEOPLE)
_PLACES: Final = frozenset(PLACES)
_NAMES: Final = {f"{tag:08X}": tag for tag in (*PEOPLE, *PLACES)}
_SPELT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "ß": "ss"})
_PLAIN: Final = str.maketrans({"ı": "i", "ł": "l", "đ": "d", "ø": "o", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe"})  # noqa: RUF001 - no accents to Unicode
_DIGIT: Final = re.compile(r"\d")
_GAP: Final = re.compile(r"[\s^=]+")
_LONG: Final = 4  # a shorter word is found only where it stands alone
_LONG_PLACE: Final = 8  # Mary, of St. Mary's, is in every primary and mammary
_INITIALS: Final = 2  # letters of a number: CT of CT-12345 tells nothing
_GENERAL: Final = frozenset(
    {"ct", "mr", "mri", "us", "nm", "pt", "pet", "cr", "dx", "mg", "xa", "rf", "rt"}
)  # CT01 is a place
_LONG_OTHER: Final = 2  # in scripts that put no space between words


def fold(run: str) -> str:
    """Return a word as it is compared: without case, accents and what is no letter or digit."""
    if run.isascii():
        return run.lower()
    apart = unicodedata.normalize("NFKD", run.casefold()).casefold().translate(_PLAIN)
    return "".join(one for one in apart if one.isalnum() or unicodedata.category(one) == "Mc")


@dataclass(frozen=True, slots=True)
class Words:
    """Words as `fold` has them: `whole` count where they stand alone, `parts` wherever they stand."""

    whole: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()


def _spellings(value: str) -> tuple[str, ...]:
    if value.isascii():
        return (value.lower(),)
    composed = unicodedata.normalize("NFC", value)
    return composed, composed.casefold().translate(_SPELT)


def _runs(part: str) -> list[str]:
    if part.isascii() and part.isalnum():
        return [part]  # it is in lower case
    return [fold(run) for run in RUN.findall(part)]


def _spelt(values: frozenset[str]) -> set[str]:
    """Return the words of values, in all the ways that they may be written."""
    words: list[str] = []
    for value in values:
        for spelt in _spellings(value):
            found: list[str] = []
            parts: list[str] = []
            for part in _GAP.split(spelt):
                runs = _runs(part)
                found += runs
                parts.append("".join(runs))  # O'Brien is OBRIEN
            found += parts
            if _DIGIT.search(spelt):
                numbers = [fold(piece) for piece in PIECE.findall(spelt)]  # letters apart from digits
                found += numbers
                found += [number.lstrip("0") for number in found if number.startswith("0")]
                if "^" not in spelt:
                    found = [one for one in found if len(one) > _INITIALS or not one.isalpha()]
            if len(parts) > 1:
                found.append("".join(parts))
                found.append("".join(reversed(parts)))
            words += found
    return {word for word in words if len(word) > 1 or not word.isascii()}


@lru_cache(maxsize=1024)
def _words(people: frozenset[str], places: frozenset[str]) -> Words:
    persons, others = _spelt(people), _spelt(places) - _GENERAL
    parts = {word for word in persons if len(word) >= (_LONG if word.isascii() else _LONG_OTHER)}
    parts |= {word for word in others if len(word) >= _LONG_PLACE}
    return Words(frozenset(persons | others), tuple(parts))


@dataclass(frozen=True, slots=True)
class Known:
    """The values known, of people and of places. `enough` says whether text can be cleaned with them at all."""

    people: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    enough: bool = False

    @classmethod
    def of(cls, values: Mapping[int, Collection[str]]) -> "Known":
        """Return what is known by the attributes of a study: tag -> its values, as text; other tags are left alone."""
        people, places, enough = set[str](), set[str](), False
        for tag, found in values.items():
            if tag in _PLACES:
                places.update(found)
            elif tag in _PEOPLE:
                people.update(found)
                enough = enough or (tag in _WHO and any(map(str.strip, found)))
        people.discard("")
        places.discard("")
        if sum(map(len, people | places)) > DEID_KNOWN_CHARS:
            return cls()  # a data set made to be expensive: then text is not cleaned but dropped
        return cls(frozenset(people), frozenset(places), enough)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "Known":
        """Return what is known by a row of DICOM JSON (PS3.18 annex F)."""
        return cls.of({_NAMES[name]: texts(row[name]) for name in _NAMES.keys() & row.keys()})

    def words(self, *, places: bool) -> Words:
        """Return the words to be looked for; those of places only where asked."""
        return _words(self.people, self.places if places else frozenset())


def texts(attribute: object) -> Sequence[str]:
    """Return the values of an attribute of DICOM JSON as text; the groups of a name are one each."""
    if not isinstance(attribute, dict) or not isinstance(values := attribute.get("Value"), list):
        return ()
    found: list[str] = []
    for value in values:
        if isinstance(value, dict):
            found += [group for group in value.values() if isinstance(group, str)]
        elif isinstance(value, str | int | float):
            found.append(str(value))
    return found
