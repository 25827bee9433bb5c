import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass.codec.head import authorities, check_fields, check_line, clean
from leadglass.limits import HEAD_BYTES, HEADER_FIELDS
from leadglass.model.errors import Refusal
from leadglass.model.reasons import Code
from leadglass.model.request import Kept, RawHead

HOSTS = authorities(["https://pacs.example.org", "http://127.0.0.1:8080", "https://[2001:db8::1]:8443"])
HOST = (b"host", b"pacs.example.org")


def head(*fields: tuple[bytes, bytes], method: str = "GET", target: bytes = b"/a", host: bool = True) -> RawHead:
    return RawHead(method, target, ((HOST, *fields) if host else fields))


def code_of(caught: pytest.ExceptionInfo[Refusal]) -> str:
    return caught.value.causes[0].reason.code


def wire(request: str, *lines: str) -> bytes:
    return "\r\n".join((request, *lines, "", "")).encode("latin-1")


# --- check_line and check_fields: before the parser ----------------------------------------------------------------
def check_raw(raw: bytes) -> None:
    check_fields(raw[check_line(raw).end() :])


RAW_GOOD = {
    "plain": wire("GET /a?b=c HTTP/1.1", "Host: pacs"),
    "tabs and spaces in a value": wire("POST / HTTP/1.1", "Host:\t pacs \t", "X: a\tb"),
    "empty value": wire("OPTIONS / HTTP/1.1", "Host:"),
    "as many fields as the bound": wire("GET / HTTP/1.1", *["X: 1"] * HEADER_FIELDS),
}


@pytest.mark.parametrize("raw", RAW_GOOD.values(), ids=RAW_GOOD.keys())
def test_a_plain_head_passes(raw: bytes) -> None:
    check_raw(raw)


H = "Host: pacs"
RAW_REFUSED = {
    "two spaces": wire("GET  /a HTTP/1.1", H),
    "two spaces before the version": wire("GET /a  HTTP/1.1", H),
    "trailing space": wire("GET /a HTTP/1.1 ", H),
    "leading space": wire(" GET /a HTTP/1.1", H),
    "no version": wire("GET /a", H),
    "0.9": wire("GET /a HTTP/0.9", H),
    "1.0": wire("GET /a HTTP/1.0", H),
    "2.0": wire("GET /a HTTP/2.0", H),
    "1.2": wire("GET /a HTTP/1.2", H),
    "RTSP": wire("GET /a RTSP/1.0", H),
    "ICE": wire("SOURCE /a ICE/1.0", H),
    "absolute form": wire("GET http://evil/ HTTP/1.1", H),
    "asterisk": wire("OPTIONS * HTTP/1.1", H),
    "GET asterisk": wire("GET * HTTP/1.1", H),
    "userinfo": wire("GET http://a@b/ HTTP/1.1", H),
    "fragment": wire("GET /a#b HTTP/1.1", H),
    "backslash": wire("GET /a\\b HTTP/1.1", H),
    "brackets and quotes": wire('GET /"<>^{} HTTP/1.1', H),
    "8-bit": wire("GET /\xe9 HTTP/1.1", H),
    "TRACE": wire("TRACE /a HTTP/1.1", H),
    "CONNECT": wire("CONNECT /a HTTP/1.1", H),
    "PURGE": wire("PURGE /a HTTP/1.1", H),
    "QUERY": wire("QUERY /a HTTP/1.1", H),
    "M-SEARCH": wire("M-SEARCH /a HTTP/1.1", H),
    "B10 lower case": wire("delete /a HTTP/1.1", H),
    "B10 unknown verb": wire("BILBAO /a HTTP/1.1", H),
    "leading CRLF": b"\r\n" + wire("GET /a HTTP/1.1", H),
    "leading LF": b"\n" + wire("GET /a HTTP/1.1", H),
    "leading CR": b"\r" + wire("GET /a HTTP/1.1", H),
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\n",
    "bare LF": b"GET /a HTTP/1.1\nHost: pacs\n\n",
    "bare LF between fields": b"GET /a HTTP/1.1\r\nHost: pacs\nX: 1\r\n\r\n",
    "bare CR in a value": wire("GET /a HTTP/1.1", H, "X-Abc: \rxTransfer-Encoding: chunked"),
    "CR CR LF": b"GET /a HTTP/1.1\r\nHost: pacs\r\r\n\r\n",
    "obs-fold": wire("GET /a HTTP/1.1", H, "X: 1", " 2"),
    "obs-fold by tab": wire("GET /a HTTP/1.1", H, "X: 1", "\t2"),
    "C-3 fold at the first field": wire("GET /a HTTP/1.1", "\tContent-Length: 1", H),
    "C-3 space before the colon": wire("GET /a HTTP/1.1", H, "Content-Length : 34"),
    "NUL in a value": wire("GET /a HTTP/1.1", H, "X: a\0b"),
    "A0 in a value": wire("GET /a HTTP/1.1", H, "Transfer-Encoding: \xa0chunked"),
    "85 in a value": wire("GET /a HTTP/1.1", H, "X: \x85"),
    "VT in a value": wire("GET /a HTTP/1.1", H, "Transfer-Encoding: chunked\x0b"),
    "high byte in a name": wire("GET /a HTTP/1.1", H, "X\xe9: 1"),
    "empty name": wire("GET /a HTTP/1.1", H, ": 1"),
    "no colon": wire("GET /a HTTP/1.1", H, "X"),
    "no fields": wire("GET /a HTTP/1.1"),
    "not the end": b"GET /a HTTP/1.1\r\nHost: pacs\r\n",
    "bytes past the end": wire("GET /a HTTP/1.1", H) + b"X",
    "empty": b"",
}


