"""The options of the Basic Application Level Confidentiality Profile (PS3.15 section E.3) and their codes (CID 7050)."""

from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Option(StrEnum):
    """An option of Annex E, as profiles name it."""

    RETAIN_UIDS = "retain-uids"
    RETAIN_DEVICE = "retain-device-identity"
    RETAIN_INSTITUTION = "retain-institution-identity"
    RETAIN_PATIENT = "retain-patient-characteristics"
    RETAIN_FULL_DATES = "retain-full-dates"
    RETAIN_MODIFIED_DATES = "retain-modified-dates"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    CLEAN_STRUCTURED = "clean-structured-content"
    CLEAN_GRAPHICS = "clean-graphics"
    RETAIN_SAFE_PRIVATE = "retain-safe-private"
    CLEAN_PIXELS = "clean-pixel-data"


BASIC: Final = ("113100", "Basic Application Confidentiality Profile")
CODES: Final[dict[Option, tuple[str, str]]] = {
    Option.CLEAN_PIXELS: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_FULL_DATES: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.RETAIN_MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.RETAIN_PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE: ("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION: ("113112", "Retain Institution Identity Option"),
}

DONE: Final[dict[Option, str]] = {
    Option.RETAIN_UIDS: "UIDs stay.",
    Option.RETAIN_DEVICE: "What the table keeps stays; application entities, which it cleans, are removed or dummies.",
    Option.RETAIN_INSTITUTION: "Institution and address stay; text is then not cleaned of them.",
    Option.RETAIN_PATIENT: "Sex, age, size, weight and the like stay, ages over 89 as 090Y; allergies and states are cleaned text.",
    Option.RETAIN_FULL_DATES: "Dates and times stay.",
    Option.RETAIN_MODIFIED_DATES: "Dates move by whole days, one number for a patient; times of day stay.",
    Option.CLEAN_DESCRIPTORS: "Descriptions and comments stay as cleaned text.",
    Option.CLEAN_STRUCTURED: "Content stays, all text in it cleaned.",
    Option.CLEAN_GRAPHICS: "Graphic annotations stay, all text in them cleaned; overlays and curves are removed: nothing tells whether bits draw a name.",
    Option.RETAIN_SAFE_PRIVATE: "Private attributes stay that the profile lists by creator; all others are removed.",
    Option.CLEAN_PIXELS: "Regions of masks are painted over; what may show a person and has no mask is refused.",
}
"""What each does here."""


def contradict(options: Collection[Option]) -> bool:
    """Whether options exclude each other: dates are kept or modified, not both (PS3.15 section E.3.6)."""
    return Option.RETAIN_FULL_DATES in options and Option.RETAIN_MODIFIED_DATES in options
