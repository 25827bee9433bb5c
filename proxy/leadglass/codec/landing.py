"""Where a person lands after signing in: a path of this origin, or nothing.

A browser reads a Location more loosely than any parser we know (backslashes, tabs, doubled slashes, percent-encodings
that a proxy decodes), so a landing place is not checked for what is bad in it but held to a small alphabet.
"""

import re
from typing import Final

from leadglass.codec.control import BREAK_GLASS, PREFIX, REIDENTIFY

LANDING_CHARS: Final = 2048
# One slash, then segments of letters that mean nothing to any parser; a query whose encodings cannot reach the path.
_LANDING: Final = re.compile(
    r"/(?:[A-Za-z0-9_~][A-Za-z0-9._~+=,-]*+(?:/[A-Za-z0-9_~][A-Za-z0-9._~+=,-]*+)*+/?)?"
    r"(?:\?(?:[A-Za-z0-9._~!$&'()*+,=:@/?-]|%[0-9A-Fa-f]{2})*+)?"
)
_QUERY: Final = re.compile(r"(?:[A-Za-z0-9._~=/&-]|%[0-9A-Fa-f]{2})*+")


def landing(target: str | None) -> str | None:
    """Return `target` when it is a path of this origin outside the control side, or a form of ours that asks for a sign-in; else None."""
    if target is None or len(target) > LANDING_CHARS:
        return None
    if target.startswith(PREFIX):
        path, _, query = target.partition("?")
        return target if path in {BREAK_GLASS, REIDENTIFY} and _QUERY.fullmatch(query) else None
    return target if _LANDING.fullmatch(target) else None
