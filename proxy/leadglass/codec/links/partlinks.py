"""Links in multipart replies: in the headers of their parts, and in parts that are JSON or XML. Nothing else is touched."""

from typing import Final, Protocol

from leadglass.codec.links.jsonlinks import JsonLinks
from leadglass.codec.links.xmllinks import XmlLinks
from leadglass.codec.multipart import ContentType, Parser, PartBegin, PartData, PartEnd, Writer, parse_content_type
from leadglass.limits import RETRIEVED_PARTS
from leadglass.model.errors import UpstreamBroken
from leadglass.model.ports import Links

_LINKS: Final = frozenset({"content-location", "location"})
_JSON: Final = frozenset({"application/dicom+json", "application/json"})
_XML: Final = "application/dicom+xml"


class Leading(Protocol):
    """Leads the links of a text as it streams."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave. Raises UpstreamBroken."""
        ...

    def finish(self) -> list[bytes]:
        """Say that no more come, and return what was kept. Raises UpstreamBroken."""
        ...


def leading(kind: ContentType, links: Links) -> Leading | None:
    """Return what leads the links of a body of this type, None for a type that holds none that are known."""
    if kind.media in _JSON:
        return JsonLinks(links)
    if kind.media == _XML:
        return XmlLinks(links)
    return None if kind.boundary is None else PartLinks(links, kind.boundary)


class PartLinks:
    """Takes a multipart body in pieces of any size and gives it back with its links led. Raises UpstreamBroken."""

    def __init__(self, links: Links, boundary: str) -> None:
        self._links = links
        self._parser = Parser(boundary, max_parts=RETRIEVED_PARTS, fault=UpstreamBroken)
        self._writer = Writer("", boundary)
        self._inner: Leading | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave."""
        out: list[bytes] = []
        for event in self._parser.feed(data):
            if isinstance(event, PartData):
                if self._inner is None:
                    out.append(event.data)
                else:
                    out += self._inner.feed(event.data)
            elif isinstance(event, PartBegin):
                out.append(self._begin(dict(event.headers)))
            elif isinstance(event, PartEnd):
                if self._inner is not None:
                    out += self._inner.finish()
            else:
                out.append(self._writer.end())
        return out

    def finish(self) -> list[bytes]:
        """Say that no more come."""
        self._parser.finish()
        return []

    def _begin(self, headers: dict[str, str]) -> bytes:
        kind = parse_content_type(headers["content-type"], UpstreamBroken) if "content-type" in headers else None
        self._inner = leading(kind, self._links) if kind is not None else None
        if self._inner is not None:
            headers.pop("content-length", None)
        for name in _LINKS & headers.keys():
            led = self._links.lead(headers[name])
            if led is None:
                del headers[name]
            else:
                headers[name] = led
        return self._writer.part((name.title(), value) for name, value in headers.items())
