import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadglass.codec.links.jsonlinks import DATA_TAGS, RETRIEVE_URL, JsonLinks
from leadglass.limits import LINK_ATTRIBUTE_BYTES, LINK_BLANKS
from leadglass.model.errors import UpstreamBroken
from support.links import ARCHIVE, EVIL, PUBLIC, Led


def led(text: bytes, *cuts: int, links: Led | None = None) -> bytes:
    """Return what comes of a text that is fed in pieces."""
    reader = JsonLinks(links or Led())
    edges = [0, *sorted(cuts), len(text)]
    out = [piece for start, end in pairwise(edges) for piece in reader.feed(text[start:end])]
    return b"".join([*out, *reader.finish()])


def everywhere(text: bytes) -> bytes:
    """Return what comes of a text, the same in whatever pieces it comes."""
    whole = led(text)
    assert led(text, *range(len(text))) == whole
    return whole


def expected(value: Any, tag: str = "") -> Any:  # noqa: ANN401 - JSON
    """Parse, replace, serialise: what leading links means, said the slow way."""
    if isinstance(value, list):
        return [expected(item) for item in value]
    if not isinstance(value, dict):
        return value
    links = Led()
    made: dict[str, Any] = {}
    for name, item in value.items():
        if name == "BulkDataURI":
            new = links.lead(item) if isinstance(item, str) else None
            if new is not None:
                made[name] = new
        elif name == "Value" and (value.get("vr") == "UR" or tag == RETRIEVE_URL):
            if tag in DATA_TAGS:
                made[name] = [links.lead(one, data=True) for one in item]
            elif kept := [new for one in item if (new := links.lead(one)) is not None]:
                made[name] = kept
        else:
            made[name] = expected(item, name)
    return made


# --- a document of any shape -------------------------------------------------------------------------------------------

LINKS = st.sampled_from(
    [ARCHIVE, f"{ARCHIVE}/studies/1.2/series/3", f"{ARCHIVE}x/1", f"{PUBLIC}/a", EVIL, "", "bulk/7", "//evil", "urn:oid:1",
     f"{ARCHIVE}/{{a}}", '{"a":', f'{ARCHIVE}/{{"', f'{ARCHIVE}/"\\', f"{ARCHIVE}/\u00e9"]
)  # fmt: skip
TRICKS = st.sampled_from(
    ["UR", '"UR"', '"vr":"UR"', "BulkDataURI", '"BulkDataURI":', "{", "}", '{"', '"}', "\\", "\\\\", '\\"UR', ARCHIVE, EVIL,
     '","vr":"UR"', '{"vr":"UR","Value":["', RETRIEVE_URL, f'"{RETRIEVE_URL}":{{', "\\u0055R", "\u00e9\U0001f600", "\n", "["]
)  # fmt: skip
TEXTS = TRICKS | st.lists(TRICKS, max_size=4).map("".join) | st.text(max_size=8)
TAGS = st.sampled_from(
    [RETRIEVE_URL, "0040E010", "0040e010", "0008010E", "00091001", "00100010", "0020000D", "00081199"]
)


def attribute(vr: str, member: str, value: object, *, first: bool) -> dict[str, object]:
    return {"vr": vr, member: value} if first else {member: value, "vr": vr}


