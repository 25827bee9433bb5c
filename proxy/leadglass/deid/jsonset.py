"""Data sets in DICOM JSON (PS3.18 annex F) de-identified: rows of a search, metadata, at every depth.

What is written is made anew: of an attribute, only its representation and values that have the form the standard gives them.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from leadglass.codec.dicomjson import Row
from leadglass.codec.dictionary import VRS
from leadglass.deid.acts import BINARY, TEXT, TIME, Act
from leadglass.deid.dummies import dummy_item
from leadglass.deid.element import Element, Item
from leadglass.deid.markers import markers
from leadglass.deid.values import Values
from leadglass.limits import NESTING_DEPTH
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

Bulk: TypeAlias = Callable[[str, str], str | None]
"""What a BulkDataURI becomes: the URI and the attribute's path (`00880200.0.7FE00010`) in, the new URI or None (gone) out."""

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_WHOLE: Final = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_REAL: Final = frozenset({"DS", "FD", "FL"})
_PIXELS: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})  # never inline: masks work on streams of bytes
_PRIVATE: Final = 1 << 16
_HEX: Final = frozenset("0123456789ABCDEFabcdef")
_TAGS: Final = {name: int(name, 16) for name in VRS}
_REPRESENTATIONS: Final = frozenset(
    {*TEXT, *TIME, *BINARY, *_WHOLE, *_REAL, "AS", "AT", "CS", "SQ", "UI"}
)  # PS3.5 table 6.2-1
_SCALAR: Final = _REPRESENTATIONS - BINARY - {"PN", "SQ"}
_SCALARS: Final = frozenset({str, int, float})
_HOLDS: Final = frozenset({dict, list})


def deidentify_row(row: Row, values: Values, *, bulk: Bulk | None = None, marked: bool = False) -> Row:
    """Return a row or data set de-identified. `marked` adds what says so, as every whole data set needs.

    Bulk data stay only where `bulk` gives them another URI. Raises Refusal `deid-unreadable` when it nests deeper than
    NESTING_DEPTH.
    """
    done = _Walk(values, bulk).row(row, values.rules.acts, "", NESTING_DEPTH)
    if not marked:
        return done
    done.update(row_of(markers(values.rules.profile)))
    return dict(sorted(done.items()))


def row_of(item: Item) -> Row:
    """Return added attributes as DICOM JSON."""
    return {f"{element.tag:08X}": _attribute(element) for element in item}


def _attribute(element: Element) -> dict[str, Any]:
    if element.items:
        return {"vr": element.vr, "Value": [row_of(item) for item in element.items]}
    return _written(element.vr, element.values)


def _written(vr: str, values: Iterable[str] | None) -> dict[str, Any]:
    """Return an attribute of values as text."""
    if not values:
        return {"vr": vr}
    if vr in BINARY:
        (data,) = values
        return {"vr": vr, "InlineBinary": base64.b64encode(data.encode("latin-1")).decode("ascii")}
    return {"vr": vr, "Value": [_value(vr, value) for value in values]}


def _value(vr: str, value: str) -> object:
    if vr == "PN":
        return dict(name for name in zip(_GROUPS, value.split("="), strict=False) if name[1])
    try:
        if vr in _WHOLE:
            return int(value)
        if vr in _REAL:
            return float(value) if value else None
    except ValueError:
        return None
    return value or None


