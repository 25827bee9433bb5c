"""What in a text looks like a person's: told by its shape alone, and apart from what cleans texts, which it is to check."""

import re
from collections.abc import Iterator
from typing import Final

_MONTHS: Final = "jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]"
SHAPES: Final[dict[str, re.Pattern[str]]] = {
    "an e-mail address": re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,}"),
    "a Social Security number": re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"),
    "a phone number": re.compile(
        r"\+\d{1,3}[ (./-]{1,2}\d[\d ()./-]{5,18}\d|(?<![\d.])\(?0\d{2,5}\)?[ /-]\d[\d /-]{4,12}\d(?![\d.])"
        r"|(?<![\d.])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?![\d.])|\b(?:tel|phone|fax|mobil)\w*\.?:? *[+\d][\d ()/-]{5,}",
        re.IGNORECASE,
    ),
    "a date": re.compile(
        r"(?<!\d)(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
        r"|(?<![\d.])(?:18|19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?![\d.])"
        r"|(?<![\d.])(?:0?[1-9]|[12]\d|3[01])[-/](?:0?[1-9]|[12]\d|3[01])[-/](?:(?:18|19|20)\d{2}|\d{2})(?![\d.])"
        r"|(?<![\d.])(?:0?[1-9]|[12]\d|3[01])\.(?:0?[1-9]|1[0-2])\.(?:18|19|20)\d{2}(?![\d.])"
        r"|(?<![\d.])(?:0[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])\.\d{2}(?![\d.])"  # 3.14.15 is a version
        rf"|\b(?:0?[1-9]|[12]\d|3[01])\.?[ -](?:{_MONTHS})[a-z]*\.?,?[ -](?:\d{{4}}|\d{{2}})\b"
        rf"|\b(?:{_MONTHS})[a-z]*\.? (?:0?[1-9]|[12]\d|3[01]),? \d{{4}}\b",
        re.IGNORECASE,
    ),
    "a name with a title": re.compile(
        r"\b(?:[Dd]r|[Pp]rof|Mr|Mrs|Ms|Mme|Mlle|Sra?|Sig|Herr|Frau|DR|PROF|MR|MRS)\.?(?: med\.?)? [^\W\d_]{2,}"
    ),
    "a name as DICOM writes it": re.compile(r"[^\W\d_]{2,}\^[^\W\d_]{1,}"),
    "a number of a person or an order": re.compile(r"\b(?:MRN|SSN|PID|patient ?(?:id|no)|acc(?:ession)?(?: ?no)?)\b\W{0,3}\w*\d{3,}", re.IGNORECASE),
    "a network address": re.compile(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"),
    "the address of a page": re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\w"),
    "the path of a file": re.compile(r"\b[A-Za-z]:\\\w|\\\\\w+\\|/(?:home|users)/\w", re.IGNORECASE),
    "an age over 89": re.compile(
        r"(?<!\d)(?:9\d|1[0-2]\d)[ -]?(?:y(?:ea)?rs?[ -]old|y/?o\b|-year-old|Jahre)", re.IGNORECASE
    ),
}  # fmt: skip
"""What is looked for, by what is said of it."""
_NAMES: Final = "a name as DICOM writes it"


def shapes(text: str, *, names: bool = True) -> Iterator[str]:
    """Yield what a text looks like it holds. `names` says whether names as DICOM writes them count."""
    for what, shape in SHAPES.items():
        if (names or what != _NAMES) and shape.search(text):
            yield what
