import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.links.bases import Bases, host_of, parse_base
from leadglass.limits import LINK_BYTES
from support.links import ARCHIVE, EVIL, PUBLIC

BASES = Bases([(ARCHIVE, PUBLIC), ("http://pacs.test:8042/wado", "https://gate.test/wado"), (PUBLIC, PUBLIC)])

OWN = {
    "": "",
    "/": "/",
    "/studies/1.2/series/3.4/instances/5/bulk/7fe00010": "/studies/1.2/series/3.4/instances/5/bulk/7fe00010",
    "/studies/1.2/frames/1,2,3": "/studies/1.2/frames/1,2,3",
    "/studies?x=/../y#z": "/studies?x=/../y#z",
    "?a=b": "?a=b",
    "#f": "#f",
    "/a%2Fb/...": "/a%2Fb/...",
    "/studies/1 ": "/studies/1",
}
SPELT = {
    "scheme": "HTTP://pacs.test:8042/dicom-web/x",
    "host": "http://PACS.Test:8042/dicom-web/x",
    "port": "http://pacs.test:08042/dicom-web/x",
    "path alone": "/dicom-web/x",
    "the gateway's own": "https://gate.test/dicom-web/x",
    "the gateway's own, with its port": "https://GATE.test:443/dicom-web/x",
}
ELSEWHERE = {
    "another host": EVIL,
    "longer host": "http://pacs.test.evil:8042/dicom-web/x",
    "host as prefix": "http://pacs.test:80423/dicom-web/x",
    "host as user": "http://pacs.test:8042@evil.test/dicom-web/x",
    "user": "http://me:secret@pacs.test:8042/dicom-web/x",
    "empty user": "http://@pacs.test:8042/dicom-web/x",
    "another scheme": "https://pacs.test:8042/dicom-web/x",
    "another port": "http://pacs.test:8043/dicom-web/x",
    "no port": "http://pacs.test/dicom-web/x",
    "port 0": "http://pacs.test:0/dicom-web/x",
    "port too large": "http://pacs.test:70000/dicom-web/x",
    "dot at the end": "http://pacs.test.:8042/dicom-web/x",
    "escaped host": "http://pacs%2Etest:8042/dicom-web/x",
    "longer path": "http://pacs.test:8042/dicom-web-evil/x",
    "path in capitals": "http://pacs.test:8042/DICOM-web/x",
    "escaped path": "http://pacs.test:8042/dicom%2Dweb/x",
    "another path": "http://pacs.test:8042/instances/1",
    "upwards": "http://pacs.test:8042/dicom-web/../instances",
    "upwards at the end": "http://pacs.test:8042/dicom-web/studies/..",
    "upwards, escaped": "http://pacs.test:8042/dicom-web/%2e%2E/x",
    "on the spot": "http://pacs.test:8042/dicom-web/./x",
    "network path": "//pacs.test:8042/dicom-web/x",
    "foreign network path": "//evil.test/x",
    "backslashes": "\\\\evil.test\\x",
    "backslash as slash": "http:\\\\pacs.test:8042/dicom-web/x",
    "slash and backslash": "/\\evil.test/x",
    "one slash": "http:/pacs.test:8042/dicom-web/x",
    "no slash": "http:pacs.test:8042/dicom-web/x",
    "three slashes": "http:///pacs.test:8042/dicom-web/x",
    "script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "file": "file:///etc/passwd",
    "ftp": "ftp://pacs.test:8042/dicom-web/x",
    "tab": "ht\ttp://evil.test/x",
    "line end": "http://pacs.test:8042/dicom-web/x\r\nSet-Cookie: a=b",
    "NUL": "http://pacs.test:8042/dicom-web/\0",
    "blank before": " http://pacs.test:8042/dicom-web/x",
    "blank within": "http://pacs.test:8042/dicom-web/x y",
    "DEL": "http://pacs.test:8042/dicom-web/\x7f",
    "beyond ASCII": "http://pacs.test:8042/dicom-web/\u00e9",
    "full-width host": "http://\uff50acs.test:8042/dicom-web/x",
    "quote": 'http://pacs.test:8042/dicom-web/"',
    "angle": "http://pacs.test:8042/dicom-web/>",
    "path elsewhere": "/.leadglass/v1/nonce",
    "too long": f"{ARCHIVE}/{'x' * LINK_BYTES}",
}