class _Walk:
    def __init__(self, values: Values, bulk: Bulk | None) -> None:
        self._values, self._bulk = values, bulk
        self._rules = values.rules

    def row(self, row: Mapping[str, Any], acts: Mapping[int, Act], path: str, depth: int) -> Row:
        """Return an item; `path` leads to it, and `acts` are those in force in it."""
        if depth < 0:
            raise refuse(Code.DEID_UNREADABLE, f"sequences nested deeper than {NESTING_DEPTH}")
        done: Row = {}
        for name, attribute in row.items():
            if type(attribute) is not dict:
                continue
            tag = _TAGS.get(name)
            if tag is None:
                if len(name) != 8 or not _HEX.issuperset(name):  # noqa: PLR2004 - GGGGEEEE
                    continue
                tag = int(name, 16)
                name = f"{tag:08X}"  # noqa: PLW2901 - its one spelling
            act = acts.get(tag)
            if act is None:
                act = self._private(row, tag, attribute, acts) if tag & _PRIVATE else Act.REMOVE
            if act is Act.KEEP and (vr := attribute.get("vr")) == VRS.get(name) and vr in _SCALAR:
                values = attribute.get("Value")  # nearly all that stays is one text or number
                if type(values) is list and len(values) == 1 and type(values[0]) in _SCALARS:
                    done[name] = {"vr": vr, "Value": values}
                    continue
            if act is not Act.REMOVE and not (path and tag in _PIXELS):  # nobody has judged pictures in items
                done[name] = self._one(name, tag, act, attribute, acts, path, depth)
        return done

    def _private(self, row: Mapping[str, Any], tag: int, about: Mapping[str, Any], acts: Mapping[int, Act]) -> Act:
        element = tag & 0xFFFF
        reserved = tag if element < 0x100 else tag & 0xFFFF0000 | element >> 8  # noqa: PLR2004 - PS3.5 section 7.8.1
        attribute = row.get(f"{reserved:08X}")
        creators = attribute.get("Value") if isinstance(attribute, dict) else None
        if not isinstance(creators, list) or len(creators) != 1 or not isinstance(creators[0], str):
            return Act.REMOVE
        act = self._rules.act(tag, creators[0])
        told = act is Act.KEEP and acts is self._rules.cleaned and reserved != tag
        return Act.CLEAN if told and about.get("vr") in TEXT else act

    def _one(  # noqa: PLR0917 - one attribute, and where it stands
        self,
        name: str,
        tag: int,
        act: Act,
        attribute: Mapping[str, Any],
        acts: Mapping[int, Act],
        path: str,
        depth: int,
    ) -> dict[str, Any]:
        known = VRS.get(name, "UN")
        vr = attribute.get("vr")
        if not isinstance(vr, str) or vr not in _REPRESENTATIONS:
            vr = known.partition(" or ")[0]
        given = attribute.get("Value")
        listed: list[Any] = given if type(given) is list else []
        if vr == "SQ" or known == "SQ":
            return self._sequence(tag, act, listed, acts, path, depth)
        if act is Act.KEEP:
            return self._kept(tag, vr, attribute, listed, path)
        return _written(vr, self._values.replace(act, tag, vr, [text(value) for value in listed]))

    def _sequence(
        self, tag: int, act: Act, listed: list[Any], acts: Mapping[int, Act], path: str, depth: int
    ) -> dict[str, Any]:
        if act is Act.DUMMY:
            return {"vr": "SQ", "Value": [row_of(dummy_item(tag))]}
        if act not in {Act.KEEP, Act.CLEAN}:
            return {"vr": "SQ"}
        inside = self._rules.inside(act, acts)
        items = [
            self.row(item, inside, f"{path}{tag:08X}.{number}.", depth - 1)
            for number, item in enumerate(listed)
            if type(item) is dict
        ]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}

    def _kept(self, tag: int, vr: str, attribute: Mapping[str, Any], listed: list[Any], path: str) -> dict[str, Any]:
        done: dict[str, Any] = {"vr": vr}
        if listed:
            if vr == "PN":
                listed = [_names(value) for value in listed]
            elif any(type(value) in _HOLDS for value in listed):
                listed = [None if type(value) in _HOLDS else value for value in listed]
            if listed.count(None) < len(listed):
                done["Value"] = listed
            return done
        uri, inline = attribute.get("BulkDataURI"), attribute.get("InlineBinary")
        if isinstance(uri, str) and self._bulk is not None:
            found = self._bulk(uri, f"{path}{tag:08X}")
            if found is not None:
                done["BulkDataURI"] = found
        elif isinstance(inline, str) and tag not in _PIXELS:
            done["InlineBinary"] = inline
        return done


def _names(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {group: value[group] for group in _GROUPS if isinstance(value.get(group), str)} or None


def text(value: object) -> str:
    """Return a value of DICOM JSON as text; nothing of what is no value."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "=".join(str(value.get(group) or "") for group in _GROUPS).rstrip("=")
    return str(value) if isinstance(value, int | float) else ""
