"""Data sets in XML (PS3.19 annex A, the Native DICOM Model) de-identified, by way of DICOM JSON.

No document type, so no entities of its own; bounded in bytes and depth. What the model does not name is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from leadglass.codec.dicomjson import Row
from leadglass.codec.dictionary import KEYWORDS
from leadglass.deid.jsonset import Bulk, deidentify_row
from leadglass.deid.values import Values
from leadglass.limits import DEID_TEXT_BYTES, NESTING_DEPTH
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

_NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_ROOT, _ATTRIBUTE, _ITEM, _VALUE, _PERSON = "NativeDicomModel", "DicomAttribute", "Item", "Value", "PersonName"
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_LEVELS: Final = 2 * NESTING_DEPTH + 6  # an attribute and its item each; the root, a name and its parts
_NAMES: Final = {tag: keyword for keyword, tag in KEYWORDS.items()}
_PRIVATE_TAG: Final = re.compile("[0-9A-F]{3}[13579BDF][0-9A-F]{4}")
_VALUES: Final = 65_536  # of one attribute; `number` says where each stands


@dataclass(slots=True)
class _Node:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[_Node]" = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def each(self, name: str) -> "Iterator[_Node]":
        return (child for child in self.children if child.name == name)


def deidentify_xml(data: bytes, values: Values, *, bulk: Bulk | None = None) -> bytes:
    """Return a data set in XML de-identified, and marked as such. Raises Refusal `deid-unreadable`."""
    return write(deidentify_row(read(data), values, bulk=bulk, marked=True))


def _unreadable(detail: str) -> Refusal:
    return refuse(Code.DEID_UNREADABLE, detail)


def read(data: bytes) -> Row:
    """Return a data set in XML as DICOM JSON; numbers stay text. Raises Refusal `deid-unreadable`."""
    if len(data) > DEID_TEXT_BYTES:
        raise _unreadable(f"XML of more than {DEID_TEXT_BYTES} bytes")
    root = _parse(data)
    if root.name != _ROOT:
        raise _unreadable("XML that is no data set")
    return _row(root)


def _parse(data: bytes) -> _Node:
    top = _Node("")
    open_nodes = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_nodes) > _LEVELS:
            raise _unreadable(f"sequences nested deeper than {NESTING_DEPTH}")
        space, _, local = name.rpartition(" ")
        node = _Node(local if space in {"", _NAMESPACE} else "", attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_name: str) -> None:
        open_nodes.pop()

    def characters(text: str) -> None:
        open_nodes[-1].text.append(text)

    def no_type(*_about: object) -> None:
        raise _unreadable("XML with a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = no_type
    try:
        parser.Parse(data, True)  # noqa: FBT003 - takes no keyword
    except (expat.ExpatError, ValueError, LookupError):
        raise _unreadable("not XML") from None
    return top.children[0]


def _row(node: _Node) -> Row:
    row: Row = {}
    owned: list[tuple[str, str, dict[str, Any]]] = []
    for attribute in node.each(_ATTRIBUTE):
        tag, vr = attribute.attributes.get("tag", "").upper(), attribute.attributes.get("vr", "UN")
        creator = attribute.attributes.get("privateCreator")
        if creator:
            owned.append((tag, creator, _attribute(attribute, vr)))
        else:
            _put(row, tag, _attribute(attribute, vr))
    for tag, creator, found in owned:
        if _PRIVATE_TAG.fullmatch(tag):
            _put(row, f"{tag[:4]}{_block(row, tag[:4], creator)}{tag[6:]}", found)
    return row


def _put(row: Row, tag: str, found: dict[str, Any]) -> None:
    if tag in row:
        raise _unreadable("an attribute twice")
    row[tag] = found


def _block(row: Row, group: str, creator: str) -> str:
    """Return the block of a creator in a group. The model writes none, and need not write who reserved it."""
    for number in range(0x10, 0x100):
        reserved = row.setdefault(f"{group}00{number:02X}", {"vr": "LO", "Value": [creator]})
        if reserved.get("Value") == [creator]:
            return f"{number:02X}"
    raise _unreadable("more private creators than there are blocks")


def _attribute(node: _Node, vr: str) -> dict[str, Any]:
    found: dict[str, Any] = {"vr": vr}
    if items := [_row(item) for item in node.each(_ITEM)]:
        found["Value"] = items
    elif names := _numbered(node, _PERSON):
        found["Value"] = [_person(name) if name else None for name in names]
    elif values := _numbered(node, _VALUE):
        found["Value"] = ["".join(value.text) if value else None for value in values]
    for inline in node.each("InlineBinary"):
        found["InlineBinary"] = "".join("".join(inline.text).split())
    for bulk in node.each("BulkData"):
        found["BulkDataURI"] = bulk.attributes.get("uri")
    return found


def _numbered(node: _Node, name: str) -> list[_Node | None]:
    placed: list[_Node | None] = []
    for child in node.each(name):
        number = child.attributes.get("number", str(len(placed) + 1))
        if not (number.isascii() and number.isdecimal()) or not len(placed) < int(number) <= _VALUES:
            raise _unreadable("values that are not numbered in order")
        placed += [None] * (int(number) - len(placed) - 1)
        placed.append(child)
    return placed


def _person(node: _Node) -> dict[str, str]:
    found = {}
    for group in _GROUPS:
        for spelt in node.each(group):
            parts = ["".join("".join(part.text) for part in spelt.each(name)) for name in _PARTS]
            found[group] = "^".join(parts).rstrip("^")
    return found


def write(row: Row) -> bytes:
    """Return a data set of DICOM JSON as XML."""
    lines = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{_ROOT} xmlns="{_NAMESPACE}" xml:space="preserve">']
    _write(row, lines)
    return "".join([*lines, f"</{_ROOT}>\n"]).encode("utf-8")


def _write(row: Row, lines: list[str]) -> None:
    for tag, attribute in sorted(row.items()):
        vr = attribute["vr"]
        lines.append(f"<{_ATTRIBUTE} {_named(row, tag)} vr={quoteattr(vr)}>")
        for number, value in enumerate(attribute.get("Value", ()), 1):
            _write_value(number, value, vr, lines)
        if "InlineBinary" in attribute:
            lines.append(f"<InlineBinary>{escape(attribute['InlineBinary'])}</InlineBinary>")
        if "BulkDataURI" in attribute:
            lines.append(f"<BulkData uri={quoteattr(attribute['BulkDataURI'])}/>")
        lines.append(f"</{_ATTRIBUTE}>")


def _named(row: Row, tag: str) -> str:
    if tag in _NAMES:
        return f'tag="{tag}" keyword={quoteattr(_NAMES[tag])}'
    reserved = row.get(f"{tag[:4]}00{tag[4:6]}")
    if reserved is None or not _PRIVATE_TAG.fullmatch(tag):
        return f'tag="{tag}"'
    (creator,) = reserved["Value"]
    return f'tag="{tag[:4]}00{tag[6:]}" privateCreator={quoteattr(creator)}'


def _write_value(number: int, value: object, vr: str, lines: list[str]) -> None:
    if vr == "SQ":
        lines.append(f'<{_ITEM} number="{number}">')
        if isinstance(value, dict):
            _write(value, lines)
        lines.append(f"</{_ITEM}>")
    elif isinstance(value, dict):
        lines.append(f'<{_PERSON} number="{number}">')
        for group in _GROUPS:
            if text := value.get(group):
                named = zip(_PARTS, text.split("^"), strict=False)
                inner = "".join(f"<{name}>{escape(part)}</{name}>" for name, part in named if part)
                lines.append(f"<{group}>{inner}</{group}>")
        lines.append(f"</{_PERSON}>")
    elif value is not None:
        lines.append(f'<{_VALUE} number="{number}">{escape(str(value))}</{_VALUE}>')
