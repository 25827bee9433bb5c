"""One data set looked at with the eyes of a profile: what is in it that should have been changed and was not."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from leadglass.copies.words import shapes
from leadglass.deid.acts import TEXT, Act
from leadglass.deid.dummies import dummy
from leadglass.deid.markers import DATES_MODIFIED, IDENTITY_REMOVED, METHOD, METHOD_CODES
from leadglass.deid.rules import Rules
from leadglass.hazmat.pseudonym import is_made

_REGISTERED: Final = re.compile(r"1\.2\.840\.10008(?:\.[0-9]+)*")
_PSEUDONYM: Final = re.compile("[0-9A-HJKMNP-TV-Z]{16}")
_OLDER: Final = {"Y": 90, "M": 1080, "W": 4696, "D": 32872}  # from the ninetieth birthday on
FILLED: Final = re.compile(
    "anon(?:ymi[sz]ed|ymous)?|removed?|none|unknown|de-?identified|dummy|xxxx*|0+", re.IGNORECASE
)
"""What stands for everybody, in the words of other programs, too."""
_META: Final = {
    0x00020016: "Source Application Entity Title", 0x00020017: "Sending Application Entity Title",
    0x00020018: "Receiving Application Entity Title", 0x00020100: "Private Information Creator UID",
    0x00020102: "Private Information", 0x00020026: "Source Presentation Address",
    0x00020027: "Sending Presentation Address", 0x00020028: "Receiving Presentation Address",
}  # fmt: skip
_BLOCKS: Final = range(0x10, 0x100)
# Versions and codes, which look like dates and network addresses; protocols, whose parts some makers join as those of names.
_CODES: Final = frozenset({0x00080100, 0x00080103, 0x00080119, 0x00080120, 0x00181019, 0x00181020})
_PROTOCOLS: Final = frozenset({0x00081030, 0x0008103E, 0x00181030, 0x00321060, 0x00400007, 0x00400254})
_MARKERS: Final = frozenset({IDENTITY_REMOVED, METHOD, METHOD_CODES, DATES_MODIFIED})
_OVERLAYS, _CURVES = 0x6000, 0x5000
_REPEATING: Final = 0xFF00


class Survivor(NamedTuple):
    """An attribute that should not be as it is. `tag` is 0 for what is about no attribute."""

    path: str
    tag: int
    code: str
    why: str


def survivors(found: Dataset, rules: Rules) -> Iterator[Survivor]:
    """Yield what a profile would not have left, at every depth, in the order of the file."""
    for tag, name in _META.items():
        if tag in found.file_meta:
            yield Survivor(_path("", tag), tag, "file-meta", f"the file meta holds the {name}")
    if rules.profile.conformant and str(found.get("PatientIdentityRemoved", "")) != "YES":
        yield Survivor(_path("", 0x00120062), 0x00120062, "marker", "nothing says that the identity was removed")
    yield from _of(found, rules, rules.acts, "")


def _of(found: Dataset, rules: Rules, acts: Mapping[int, Act], above: str) -> Iterator[Survivor]:
    creators: dict[tuple[int, int], str] = {}
    for element in found:
        tag, creator = int(element.tag), None
        if tag in _MARKERS and not above:
            act = Act.KEEP
        elif tag >> 16 & 1:
            creator = _creator(element, creators)
            act = rules.act(tag, creator)
        else:
            act = acts[tag] if tag in acts else rules.act(tag)
        path = _path(above, tag)
        if element.VR == "SQ" and act is not Act.REMOVE:
            if act in {Act.EMPTY, Act.DUMMY} and len(element.value or ()) > (act is Act.DUMMY):
                yield Survivor(path, tag, "attribute", "it should have no items of the original")
            for number, item in enumerate(element.value or (), 1):
                yield from _of(item, rules, rules.inside(act, acts), f"{path}[{number}].")
        else:
            yield from (Survivor(path, tag, code, why) for code, why in _one(element, tag, act))


def _creator(element: DataElement, creators: dict[tuple[int, int], str]) -> str | None:
    group, number = int(element.tag) >> 16, int(element.tag) & 0xFFFF
    if number in _BLOCKS:
        creators[group, number] = str(element.value)
        return str(element.value)
    return creators.get((group, number >> 8))


def _one(element: DataElement, tag: int, act: Act) -> Iterator[tuple[str, str]]:
    values = texts(element)
    if act is Act.REMOVE:
        yield _gone(tag)
    elif act is Act.EMPTY and (any(values) or (not values and element.value)):
        yield "attribute", "it should be empty"
    elif act is Act.DUMMY and [one for one in values if one and not _filled(one, tag, element.VR)]:
        yield "attribute", "its value is not the one that stands for everybody"
    elif act is Act.UID and not all(map(_replaced, values)):
        yield "uid", "a UID that is no pseudonym"
    elif act is Act.IDENTIFIER and not all(
        _PSEUDONYM.fullmatch(one) or _filled(one, tag, element.VR) for one in values if one
    ):
        yield "identifier", "it is no pseudonym"
    elif act is Act.AGE and any(map(_old, values)):
        yield "age", "an age over 89"
    elif act is Act.POSTCODE and any(re.search(r"\d{4}", one) for one in values):
        yield "postcode", "more than three digits of a ZIP code"
    elif element.VR in TEXT and act in {Act.KEEP, Act.CLEAN} and tag not in _CODES:
        for what in sorted({what for one in values for what in shapes(one, names=tag not in _PROTOCOLS)}):
            yield "text", f"its text looks like it holds {what}"


def _gone(tag: int) -> tuple[str, str]:
    if tag >> 16 & 1:
        return "private", "a private attribute that no safe list names"
    repeating = tag >> 16 & _REPEATING
    if repeating == _OVERLAYS:
        return "overlay", "an overlay plane, which may show text"
    if repeating == _CURVES:
        return "curve", "a curve, which may hold anything"
    return "attribute", "it should have been removed"


def texts(element: DataElement) -> list[str]:
    """Return the values of an attribute as text, without padding; of bytes none."""
    value = element.value
    if value is None or isinstance(value, bytes):
        return []
    return [str(one).strip(" \0") for one in (value if isinstance(value, MultiValue | list) else [value])]


def _filled(value: str, tag: int, vr: str) -> bool:
    return value == dummy(tag, vr)[0] or FILLED.fullmatch(value) is not None or _same_number(value, dummy(tag, vr)[0])


def _same_number(value: str, other: str) -> bool:
    try:
        return float(value) == float(other)
    except ValueError:
        return False


def _replaced(uid: str) -> bool:
    return not uid or is_made(uid) or _REGISTERED.fullmatch(uid) is not None or uid == dummy(0, "UI")[0]


def _old(age: str) -> bool:
    number, unit = age[:-1], age[-1:]
    return age != "090Y" and number.isdigit() and unit in _OLDER and int(number) >= _OLDER[unit]


def _path(above: str, tag: int) -> str:
    name = keyword_for_tag(tag) if not tag >> 16 & 1 else ""
    return f"{above}({tag >> 16:04X},{tag & 0xFFFF:04X}){' ' + name if name else ''}"