@pytest.mark.parametrize("raw", RAW_REFUSED.values(), ids=RAW_REFUSED.keys())
def test_anything_else_on_the_wire_is_malformed(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        check_raw(raw)
    assert code_of(caught) == Code.HTTP_MALFORMED


@pytest.mark.parametrize(
    "raw",
    [wire("GET / HTTP/1.1", *["X: 1"] * (HEADER_FIELDS + 1)), wire("GET / HTTP/1.1", "X: " + "a" * HEAD_BYTES)],
    ids=["fields", "bytes"],
)
def test_a_head_past_its_bounds_is_too_large(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        check_raw(raw)
    assert code_of(caught) == Code.HEAD_TOO_LARGE


class _Parser:
    """What the listener does with httptools, as short as it can be."""

    def __init__(self) -> None:
        self.target, self.fields = b"", list[tuple[bytes, bytes]]()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_passes_is_read_alike_by_the_parser(data: st.DataObject) -> None:
    raw = bytearray(wire("GET /a?b=c HTTP/1.1", "Host: pacs.example.org", "Accept: */*", "X-Y: 1"))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"\r\n \t\0:/?#aA_\xe9"))
    try:
        check_raw(bytes(raw))
    except Refusal:
        return
    seen = _Parser()
    parser = httptools.HttpRequestParser(seen)
    parser.feed_data(bytes(raw))
    assert raw.split(b" ")[1] == seen.target
    lines = [line.partition(b":") for line in bytes(raw).split(b"\r\n")[1:-2]]
    assert [(n.lower(), v.strip(b" \t")) for n, _, v in lines] == [(n, v.strip(b" \t")) for n, v in seen.fields]


# --- clean: after the parser --------------------------------------------------------------------------------------


def test_a_clean_request_carries_what_was_sent() -> None:
    request = clean(
        head((b"accept", b"*/*"), (b"user-agent", b" x "), target=b"/dicom-web/studies?PatientID=P%201"), HOSTS
    )
    assert request.method == "GET"
    assert request.segments == ("dicom-web", "studies")
    assert request.query == (("PatientID", "P 1"),)
    assert request.authority == "pacs.example.org"
    assert request.headers.get("user-agent") == "x"
    assert (request.length, request.chunked, request.has_body) == (0, False, False)


@pytest.mark.parametrize(
    ("fields", "length", "chunked"),
    [
        ([(b"content-length", b"0")], 0, False),
        ([(b"content-length", b"999999999999999")], 999_999_999_999_999, False),
        ([(b"transfer-encoding", b"chunked")], None, True),
        ([(b"transfer-encoding", b"Chunked")], None, True),
        ([(b"expect", b"100-Continue"), (b"content-length", b"5")], 5, False),
        ([], 0, False),
    ],
)
def test_framing_is_read(fields: list[tuple[bytes, bytes]], length: int | None, chunked: bool) -> None:  # noqa: FBT001 - a column of the table
    request = clean(head(*fields, method="POST"), HOSTS)
    assert (request.length, request.chunked) == (length, chunked)


@pytest.mark.parametrize(
    "host",
    [
        b"pacs.example.org",
        b"PACS.Example.ORG",
        b"pacs.example.org:443",
        b"127.0.0.1:8080",
        b"[2001:db8::1]:8443",
        b"[2001:DB8::1]:8443",
    ],
)
def test_a_listed_host_in_any_case_is_served(host: bytes) -> None:
    assert clean(head((b"host", host), host=False), HOSTS).authority == host.decode().lower()


