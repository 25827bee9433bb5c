import json
from itertools import pairwise

import pytest

from leadglass.codec.links.jsonlinks import JsonLinks
from leadglass.codec.links.partlinks import PartLinks, leading
from leadglass.codec.links.xmllinks import XmlLinks
from leadglass.codec.multipart import Parser, PartBegin, PartData, PartEnd, parse_content_type
from leadglass.model.errors import UpstreamBroken
from support.links import ARCHIVE, EVIL, PUBLIC, Led

PIXELS = b"\r\n--a\x00 \r\n--" + bytes(range(256)) + f'"BulkDataURI":"{ARCHIVE}/1"'.encode()
XML = '<NativeDicomModel><DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="{}/1"/></DicomAttribute></NativeDicomModel>'
Part = tuple[dict[str, str], bytes]


def body(*parts: Part) -> bytes:
    written = b""
    for headers, content in parts:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        written += f"--b\r\n{fields}\r\n".encode() + content + b"\r\n"
    return written + b"--b--\r\n"


def led(text: bytes, *cuts: int, links: Led | None = None) -> list[Part]:
    """Return the parts that come of a body which is fed in pieces."""
    reader = PartLinks(links or Led(), "b")
    edges = [0, *sorted(cuts), len(text)]
    out = [piece for start, end in pairwise(edges) for piece in reader.feed(text[start:end])]
    parser, parts = Parser("b", fault=UpstreamBroken), []
    for event in parser.feed(b"".join([*out, *reader.finish()])):
        if isinstance(event, PartBegin):
            parts.append((dict(event.headers), b""))
        elif isinstance(event, PartData):
            parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
        else:
            assert isinstance(event, PartEnd) or event is not None
    parser.finish()
    return parts


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_headers_of_parts_are_led_and_what_is_no_text_is_not_touched(step: int) -> None:
    kind = {"content-type": "application/octet-stream"}
    text = body(
        ({**kind, "content-location": f"{ARCHIVE}/frames/1", "content-length": str(len(PIXELS))}, PIXELS),
        ({**kind, "Content-Location": EVIL, "Location": "//evil"}, PIXELS),
        ({**kind, "content-id": "<a@b>", "content-location": "bulk/7"}, b""),
        ({}, PIXELS),
    )
    links = Led()
    assert led(text, *range(0, len(text), step), links=links) == [
        ({**kind, "content-location": f"{PUBLIC}/frames/1", "content-length": str(len(PIXELS))}, PIXELS),
        (kind, PIXELS),
        ({**kind, "content-id": "<a@b>", "content-location": "bulk/7"}, b""),
        ({}, PIXELS),
    ]
    assert sorted(links.foreign) == sorted([EVIL, "//evil"])


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_parts_of_xml_and_json_are_led_whatever_length_they_had(step: int) -> None:
    xml = XML.format(ARCHIVE).encode()
    listed = json.dumps([{"7FE00010": {"vr": "OW", "BulkDataURI": f"{ARCHIVE}/1"}}]).encode()
    text = body(
        ({"content-type": "application/dicom+xml; charset=utf-8", "content-length": str(len(xml))}, xml),
        ({"content-type": "application/dicom+json", "content-length": str(len(listed))}, listed),
        ({"content-type": "application/dicom+xml"}, xml),
    )
    first, second, third = led(text, *range(0, len(text), step))
    for headers, content in (first, third):
        assert "content-length" not in headers
        assert content.endswith(XML.format(PUBLIC).replace('"/></D', '"></BulkData></D').encode())
    assert "content-length" not in second[0]
    assert json.loads(second[1]) == [{"7FE00010": {"vr": "OW", "BulkDataURI": f"{PUBLIC}/1"}}]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"--b\r\n\r\nx",
        body(({"content-type": "application/dicom+xml"}, b"<a>")),
        body(({"content-type": "application/dicom+json"}, b'{"BulkDataURI":"')),
        body(({"content-type": "multipart/related; boundary=c"}, b"")),
        body(({"content-type": "x"}, b"")),
        body(({"content-type": "a/b", "content-location": "a\x00b"}, b"")),
    ],
)
def test_what_cannot_be_read_does_not_pass(text: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        led(text)


def test_what_is_led_by_type() -> None:
    def of(kind: str) -> object:
        return leading(parse_content_type(kind), Led())

    assert isinstance(of("application/dicom+json"), JsonLinks)
    assert isinstance(of("application/json"), JsonLinks)
    assert isinstance(of("application/dicom+xml"), XmlLinks)
    assert isinstance(of('multipart/related; type="image/jpeg"; boundary=b'), PartLinks)
    assert [
        of(kind) for kind in ("image/jpeg", "application/octet-stream", "text/xml", "text/html", "application/dicom")
    ] == [None] * 5
