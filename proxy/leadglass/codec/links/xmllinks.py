"""Links in DICOM XML (PS3.19 annex A, the Native DICOM Model), led while it streams.

The text is read by expat and written anew: elements, attributes and text stay, while comments, processing instructions
(a style sheet is one) and a document type, which could define entities, are not part of the model and do not pass.
"""

from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from leadglass.codec.links.jsonlinks import DATA_TAGS, RETRIEVE_URL
from leadglass.limits import LINK_ATTRIBUTE_BYTES, LINK_BYTES, NESTING_DEPTH
from leadglass.model.errors import UpstreamBroken
from leadglass.model.ports import Links

_LEVELS: Final = 3 * NESTING_DEPTH + 2  # a sequence is an attribute, its items and their attributes
_RETURN: Final = {"\r": "&#13;"}  # which readers would else take for a line end
_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'


class XmlLinks:
    """Takes XML in pieces of any size and gives it back with its links led. Raises UpstreamBroken."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._out = [_HEAD.decode()]
        self._depth = 0
        self._fed = 0
        self._dropped = 0  # the depth of the element that does not pass, 0 for none
        self._tag: tuple[int, bool] | None = (
            None  # depth of the attribute whose values are links, and whether they are data
        )
        self._value: list[str] | None = None  # text of such a value so far
        self._opening = ""  # its start tag
        parser = self._parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave."""
        self._fed += len(data)
        self._parse(data)
        if self._fed - self._parser.CurrentByteIndex > LINK_ATTRIBUTE_BYTES + len(data):
            raise UpstreamBroken(f"a tag of more than {LINK_ATTRIBUTE_BYTES} bytes in XML")
        return self._taken()

    def finish(self) -> list[bytes]:
        """Say that no more come, and return what was kept."""
        self._parse(b"", last=True)
        return self._taken()

    def _parse(self, data: bytes, *, last: bool = False) -> None:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            raise UpstreamBroken(f"XML that cannot be read: {expat.ErrorString(error.code)}") from None

    def _taken(self) -> list[bytes]:
        out, self._out = self._out, []
        text = "".join(out).encode()
        return [text] if text else []

    def _doctype(self, *_: object) -> None:
        raise UpstreamBroken("XML with a document type")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._depth > _LEVELS:
            raise UpstreamBroken(f"XML nested deeper than {_LEVELS} elements")
        if self._dropped:
            return
        if self._value is not None:
            raise UpstreamBroken("an element within a link")
        local = name.rpartition(":")[2]
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        kept = []
        for key, value in pairs:
            led: str | None = value
            if key == "xml:base" or (local == "BulkData" and key.rpartition(":")[2] == "uri"):
                led = self._links.lead(value)
                if led is None and key != "xml:base":
                    self._dropped = self._depth
                    return
            if led is not None:
                kept.append((key, led))
        opening = "".join((f"<{name}", *(f" {key}={quoteattr(value, _RETURN)}" for key, value in kept), ">"))
        if local == "DicomAttribute" and self._tag is None:
            told = dict(pairs)
            tag = told.get("tag", "").upper()
            if told.get("vr") == "UR" or tag == RETRIEVE_URL:
                self._tag = (self._depth, tag in DATA_TAGS)
        elif self._tag is not None and local == "Value":
            self._value, self._opening = [], opening
            return
        self._out.append(opening)

    def _end(self, name: str) -> None:
        depth = self._depth
        self._depth -= 1
        if self._dropped:
            if self._dropped == depth:
                self._dropped = 0
            return
        if self._value is not None and self._tag is not None:
            text, self._value = "".join(self._value), None
            led = self._links.lead(text, data=self._tag[1])
            if led is not None:
                self._out.append(f"{self._opening}{escape(led, _RETURN)}</{name}>")
            return
        if self._tag is not None and self._tag[0] == depth:
            self._tag = None
        self._out.append(f"</{name}>")

    def _text(self, text: str) -> None:
        if self._dropped:
            return
        if self._value is None:
            self._out.append(escape(text, _RETURN))
            return
        self._value.append(text)
        if sum(map(len, self._value)) > LINK_BYTES:
            raise UpstreamBroken(f"a link of more than {LINK_BYTES} bytes in XML")
