"""The DICOM data dictionary (PS3.6) as two plain dicts, and tags in their one canonical spelling.

A tag is written `GGGGEEEE`, eight upper-case hexadecimal digits, everywhere inside the gateway; a nested one joins
its path with dots (`00081032.00080100`).
"""

import re
from collections.abc import Iterator
from typing import Final

from pydicom.datadict import DicomDictionary, keyword_dict

from leadglass.limits import NESTING_DEPTH

KEYWORDS: Final[dict[str, str]] = {keyword: f"{tag:08X}" for keyword, tag in keyword_dict.items() if keyword}
VRS: Final[dict[str, str]] = {f"{tag:08X}": entry[0] for tag, entry in DicomDictionary.items()}

_HEX = re.compile(r"[0-9A-Fa-f]{8}")
_FIRST_GROUP = "0008"  # groups below are commands, file meta and directory structure: not part of a data set


def tag(name: str) -> str | None:
    """Return the canonical tag for a keyword or `ggggeeee`, None when it is neither.

    A standard (even-group) tag must be in the dictionary; a private (odd-group) one is taken as it is.
    """
    known = KEYWORDS.get(name)
    if known is None:
        if _HEX.fullmatch(name) is None:
            return None
        known = name.upper()
        if known not in VRS and not is_private(known):
            return None
    return known if known >= _FIRST_GROUP else None


def tag_path(name: str) -> str | None:
    """Return the canonical path for `a` or `a.b`, each a keyword or tag, None when any is unknown.

    Every element but the last must be a sequence as far as the dictionary knows.
    """
    if "." not in name:
        return tag(name)
    parts = name.split(".")
    if len(parts) > NESTING_DEPTH:
        return None
    path = list(_path(parts))
    return ".".join(path) if len(path) == len(parts) else None


def _path(parts: list[str]) -> Iterator[str]:
    for at, part in enumerate(parts, 1):
        known = tag(part)
        if known is None or (at < len(parts) and vr(known) not in {"SQ", "UN"}):
            return
        yield known


def is_private(known: str) -> bool:
    """Whether a canonical tag is private (PS3.5 section 7.8: odd group)."""
    return known[3] in "13579BDF"


def vr(known: str) -> str:
    """Return the value representation of a canonical tag or of the last element of a path, `UN` when unknown."""
    return VRS.get(known[-8:], "UN")