def attributes(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    made = st.builds
    return st.one_of(
        made(attribute, st.just("UR"), st.just("Value"), st.lists(LINKS, max_size=2), first=st.booleans()),
        made(attribute, st.sampled_from(["OW", "UN", "UR"]), st.just("BulkDataURI"), LINKS, first=st.booleans()),
        made(attribute, st.sampled_from(["LO", "UT", "ST"]), st.just("Value"), st.lists(TEXTS, max_size=3), first=st.booleans()),
        made(attribute, st.just("PN"), st.just("Value"), st.just([{"Alphabetic": "UR"}]), first=st.booleans()),
        made(attribute, st.just("SQ"), st.just("Value"), st.lists(items, max_size=2), first=st.booleans()),
        made(attribute, st.just("DS"), st.just("Value"), st.lists(st.floats(0, 1e9) | st.none(), max_size=2), first=st.booleans()),
        made(attribute, st.just("OB"), st.just("InlineBinary"), st.just("QUJD"), first=st.booleans()),
    )  # fmt: skip


def sound(tag: str, made: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A Retrieve URL holds links and no more: other shapes of it are refused, which is tested apart."""
    return ("00091002", made) if tag == RETRIEVE_URL and made["vr"] in {"SQ", "PN", "DS"} else (tag, made)


ITEMS: st.SearchStrategy[Any] = st.recursive(
    st.just({}),
    lambda inner: st.lists(st.builds(sound, TAGS, attributes(inner)), max_size=4).map(dict),
    max_leaves=6,
)
PRINTERS = st.sampled_from(
    [
        json.dumps,
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
        lambda value: json.dumps(value, indent=2),
        lambda value: json.dumps(value).replace("/", "\\/"),
        lambda value: json.dumps(value, separators=(" , ", "\t:\r\n")).replace("/", "\\u002F"),
        lambda value: json.dumps(value).replace("U", "\\u0055").replace("B", "\\u0042").replace("0008", "\\u0030008"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ITEMS, max_size=3), PRINTERS, st.data())
@example([{"00100010": {"Value": ['{"vr":"UR","Value":["'], "vr": "LO"}}], json.dumps, None)
def test_it_is_as_if_parsed_replaced_and_written(document: Any, printer: Any, data: Any) -> None:  # noqa: ANN401 - JSON
    text = printer(document).encode()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6)) if data else ()
    whole = led(text)
    assert json.loads(whole) == json.loads(json.dumps(expected(document)))
    assert led(text, *cuts) == whole
    assert led(text, *range(len(text))) == whole


# --- cases by hand --------------------------------------------------------------------------------------------------------


def test_bytes_around_links_stay_as_they_came() -> None:
    text = f'[ {{"00100010":\t{{"vr":"PN"}},"7FE00010":{{"BulkDataURI":"{ARCHIVE}/1","vr":"OW"}} ,"x":1.50e1 }}]\n'
    assert everywhere(text.encode()).decode() == text.replace(ARCHIVE, PUBLIC)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"vr": "OW", "BulkDataURI": EVIL}, {"vr": "OW"}),
        ({"vr": "OW", "BulkDataURI": 7}, {"vr": "OW"}),
        ({"vr": "OW", "BulkDataURI": [EVIL]}, {"vr": "OW"}),
        ({"vr": "UR", "Value": [EVIL]}, {"vr": "UR"}),
        ({"vr": "UR", "Value": [EVIL, f"{ARCHIVE}/1"]}, {"vr": "UR", "Value": [f"{PUBLIC}/1"]}),
        ({"vr": "UR", "Value": EVIL}, {"vr": "UR"}),
        ({"vr": "UR", "Value": f"{ARCHIVE}/1"}, {"vr": "UR", "Value": f"{PUBLIC}/1"}),
        ({"vr": "UR", "Value": [[EVIL]]}, {"vr": "UR"}),
        ({"vr": "UR", "Value": [None]}, {"vr": "UR"}),
        ({"vr": "UR", "Value": []}, {"vr": "UR"}),
        ({"vr": "UR"}, {"vr": "UR"}),
    ],
)
def test_links_that_lead_elsewhere_are_gone(before: Any, after: Any) -> None:  # noqa: ANN401 - JSON
    text = json.dumps([{"0040E010": before, "00100020": {"vr": "LO", "Value": [EVIL]}}]).encode()
    assert json.loads(everywhere(text)) == [{"0040E010": after, "00100020": {"vr": "LO", "Value": [EVIL]}}]


def test_a_brace_in_a_link_is_not_taken_for_the_beginning_of_its_attribute() -> None:
    for link in ('{"a":', '{"a', f'{ARCHIVE}/{{\\"', "{", '"{"'):
        for row in ({"Value": [link], "vr": "UR"}, {"vr": "UR", "Value": [link]}, {"x": link, "BulkDataURI": EVIL}):
            assert json.loads(everywhere(json.dumps({"0040E010": row}).encode())) == expected({"0040E010": row})


def test_they_are_told_of_once_each() -> None:
    links = Led()
    led(
        json.dumps([{RETRIEVE_URL: {"Value": [EVIL], "vr": "UR"}, "7FE00010": {"BulkDataURI": "//x"}}]).encode(),
        links=links,
    )
    assert links.foreign == [EVIL, "//x"]


@pytest.mark.parametrize("vr", ["UR", "UT", "ST", "ur", None])
def test_retrieve_url_is_a_link_whatever_it_says_it_is(vr: str | None) -> None:
    row = {RETRIEVE_URL: {"vr": vr, "Value": [f"{ARCHIVE}/1", EVIL]}}
    assert json.loads(everywhere(json.dumps(row).encode())) == {RETRIEVE_URL: {"vr": vr, "Value": [f"{PUBLIC}/1"]}}


def test_what_only_names_something_stays() -> None:
    row = {tag: {"vr": "UR", "Value": ["urn:oid:1.2", EVIL, f"{ARCHIVE}/1"]} for tag in sorted(DATA_TAGS)}
    kept = ["urn:oid:1.2", EVIL, f"{PUBLIC}/1"]
    assert json.loads(everywhere(json.dumps(row).encode())) == {tag: {"vr": "UR", "Value": kept} for tag in row}


def test_text_is_no_link() -> None:
    text = json.dumps(
        [{"00104000": {"vr": "LT", "Value": [ARCHIVE, f'{{"vr":"UR","Value":["{ARCHIVE}"]}}', "BulkDataURI", "UR"]}},
         {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "UR", "Ideographic": RETRIEVE_URL}]}},
         {"00041500": {"vr": "AT", "Value": [RETRIEVE_URL]}}, "UR", {"UR": 1, 'a"BulkDataURI': ARCHIVE, f'"{RETRIEVE_URL}': EVIL}]
    ).encode()  # fmt: skip
    assert everywhere(text) == text


@pytest.mark.parametrize(
    "text",
    [
        b'{"BulkDataURI":"http://x","Value":[{}]}',
        b'{"Value":[{}],"BulkDataURI":"http://x"}',
        b'{"00081190":"http://evil/"}',
        b'{"00081190":{"vr":"SQ","Value":[{}]}}',
        b'{"x":{"vr":"UR","Value":[{}]}}',
        b'"vr":"UR"',
        b'{"x":{"vr":"UR","Value":["http://x',
        b'{"x":{"vr":"UR","Value":["\\ud800"]}}',
        b'{"x":{"vr":"UR","Value":["\xff"]}}',
        b'{"x":{"vr":"UR","Value":["a" "b"]}}',
        b'{"x":{"BulkDataURI"',
        b'{"00081190":',
        b'["\\u00',
        b'["' + b"\\" ,
    ],
)  # fmt: skip
def test_what_cannot_be_read_does_not_pass(text: bytes) -> None:
    for cuts in ((), range(len(text))):
        with pytest.raises(UpstreamBroken):
            led(text, *cuts)


def test_bounds() -> None:
    room = LINK_ATTRIBUTE_BYTES - len('{"Value":[""],"vr":"UR"}')
    for size, passes in ((room, True), (room + 1, False)):
        text = b'[{"Value":["%b"],"vr":"UR"}]' % (b"x" * size)
        for cuts in ((), (len(text) - 9,), range(0, len(text), 997)):
            if passes:
                assert json.loads(led(text, *cuts)) == [{"vr": "UR"}]  # longer than a link may be, so none
            else:
                with pytest.raises(UpstreamBroken):
                    led(text, *cuts)
    for name in (b'{"vr":%b"UR"}', b'{"BulkDataURI"%b:""}'):
        assert led(name % (b" " * LINK_BLANKS))
        with pytest.raises(UpstreamBroken):
            led(name % (b" " * (LINK_BLANKS + 2)))


def test_little_is_kept_of_what_is_large() -> None:
    reader = JsonLinks(Led())
    sent = sum(map(len, reader.feed(b'[{"00091001":{"vr":"OB","InlineBinary":"')))
    for _ in range(64):
        sent += sum(map(len, reader.feed(b"QUJD" * 16_384)))
    assert 64 * 65_536 - sent < 2 * LINK_ATTRIBUTE_BYTES
