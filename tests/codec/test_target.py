import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.target import parse_target
from leadglass.limits import QUERY_KEYS, TARGET_BYTES
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code

GOOD = [
    ("/", "/", (), ()),
    ("/dicom-web/studies", "/dicom-web/studies", ("dicom-web", "studies"), ()),
    ("/.leadglass/v1/nonce", "/.leadglass/v1/nonce", (".leadglass", "v1", "nonce"), ()),
    ("/a?b=c", "/a", ("a",), (("b", "c"),)),
    ("/a?b=&c=d=e", "/a", ("a",), (("b", ""), ("c", "d=e"))),
    ("/a?x=1+2%202", "/a", ("a",), (("x", "1 2 2"),)),
    ("/a?Patient%4eame=M%C3%BCller%5CX%3B", "/a", ("a",), (("PatientName", "Müller\\X;"),)),
    ("/a?b=/?:@", "/a", ("a",), (("b", "/?:@"),)),
    ("/frames/1,2", "/frames/1,2", ("frames", "1,2"), ()),
]


@pytest.mark.parametrize(("target", "path", "segments", "query"), GOOD, ids=[row[0] for row in GOOD])
def test_a_canonical_target_is_split(
    target: str, path: str, segments: tuple[str, ...], query: tuple[tuple[str, str], ...]
) -> None:
    assert parse_target(target.encode()) == (path, segments, query)


REFUSED = {
    "A1 double slash as authority": "//admin/people",
    "A1 with a query": "//x/people?a=1",
    "A2 dot segments": "/public/../admin/secrets",
    "A2 at the end": "/info/..",
    "A2 single dot": "/a/./b",
    "A2 single dot at the end": "/a/.",
    "A3 encoded dots": "/a/%2e%2e/b",
    "A3 half encoded": "/a/..%2fb",
    "A3 encoded slash": "/a%2Fb",
    "A3 encoded backslash": "/%5c..",
    "A3 double encoding": "/%252e%252e%252f",
    "A3 overlong UTF-8": "/%c0%af",
    "A3 NUL": "/a%00b",
    "A3 semicolon": "/a%3Bb",
    "A3 question mark": "/a%3Fb",
    "A3 needless encoding": "/dicom-web/%73tudies",
    "A4 merged slashes": "/a//b",
    "A4 mixture": "/..///b///",
    "A5 encoded fragment": "/foo/secret%23/bar",
    "A5 fragment": "/foo/secret#/bar",
    "A7 dot after a prefix": "/api./foo",
    "A7 dots after a prefix": "/api../foo",
    "A7 traversal after a prefix": "/api../admin",
    "A9 case and escape in one": "/ADMIN%2fPaAzZLm123NEL",
    "A13 star in a segment": "/a*b",
    "A14 encoded separator": "/..%5c",
    "A14 raw separator": "/a\\b",
    "A15 absolute form": "http://evil/",
    "asterisk form": "*",
    "authority form": "evil:443",
    "empty": "",
    "trailing slash": "/dicom-web/studies/",
    "matrix parameter": "/studies;x=1",
    "trailing dot": "/studies.",
    "quote": '/a"b',
    "angle brackets": "/<a>",
    "caret": "/a^b",
    "braces": "/{a}",
    "pipe": "/a|b",
    "backtick": "/a`b",
    "space": "/a b",
    "tab": "/a\tb",
    "line feed": "/a\nb",
    "not ASCII": "/a\u00e9",
    "B11 semicolon in the query": "/a?b=1;PatientID=*",
    "B11 bad encoding": "/a?b=%zz",
    "B11 half an encoding": "/a?b=%4",
    "B11 raw brackets": "/a?PatientID[]=1",
    "B11 more keys than read": "/a?" + "a=1&" * QUERY_KEYS + "PatientID=*",
    "empty query": "/a?",
    "empty pair": "/a?b=1&&c=1",
    "trailing ampersand": "/a?b=1&",
    "no equals sign": "/a?b",
    "no key": "/a?=b",
    "fragment in the query": "/a?b=1#c",
    "quote in the query": '/a?b="',
    "overlong UTF-8 in the query": "/a?b=%c0%af",
    "surrogate in the query": "/a?b=%ed%a0%80",
    "B12 CR LF in the query": "/a?b=%0d%0aX:1",
    "B12 ANSI in the query": "/a?b=%1b[31m",
    "C1 control in the query": "/a?b=%c2%9b31m",
    "NUL in the query": "/a?b=%00",
    "DEL in a key": "/a?b%7f=1",
}


@pytest.mark.parametrize("target", REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_survive_a_round_trip_is_refused(target: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_target(target.encode("latin-1"))
    assert caught.value.causes[0].reason.code == Code.HTTP_MALFORMED


def test_a_target_past_its_bound_is_too_large() -> None:
    with pytest.raises(Refusal) as caught:
        parse_target(b"/" + b"a" * TARGET_BYTES)
    assert caught.value.causes[0].reason.code == Code.HEAD_TOO_LARGE


def test_as_many_keys_as_the_bound_are_read() -> None:
    assert len(parse_target(b"/a?" + b"&".join([b"a=1"] * QUERY_KEYS))[2]) == QUERY_KEYS


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="/.ab%25;\\?=&+\x00é ", max_size=30))
def test_what_is_accepted_says_the_same_again(text: str) -> None:
    try:
        path, segments, _ = parse_target(("/" + text).encode())
    except Refusal:
        return
    assert path == "/" + "/".join(segments)
    assert not {"", ".", ".."} & set(segments)
    assert "%" not in path
