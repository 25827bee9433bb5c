"""PS3.15 Table E.1-1, and the rows that this gateway adds to it.

An action is one letter: `X` remove, `Z` empty, `D` dummy, `U` another UID, `K` keep, `C` clean. Compound ones depend on the IOD in
the standard; here the strongest that is valid in every IOD is taken: `X/Z` is Z; `X/D`, `Z/D` and `X/Z/D` are D; `X/Z/U*` is U.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final, Literal, TypeAlias, cast, get_args

from pydicom.datadict import DicomDictionary

from leadglass.deid.options import Option

Action: TypeAlias = Literal["X", "Z", "D", "U", "K", "C"]

EDITION: Final = "2024e"

_OPTIONS: Final = {
    "U": Option.RETAIN_UIDS, "D": Option.RETAIN_DEVICE, "I": Option.RETAIN_INSTITUTION, "P": Option.RETAIN_PATIENT,
    "F": Option.RETAIN_FULL_DATES, "M": Option.RETAIN_MODIFIED_DATES, "T": Option.CLEAN_DESCRIPTORS,
    "S": Option.CLEAN_STRUCTURED, "G": Option.CLEAN_GRAPHICS, "V": Option.RETAIN_SAFE_PRIVATE,
}  # fmt: skip
_COMPOUND: Final[dict[str, Action]] = {"X/Z": "Z", "X/D": "D", "Z/D": "D", "X/Z/D": "D", "X/Z/U*": "U"}


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes of one attribute: `basic` in the Basic Profile, as it is written there, and what options change."""

    basic: str
    options: Mapping[Option, Action] = field(default_factory=dict)

    @property
    def strongest(self) -> Action:
        """The action of the Basic Profile that is valid in every IOD."""
        return _COMPOUND.get(self.basic) or cast("Action", self.basic)

    def action(self, chosen: Collection[Option]) -> Action:
        """Return the action under the options chosen. Where one keeps and another cleans, it is cleaned."""
        said = {action for option, action in self.options.items() if option in chosen}
        return "C" if "C" in said else "K" if "K" in said else self.strongest


def _read(name: str) -> dict[str, Row]:
    rows = {}
    for line in (files(__package__) / name).read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        tag, basic, *changed = line.split(" ")
        row = Row(basic, {_OPTIONS[one[0]]: cast("Action", one[1]) for one in changed})
        if row.strongest not in get_args(Action):
            raise ValueError(f"{tag}: no action {basic}")
        rows[tag] = row
    return rows


_ALL: Final = _read("table.txt")
PATTERNS: Final[Mapping[str, Row]] = {tag: row for tag, row in _ALL.items() if "X" in tag or tag == "PRIVATE"}
"""Curves (`50XXXXXX`), overlay data and comments (`60XX3000`, `60XX4000`) and private attributes (`PRIVATE`)."""
ROWS: Final[Mapping[int, Row]] = {int(tag, 16): row for tag, row in _ALL.items() if tag not in PATTERNS}
"""The rows of the standard that are one tag each."""

# UIDs that name a kind of thing (SOP class, transfer syntax, coding scheme, template), not one thing.
KINDS: Final = frozenset(
    {
        0x00020002, 0x00020010, 0x00020012, 0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x00080117,
        0x00080118, 0x0008040E, 0x00081150, 0x0008115A, 0x00083002, 0x00340003, 0x04000010, 0x04000510, 0x3010001F,
        0x30100052, 0x30100053,
    }
)  # fmt: skip
_CODES: Final = frozenset({0x00080108, 0x00080114, 0x00080115, 0x00080116, 0x00080119})  # words of coding schemes
_BY_VR: Final = {
    "UI": Row("U", {Option.RETAIN_UIDS: "K"}),
    **dict.fromkeys(("DA", "DT", "TM"), Row("X", {Option.RETAIN_FULL_DATES: "K", Option.RETAIN_MODIFIED_DATES: "C"})),
    **dict.fromkeys(("LT", "ST", "UC", "UT"), Row("C")),
}
_FIRST: Final = 0x00080000  # of a data set; before it are commands, file meta and directory records
_META: Final = 0x0002


def _more() -> dict[int, Row]:
    """Return the rows added: those listed, and every date, UID and long text of the dictionary that no row names."""
    rows = {int(tag, 16): row for tag, row in _read("more.txt").items()}
    for tag, entry in DicomDictionary.items():
        if tag in ROWS or tag in rows or tag in KINDS or tag in _CODES:
            continue
        if tag < _FIRST:
            if tag >> 16 != _META:
                rows[tag] = Row("X")
        elif (row := _BY_VR.get(entry[0])) is not None:
            rows[tag] = row
    return rows


MORE: Final[Mapping[int, Row]] = _more()
"""What this gateway adds: more of the same, so that it is at least as strict as the standard."""
