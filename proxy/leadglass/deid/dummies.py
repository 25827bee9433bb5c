"""Dummies: values that are valid for their representation (PS3.5 section 6.2) and the same for everybody."""

from collections.abc import Mapping
from typing import Final

from leadglass.deid.element import Element, Item

_TEXT: Final = "ANONYMIZED"
_BY_VR: Final = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"), _TEXT),
    **dict.fromkeys(("OB", "OW", "UN"), "\0\0"), **dict.fromkeys(("OF", "OL"), "\0" * 4),
    **dict.fromkeys(("OD", "OV"), "\0" * 8), "AS": "000D", "AT": "00080005", "DA": "19000101", "DT": "19000101000000",
    "TM": "000000", "UI": "2.25.0", "UR": "urn:anonymized",
}  # fmt: skip
_NUMBER: Final = "0"
# Where the defined terms or the meaning say more than the representation.
_BY_TAG: Final[Mapping[int, str]] = {
    0x04000565: "CORRECT",  # Reason for the Attribute Modification: COERCE or CORRECT
    0x00080201: "+0000",  # Timezone Offset From UTC
}


def dummy(tag: int, vr: str) -> list[str]:
    """Return the dummy of an attribute, one value as text; bytes are text of Latin-1."""
    return [_BY_TAG.get(tag) or _BY_VR.get(vr, _NUMBER)]


_CODE: Final[Item] = (
    Element(0x00080100, "SH", (_TEXT,)),
    Element(0x00080102, "SH", ("99LEADGLASS",)),
    Element(0x00080104, "LO", (_TEXT,)),
)
_PERSON: Final[Item] = (Element(0x00401101, "SQ", items=(_CODE,)),)
_SEQUENCES: Final[Mapping[int, Item]] = {
    0x00080082: _CODE,  # Institution Code Sequence
    0x00081072: (Element(0x00080080, "LO", (_TEXT,)), *_PERSON),  # Operator Identification Sequence
    0x00401101: _CODE,  # Person Identification Code Sequence
    0x00081111: (  # Referenced Performed Procedure Step Sequence
        Element(0x00081150, "UI", ("1.2.840.10008.3.1.2.3.3",)),
        Element(0x00081155, "UI", ("2.25.0",)),
    ),
    0x00340001: (Element(0x00340002, "OB", ("\0\0",)),),  # Flow Identifier Sequence
    0x0040A073: (  # Verifying Observer Sequence
        Element(0x0040A027, "LO", (_TEXT,)),
        Element(0x0040A030, "DT", ("19000101000000",)),
        Element(0x0040A075, "PN", (_TEXT,)),
        Element(0x0040A088, "SQ"),
    ),
    0x0040A730: (  # Content Sequence
        Element(0x0040A010, "CS", ("CONTAINS",)),
        Element(0x0040A040, "CS", ("TEXT",)),
        Element(0x0040A043, "SQ", items=(_CODE,)),
        Element(0x0040A160, "UT", (_TEXT,)),
    ),
    0x00700001: (Element(0x00700002, "CS", (_TEXT,)),),  # Graphic Annotation Sequence
}


def dummy_item(tag: int) -> Item:
    """Return what the one item of a dummy sequence holds, in the order of tags."""
    return _SEQUENCES.get(tag, ())
