from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.links.xmllinks import XmlLinks
from leadglass.limits import LINK_ATTRIBUTE_BYTES, LINK_BYTES, NESTING_DEPTH
from leadglass.model.errors import UpstreamBroken
from support.links import ARCHIVE, EVIL, PUBLIC, Led

RETRIEVE = '<DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL">{}</DicomAttribute>'


def led(text: bytes, *cuts: int, links: Led | None = None) -> bytes:
    reader = XmlLinks(links or Led())
    edges = [0, *sorted(cuts), len(text)]
    out = [piece for start, end in pairwise(edges) for piece in reader.feed(text[start:end])]
    return b"".join([*out, *reader.finish()])


def model(inner: str) -> bytes:
    return (
        f'<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">{inner}</NativeDicomModel>'.encode()
    )


def same(text: bytes, wanted: bytes) -> None:
    """Hold what comes of a text, in whatever pieces, to the same elements, attributes and text as `wanted` has."""
    whole = led(text)
    assert ET.canonicalize(whole.decode()) == ET.canonicalize(wanted.decode())
    assert led(text, *range(len(text))) == whole


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RETRIEVE.format(f'<Value number="1">{ARCHIVE}/1</Value>'), RETRIEVE.format(f'<Value number="1">{PUBLIC}/1</Value>')),
        (RETRIEVE.format(f"<Value>{ARCHIVE}?a=1&amp;b=2</Value>"), RETRIEVE.format(f"<Value>{PUBLIC}?a=1&amp;b=2</Value>")),
        (RETRIEVE.format("<Value>&#104;ttp&#x3a;//pacs.test:8042/dicom-web/1</Value>"), RETRIEVE.format(f"<Value>{PUBLIC}/1</Value>")),
        (RETRIEVE.format(f"<Value><![CDATA[{ARCHIVE}/1]]></Value>"), RETRIEVE.format(f"<Value>{PUBLIC}/1</Value>")),
        (RETRIEVE.format(f"<Value>{ARCHIVE}<!-- x -->/1</Value>"), RETRIEVE.format(f"<Value>{PUBLIC}/1</Value>")),
        (RETRIEVE.format(f'<Value number="1">{EVIL}</Value>'), RETRIEVE.format("")),
        (RETRIEVE.replace("UR", "UT", 1).format(f"<Value>{EVIL}</Value>"), RETRIEVE.replace("UR", "UT", 1).format("")),
        (RETRIEVE.format("<Value/>"), RETRIEVE.format("<Value/>")),
        (f'<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="{ARCHIVE}/b?x=1&amp;y=2"/></DicomAttribute>',
         f'<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="{PUBLIC}/b?x=1&amp;y=2"/></DicomAttribute>'),
        (f'<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="{EVIL}"/></DicomAttribute>',
         '<DicomAttribute tag="7FE00010" vr="OW"></DicomAttribute>'),
        ('<DicomAttribute tag="7FE00010" vr="OW"><BulkData uuid="1-2"/></DicomAttribute>',) * 2,
        (f'<DicomAttribute tag="0008010E" vr="UR"><Value>{EVIL}</Value></DicomAttribute>',) * 2,
        (f'<DicomAttribute tag="00104000" vr="LT"><Value>{ARCHIVE} &lt;&amp;&#13;\n&gt; {EVIL}</Value></DicomAttribute>',) * 2,
        (f'<DicomAttribute tag="00081190" vr="UR" xml:base="{EVIL}"/>', '<DicomAttribute tag="00081190" vr="UR"/>'),
        (f'<DicomAttribute tag="00081199" vr="SQ"><Item number="1">{RETRIEVE.format(f"<Value>{ARCHIVE}/1</Value>")}</Item></DicomAttribute>',
         f'<DicomAttribute tag="00081199" vr="SQ"><Item number="1">{RETRIEVE.format(f"<Value>{PUBLIC}/1</Value>")}</Item></DicomAttribute>'),
        (f'<?xml-stylesheet href="{EVIL}"?><DicomAttribute tag="00100010" vr="PN"/>', '<DicomAttribute tag="00100010" vr="PN"/>'),
    ],
)  # fmt: skip
def test_links_in_xml(before: str, after: str) -> None:
    same(model(before), model(after))


def test_prefixes() -> None:
    text = f'<d:NativeDicomModel xmlns:d="x"><d:DicomAttribute tag="1" vr="OB"><d:BulkData uri="{ARCHIVE}/1"/></d:DicomAttribute></d:NativeDicomModel>'
    same(text.encode(), text.replace(ARCHIVE, PUBLIC).encode())


def test_other_encodings_come_as_utf_8() -> None:
    text = '<?xml version="1.0" encoding="{}"?><NativeDicomModel>\u00e9</NativeDicomModel>'
    for encoding in ("utf-16", "iso-8859-1", "utf-8"):
        assert "\u00e9" in led(text.format(encoding).encode(encoding)).decode()


def test_links_that_lead_elsewhere_are_told_of() -> None:
    links = Led()
    led(model(RETRIEVE.format(f"<Value>{EVIL}</Value>") + '<BulkData uri="//x"/>'), links=links)
    assert links.foreign == [EVIL, "//x"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"<a/>x",
        b"no xml",
        b"<a>\xff</a>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "http://evil.test/x"><a/>',
        b"<a>&unknown;</a>",
        model(RETRIEVE.format(f"<Value>{'x' * (LINK_BYTES + 1)}</Value>")),
        model(RETRIEVE.format("<Value><b/></Value>")),
        b"<a>" * (4 * NESTING_DEPTH),
        b'<a b="' + b"x" * (4 * LINK_ATTRIBUTE_BYTES),
    ],
)
def test_what_cannot_be_read_does_not_pass(text: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        led(text)
    with pytest.raises(UpstreamBroken):
        led(text, *range(0, len(text), 64))


def test_text_is_passed_on_as_it_comes() -> None:
    reader = XmlLinks(Led())
    reader.feed(b"<a><InlineBinary>")
    for _ in range(16):
        assert sum(map(len, reader.feed(b"QUJD" * 16_384))) > 65_536 - 1024


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["00081190", "0040E010", "00104000", "7FE00010"]),
            st.sampled_from(["UR", "LT", "OW"]),
            st.sampled_from([ARCHIVE, f"{ARCHIVE}/1&2", EVIL, "", "<x>", "\u00e9\r\n", "]]>", " "]),
            st.booleans(),
        ),
        max_size=5,
    ),
    st.data(),
)
def test_it_is_as_if_parsed_replaced_and_written(items: list[tuple[str, str, str, bool]], data: st.DataObject) -> None:
    trees = []
    for replaced in (False, True):
        root = ET.Element("NativeDicomModel")
        for tag, vr, text, bulk in items:
            attribute = ET.SubElement(root, "DicomAttribute", {"tag": tag, "vr": vr})
            link = bulk or vr == "UR" or tag == "00081190"
            told = Led().lead(text) if link and replaced else text
            if told is None:
                continue
            if bulk:
                ET.SubElement(attribute, "BulkData", uri=told)
            else:
                ET.SubElement(attribute, "Value", number="1").text = told
        trees.append(ET.tostring(root, encoding="utf-8"))
    text, wanted = trees
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    whole = led(text)
    assert ET.canonicalize(whole.decode()) == ET.canonicalize(wanted.decode())
    assert led(text, *cuts) == led(text, *range(len(text))) == whole
