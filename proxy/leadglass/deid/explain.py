"""What a profile does to every attribute, and why: for privacy officers, and for the conformance table of the docs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydicom.datadict import DicomDictionary

from leadglass.codec import dictionary
from leadglass.deid.acts import Act
from leadglass.deid.options import Option
from leadglass.deid.profile import Profile, tag_of
from leadglass.deid.rules import Rules
from leadglass.deid.table import MORE, PATTERNS, ROWS, Row

SAYS: Final[dict[Act, str]] = {
    Act.KEEP: "stays as it is",
    Act.REMOVE: "is removed",
    Act.EMPTY: "is emptied",
    Act.DUMMY: "becomes a dummy",
    Act.UID: "becomes a pseudonymous UID",
    Act.IDENTIFIER: "becomes a pseudonym",
    Act.SHIFT: "is moved by the patient's days",
    Act.CLEAN: "is cleaned of known values",
    Act.AGE: "stays, over 89 years as 090Y",
    Act.POSTCODE: "becomes three digits of the ZIP code",
}
_SEQUENCES: Final[dict[Act, str]] = {
    Act.KEEP: "stays, and what is in it is judged",
    Act.CLEAN: "stays, and all text in it is cleaned",
    Act.DUMMY: "has one item of dummies",
}
_NO_DATA_SET: Final = frozenset({0x0000, 0x0004})  # commands, directory records
_PATTERNS: Final = {
    "50XXXXXX": ("(50xx,xxxx)", "Curves"),
    "60XX3000": ("(60xx,3000)", "Overlay Data, and with it all of the overlay"),
    "60XX4000": ("(60xx,4000)", "Overlay Comments"),
    "PRIVATE": ("(gggg,eeee), gggg odd", "Private Attributes"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of one attribute. `named` is false for those that nothing but the dictionary names."""

    tag: str
    name: str
    vr: str
    act: str
    says: str
    why: str
    named: bool = True


def explain(profile: Profile) -> list[Line]:
    """Return a line for every attribute of the dictionary, in the order of tags, then one for each pattern and private attribute."""
    rules = Rules(profile)
    own = {tag_of(name) for name in profile.attributes}
    return [_line(tag, rules, own) for tag in sorted(rules.acts)] + list(_patterns(profile))


def find(lines: list[Line], name: str) -> Line | None:
    """Return the line of an attribute by keyword, `GGGGEEEE` or `(GGGG,EEEE)`, None when the dictionary has none."""
    plain = name.strip().removeprefix("(").removesuffix(")").replace(",", "").upper()
    known = dictionary.KEYWORDS.get(name, plain)
    spelt = f"({known[:4]},{known[4:]})"
    return next((line for line in lines if line.tag == spelt), None)


def _line(tag: int, rules: Rules, own: set[int]) -> Line:
    vr, _, name, *_ = DicomDictionary[tag]
    act = rules.acts[tag]
    says = (_SEQUENCES if vr == "SQ" else {}).get(act) or SAYS[act]
    why, named = _why(tag, rules.profile, own)
    return Line(f"({tag >> 16:04X},{tag & 0xFFFF:04X})", name, vr, act.name.lower(), says, why, named)


def _why(tag: int, profile: Profile, own: set[int]) -> tuple[str, bool]:
    if tag in own:
        return "the profile names it", True
    if (row := ROWS.get(tag)) is not None:
        return f"Table E.1-1: {_action(row, profile)}", True
    if (row := MORE.get(tag)) is not None:
        return f"Leadglass: {_action(row, profile)}", tag >> 16 not in _NO_DATA_SET
    return "nothing names it", False


def _action(row: Row, profile: Profile) -> str:
    action = row.action(profile.options)
    by = [option for option in Option if option in profile.options and row.options.get(option) == action]
    return f"{action} by {', '.join(by)}" if by else row.basic


def _patterns(profile: Profile) -> Iterator[Line]:
    for pattern, row in PATTERNS.items():
        tag, name = _PATTERNS[pattern]
        says = SAYS[Act.REMOVE]
        if pattern == "PRIVATE" and profile.private:
            says = "stays where the profile lists it, else is removed"
        yield Line(tag, name, "", "remove", says, f"Table E.1-1: {_action(row, profile)}")
    for block in profile.private:
        for element in block.elements:
            yield Line(
                f"({block.group},xx{element})",
                f"of {block.creator}",
                "",
                "keep",
                SAYS[Act.KEEP],
                "the profile lists it",
            )
    yield Line("any other", "what the dictionary does not know", "", "remove", SAYS[Act.REMOVE], "it cannot be judged")
