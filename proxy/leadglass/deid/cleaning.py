"""Text cleaned (PS3.15 section E.3.5): without the values known, and without what looks like a person's in any text.

Cleaned is less than removed: a name that nobody told of stays. Where that cannot be borne, a profile leaves the option out.
"""

import re
import unicodedata
from typing import Final

from leadglass.deid.known import PIECE, RUN, Words, fold

_MONTH: Final = "(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[^\\W\\d_]*"
_MAIL: Final = re.compile(r"[^\s@<>]{1,64}@[\w.-]{1,255}")
_WEB: Final = re.compile(r"\b(?:https?|ftp|file)://\S+|\bwww\.\S+", re.IGNORECASE)
_TITLE: Final = re.compile(r"\b(?:dr|prof|mr|mrs|ms)\.\s+[^\W\d_]+", re.IGNORECASE)
_MONTH_FIRST: Final = re.compile(rf"\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b", re.IGNORECASE)
_NUMBERS: Final = re.compile(
    r"(?=[\d(+])(?:"  # nothing else is tried where none can begin
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b"  # IP
    r"|(?<!\d)\d{4}[-./]\d{1,2}[-./]\d{1,2}(?!\d)|(?<!\d)\d{1,2}[-./]\d{1,2}[-./](?:\d{4}|\d{2})(?!\d)"  # dates
    rf"|\b\d{{1,2}}(?:\.|st|nd|rd|th)?[ -]{_MONTH}\.?,?[ -]?(?:\d{{4}}|\d{{2}})\b"
    r"|\d{6,}"  # numbers of people, orders and dates
    r"|\+\d[\d ()/.-]{5,20}\d|(?<!\d)\(?\d{3}\)?[ /.-]\d{3}[ .-]\d{3,4}(?!\d)|(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)"  # phone, SSN
    r")",
    re.IGNORECASE,
)
_DIGIT: Final = re.compile(r"\d")
_AGE: Final = re.compile(
    r"(?<!\d)(\d{2,3})(?=[ -]?(?:y(?:ea)?rs?\b|y/?o\b|y\.o|Y\b|Jahre|ans\b|anni\b|años))", re.IGNORECASE
)
_ZIP: Final = re.compile(r"(?<=\b[A-Z]{2} )(\d{3})\d{2}(?:-\d{4})?(?!\d)")
_UNSEEN: Final = dict.fromkeys((0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF))
_GAPS: Final = re.compile(r"[ \t]{2,}")
_EDGES: Final = " \t\r\n\0-_,;:/^="
# Areas of 20,000 people or fewer in the census of 2000 or of 2010: three digits become 000 (45 CFR 164.514(b)(2)(i)(B)).
SMALL_AREAS: Final = frozenset(
    {
        "036", "059", "063", "102", "202", "203", "204", "205", "369", "556", "692", "753", "772", "790", "821", "823", "830",
        "831", "878", "879", "884", "890", "893",
    }
)  # fmt: skip
_OLD: Final = 89


def clean(text: str, words: Words, *, ages: bool, zips: bool) -> str:
    """Return text without `words` and without dates, numbers and addresses; empty when nothing but marks is left.

    `ages` puts `over 89` for ages over 89, `zips` three digits for ZIP codes.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_UNSEEN)
    if "@" in text:
        text = _MAIL.sub(" ", text)
    if "." in text or ":" in text:
        text = _TITLE.sub(" ", _WEB.sub(" ", text))
    digits = _DIGIT.search(text) is not None
    if digits:
        text = _MONTH_FIRST.sub(" ", _NUMBERS.sub(" ", text))
    if ages and digits:
        text = _AGE.sub(lambda found: "over 89" if int(found[1]) > _OLD else found[0], text)
    text = RUN.sub(lambda found: _run(found[0], words), text)
    if zips and digits:
        text = _ZIP.sub(lambda found: zip3(found[1]), text)
    text = _GAPS.sub(" ", text).strip(_EDGES)
    return text if RUN.search(text) else ""


def _run(run: str, words: Words) -> str:
    folded = fold(run)
    if folded in words.whole or any(part in folded for part in words.parts):
        return ""
    if run.isalpha() or run.isdecimal():
        return run
    return PIECE.sub(lambda piece: "" if fold(piece[0]) in words.whole else piece[0], run)


def zip3(text: str) -> str:
    """Return the first three digits of a ZIP code, 000 where few people live, and nothing when there is none."""
    found = re.search(r"(?<!\d)(\d{3})(?:\d{2}(?:-\d{4})?)?(?!\d)", text)
    return ("000" if found[1] in SMALL_AREAS else found[1]) if found else ""
