"""What a de-identified data set says of itself (PS3.15 section E.1.1 step 6, PS3.3 sections C.7.1.1 and C.7.6.3)."""

from leadglass.deid.element import Element, Item
from leadglass.deid.options import BASIC, CODES, Option
from leadglass.deid.profile import Profile
from leadglass.deid.table import EDITION

IDENTITY_REMOVED, METHOD, METHOD_CODES, DATES_MODIFIED = 0x00120062, 0x00120063, 0x00120064, 0x00280303


def markers(profile: Profile, *, pixels_cleaned: bool = False) -> Item:
    """Return the attributes that every data set gets at its top, in the order of tags.

    `pixels_cleaned` says that regions of its pixels were painted over. A profile that is not conformant claims nothing: no
    code, and (0012,0062) is NO.
    """
    options = {*profile.options, Option.CLEAN_PIXELS} if pixels_cleaned else set(profile.options)
    claims = [BASIC, *sorted(CODES[option] for option in options)] if profile.conformant else []
    said = (
        Element(IDENTITY_REMOVED, "CS", ("YES" if profile.conformant else "NO",)),
        Element(METHOD, "LO", (f"Leadglass, PS3.15 {EDITION}", profile.title)),
        Element(DATES_MODIFIED, "CS", (_dates(profile),)),
    )
    if not claims:
        return said
    codes = Element(METHOD_CODES, "SQ", items=tuple(_code(value, meaning) for value, meaning in claims))
    return (*said[:2], codes, *said[2:])


def _dates(profile: Profile) -> str:
    if Option.RETAIN_FULL_DATES in profile.options:
        return "UNMODIFIED"
    return "MODIFIED" if Option.RETAIN_MODIFIED_DATES in profile.options else "REMOVED"


def _code(value: str, meaning: str) -> Item:
    return (
        Element(0x00080100, "SH", (value,)),
        Element(0x00080102, "SH", ("DCM",)),
        Element(0x00080104, "LO", (meaning,)),
    )