def test_lists_may_come_in_several_lines() -> None:
    request = clean(head((b"accept", b"a/b"), (b"accept", b"c/d")), HOSTS)
    assert request.headers.get("accept") == "a/b, c/d"


def test_nominated_fields_stay_ours_to_judge() -> None:
    """B4: Connection cannot make the gateway drop a field."""
    request = clean(head((b"connection", b"close, authorization"), (b"authorization", b"Bearer x")), HOSTS)
    assert request.headers.get("authorization") == "Bearer x"


CL, TE = b"content-length", b"transfer-encoding"
REFUSED: dict[str, tuple[RawHead, Code]] = {
    **{
        f"Content-Length {value!r}": (head((CL, value), method="POST"), Code.HTTP_MALFORMED)
        for value in (
            b"05",
            b"+5",
            b"-0",
            b"-5",
            b"0x5",
            b"0x10",
            b"1_0",
            b"5,5",
            b"5, 5",
            b"5.0",
            b"",
            b"5 5",
            b"\x0b5",
            b"1" * 16,
            b"9" * 26,
            b"18446744073709551615",
            b"\xb2",
        )
    },
    **{
        f"Transfer-Encoding {value!r}": (head((TE, value), method="POST"), Code.HTTP_MALFORMED)
        for value in (
            b",chunked",
            b"chunked,",
            b"gzip, chunked",
            b"identity, chunked",
            b"chunked, identity",
            b"chunked, chunked",
            b"xchunked",
            b"identity",
            b"chunked;q=1",
            b"",
            b"chunked\x0b",
            b"\xa0chunked",
            b'"chunked"',
        )
    },
    "two Transfer-Encoding": (head((TE, b"identity"), (TE, b"chunked"), method="POST"), Code.HTTP_MALFORMED),
    "Transfer-Encoding twice alike": (head((TE, b"chunked"), (TE, b"chunked"), method="POST"), Code.HTTP_MALFORMED),
    "two Content-Length": (head((CL, b"5"), (CL, b"6"), method="POST"), Code.HTTP_MALFORMED),
    "two Content-Length alike": (head((CL, b"5"), (CL, b"5"), method="POST"), Code.HTTP_MALFORMED),
    "CL and TE": (head((CL, b"5"), (TE, b"chunked"), method="POST"), Code.HTTP_MALFORMED),
    "TE and CL": (head((TE, b"chunked"), (CL, b"5"), method="POST"), Code.HTTP_MALFORMED),
    "CL on GET": (head((CL, b"5")), Code.HTTP_MALFORMED),
    "TE on GET": (head((TE, b"chunked")), Code.HTTP_MALFORMED),
    "CL on DELETE": (head((CL, b"5"), method="DELETE"), Code.HTTP_MALFORMED),
    "the Transfer_Encoding twin": (head((b"transfer_encoding", b"chunked"), method="POST"), Code.HTTP_MALFORMED),
    "Upgrade": (head((b"connection", b"Upgrade"), (b"upgrade", b"x")), Code.HTTP_MALFORMED),
    "Upgrade with a body": (head((b"upgrade", b"x"), (CL, b"5"), method="POST"), Code.HTTP_MALFORMED),
    "h2c": (
        head((b"connection", b"Upgrade, HTTP2-Settings"), (b"upgrade", b"h2c"), (b"http2-settings", b"AAMA")),
        Code.HTTP_MALFORMED,
    ),
    "HTTP2-Settings alone": (head((b"http2-settings", b"AAMA")), Code.HTTP_MALFORMED),
    "WebSocket": (head((b"upgrade", b"websocket"), (b"connection", b"Upgrade")), Code.HTTP_MALFORMED),
    "Expect other": (head((b"expect", b"200-ok"), method="POST"), Code.HTTP_MALFORMED),
    "Content-Encoding gzip": (head((b"content-encoding", b"gzip"), method="POST"), Code.CONTENT_ENCODING_REFUSED),
    "Content-Encoding identity": (
        head((b"content-encoding", b"identity"), method="POST"),
        Code.CONTENT_ENCODING_REFUSED,
    ),
    "no Host": (head(host=False), Code.HTTP_MALFORMED),
    "A15 two Host": (head((b"host", b"evil")), Code.HTTP_MALFORMED),
    "two Host alike": (head(HOST), Code.HTTP_MALFORMED),
    **{
        f"Host {value!r}": (head((b"host", value), host=False), Code.HTTP_MALFORMED)
        for value in (
            b"",
            b"a,b",
            b"pacs.example.org, evil",
            b"pacs.example.org/x",
            b"user@pacs.example.org",
            b"pacs example.org",
            b"http://pacs.example.org",
            b"pacs.example.org:0",
            b"pacs.example.org:443x",
            b"pacs.example.org:",
            b"pacs.example.org.",
            b".pacs.example.org",
            b"pacs..example.org",
            b"pacs.example.org#",
            b"pacs%2eexample.org",
            b"[::1",
            b"pacs.example.org\\",
        )
    },
    **{
        f"Host {value!r}": (head((b"host", value), host=False), Code.HOST_UNKNOWN)
        for value in (
            b"evil",
            b"pacs.example.org:8443",
            b"sub.pacs.example.org",
            b"example.org",
            b"127.0.0.1",
            b"[::1]",
        )
    },
    "B8 two Authorization": (
        head((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")),
        Code.TWO_CREDENTIALS,
    ),
    "B8 two Cookie": (head((b"cookie", b"a=1"), (b"cookie", b"b=2")), Code.HTTP_MALFORMED),
    "B8 two of an unknown field": (head((b"x-role", b"user"), (b"x-role", b"admin")), Code.HTTP_MALFORMED),
    "two DPoP": (head((b"dpop", b"a"), (b"dpop", b"b")), Code.HTTP_MALFORMED),
    "two device proofs": (
        head((b"leadglass-device-proof", b"a"), (b"leadglass-device-proof", b"b")),
        Code.HTTP_MALFORMED,
    ),
    **{
        f"B1 {name.decode()}": (head((name, b"evil")), Code.HTTP_MALFORMED)
        for name in (b"x_auth_request_user", b"x-auth_request_user", b"x_forwarded_proto", b"x_leadglass_identity")
    },
    "B3 a name that was not lowered": (head((b"X-Webauth-User", b"evil")), Code.HTTP_MALFORMED),
    "empty name": (head((b"", b"x")), Code.HTTP_MALFORMED),
    "B12 CR LF in a value": (head((b"x", b"a\r\nb: c")), Code.HTTP_MALFORMED),
    "B12 ANSI in a value": (head((b"user-agent", b"\x1b[31m")), Code.HTTP_MALFORMED),
    "8-bit value": (head((b"x", b"\xe9")), Code.HTTP_MALFORMED),
    "too many fields": (
        head(*((f"x-{i}".encode(), b"1") for i in range(HEADER_FIELDS))),
        Code.HEAD_TOO_LARGE,
    ),
    **{
        f"method {method}": (head(method=method), Code.HTTP_MALFORMED)
        for method in ("TRACE", "CONNECT", "PATCH", "BILBAO", "get", "")
    },
    "A5 target": (head(target=b"/foo/secret%23/bar"), Code.HTTP_MALFORMED),
}


@pytest.mark.parametrize(("raw", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_could_be_read_twice_is_refused(raw: RawHead, code: Code) -> None:
    with pytest.raises(Refusal) as caught:
        clean(raw, HOSTS)
    assert code_of(caught) == code


def test_listed_hosts_include_their_default_port_and_nothing_more() -> None:
    assert authorities(["https://a.example", "http://b.example:80", "https://c.example:8443"]) == {
        "a.example": "https://a.example",
        "a.example:443": "https://a.example",
        "b.example": "http://b.example",
        "b.example:80": "http://b.example",
        "c.example:8443": "https://c.example:8443",
    }


def test_field_lines_that_come_again_are_cleaned_once_and_refused_each_time() -> None:
    kept = Kept()
    first = clean(head((b"x-a", b"1"))._replace(kept=kept), HOSTS)
    again = clean(head((b"x-a", b"1"), target=b"/b", method="DELETE")._replace(kept=kept), HOSTS)
    assert again.headers is first.headers
    assert (again.path, again.method) == ("/b", "DELETE")
    twice = head((b"x-a", b"1"), (b"x-a", b"2"))._replace(kept=Kept())
    for _ in range(2):
        with pytest.raises(Refusal):
            clean(twice, HOSTS)
    other = Kept()
    with pytest.raises(Refusal, match="host-unknown"):
        clean(head((b"x-a", b"1"))._replace(kept=other), {"elsewhere.example.org"})
    with pytest.raises(Refusal, match="host-unknown"):  # what is served is asked each time
        clean(head((b"x-a", b"1"))._replace(kept=kept), {"elsewhere.example.org"})


HANDSHAKE = head(
    (b"upgrade", b"WebSocket"), (b"connection", b"keep-alive, Upgrade"), (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
)  # fmt: skip


def test_a_websocket_is_one_where_channels_are_served() -> None:
    assert clean(HANDSHAKE, HOSTS, channels=True).websocket == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    with pytest.raises(Refusal, match="http-malformed"):
        clean(HANDSHAKE, HOSTS)
    assert clean(head(), HOSTS, channels=True).websocket is None
