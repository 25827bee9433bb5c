"""DICOM unique identifiers (PS3.5 section 9.1), checked strictly.

    UID       = component *( "." component )          ; at most 64 characters
    component = "0" / ( %x31-39 *DIGIT )              ; no leading zeros

Leading zeros matter: `1.02` and `1.2` are one UID to some archives and two to others.
"""

import re

from leadglass.limits import UID_CHARS
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

_UID = re.compile(r"(?:0|[1-9][0-9]*+)(?:\.(?:0|[1-9][0-9]*+))*+")


def is_uid(value: str) -> bool:
    """Whether `value` is a valid UID: digits and dots, no empty component, no leading zeros, 1 - 64 characters."""
    return len(value) <= UID_CHARS and _UID.fullmatch(value) is not None


def check_uid(value: str) -> str:
    """Return `value` when it is a valid UID, else raise Refusal `uid-malformed`."""
    if len(value) <= UID_CHARS and _UID.fullmatch(value) is not None:
        return value
    raise refuse(Code.UID_MALFORMED, f"not a UID, {len(value)} characters")