@pytest.mark.parametrize(("below", "led"), OWN.items())
def test_own_links_are_led(below: str, led: str) -> None:
    assert BASES.lead(f"{ARCHIVE}{below}") == f"{PUBLIC}{led}"


@pytest.mark.parametrize("link", SPELT.values(), ids=SPELT)
def test_other_spellings_of_the_same_address(link: str) -> None:
    assert BASES.lead(link) == f"{PUBLIC}/x"


@pytest.mark.parametrize("link", ELSEWHERE.values(), ids=ELSEWHERE)
def test_all_else_leads_elsewhere(link: str) -> None:
    assert BASES.lead(link) is None


@pytest.mark.parametrize("link", ["", "bulk/1", "../bulk/1", "./x", "?a", "#a", "studies/1/a:b"])
def test_what_is_relative_to_the_reply_stays(link: str) -> None:
    assert BASES.lead(link) == link


def test_services_at_two_paths() -> None:
    assert BASES.lead("http://pacs.test:8042/wado?requestType=WADO") == "https://gate.test/wado?requestType=WADO"


def test_web_sockets_go_by_the_same_door() -> None:
    assert BASES.lead("ws://pacs.test:8042/dicom-web/subscribers/A") == "wss://gate.test/dicom-web/subscribers/A"
    assert BASES.lead("wss://pacs.test:8042/dicom-web/subscribers/A") is None


def test_ports_that_the_scheme_names() -> None:
    plain = Bases([("http://pacs.test/d", PUBLIC)])
    assert plain.lead("http://pacs.test:80/d/x") == plain.lead("http://pacs.test:/d/x") == f"{PUBLIC}/x"
    assert Bases([("http://pacs.test:80/d", PUBLIC)]).lead("http://pacs.test/d/x") == f"{PUBLIC}/x"


def test_addresses_of_ipv6() -> None:
    six = Bases([("http://[::1]:8042/d", "https://[2001:db8::1]/d")])
    for host in ("[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]"):
        assert six.lead(f"http://{host}:8042/d/x") == "https://[2001:db8::1]/d/x"
    for host in ("[::2]", "[::ffff:0:1]", "[::1%25eth0]", "[::g]", "[", "[::1", "::1", "[::1]x"):
        assert six.lead(f"http://{host}:8042/d/x") is None


def test_the_longer_of_two_bases_counts() -> None:
    nested = Bases([("http://a/d", "https://g/one"), ("http://a/d/wado", "https://g/two")])
    assert nested.lead("http://a/d/wado/x") == "https://g/two/x"
    assert nested.lead("http://a/d/wadox") == "https://g/one/wadox"
    assert nested.lead("http://a/d/studies/1") == "https://g/one/studies/1"


def test_a_base_may_be_a_whole_host() -> None:
    assert Bases([("http://a", PUBLIC)]).lead("http://a/studies/1") == f"{PUBLIC}/studies/1"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["/", ".", "..", "a", "1.2", "%2e", "?", "#", ",", "~", "...", " ", "\\"]), max_size=8))
def test_the_short_way_and_the_long_one_agree(pieces: list[str]) -> None:
    link = f"{ARCHIVE}/{''.join(pieces)}"
    assert BASES.lead(link) == BASES.lead(link.replace("http:", "Http:", 1))


@pytest.mark.parametrize(
    "url",
    ["", "pacs", "//pacs/x", "ftp://pacs", "http://", "http://u@pacs", "http://pacs?x", "http://pacs#x", "ws://pacs/d",
     "http://pacs:0", "http://pacs:99999", "http://pa cs", "http://pacs/../x", "http://[::g]", "http://p\u00e4cs"],
)  # fmt: skip
def test_what_is_no_base(url: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        parse_base(url)


def test_a_base() -> None:
    assert parse_base("HTTPS://Pacs.Test/dicom-web/") == (("https", "pacs.test", 443), "/dicom-web")


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("https://Evil.test:1/studies/1.2.3?PatientID=7", "https://evil.test:1"),
        ("https://me:secret@evil.test/1", "https://evil.test"),
        ("//evil.test/1", "://evil.test"),
        ("javascript:x", "javascript:"),
        ("\\\\evil\\1", "no host"),
        ("http://e\u00e9\x1b[31m/x", "http://e\\xe9\\x1b[31m"),
        (f"http://{'x' * 999}", f"http://{'x' * 121}"),
    ],
)
def test_what_a_log_may_say_of_a_link(link: str, told: str) -> None:
    assert host_of(link) == told
