import base64
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.codec.forwarded import client_cert, forwarded, x_forwarded_for
from leadglass.model.errors import Refusal


@pytest.mark.parametrize(
    ("lines", "from_the_right"),
    [
        ([], []),
        ([b"192.0.2.1"], ["192.0.2.1"]),
        ([b"192.0.2.1, 10.0.0.1,10.0.0.2"], ["10.0.0.2", "10.0.0.1", "192.0.2.1"]),
        ([b"192.0.2.1", b"10.0.0.1\t, 10.0.0.2"], ["10.0.0.2", "10.0.0.1", "192.0.2.1"]),
        ([b"::ffff:192.0.2.1, 2001:DB8::1"], ["2001:db8::1", "192.0.2.1"]),
        ([b"192.0.2.1:4711, [2001:db8::1]:80, [::1]"], ["::1", "2001:db8::1", "192.0.2.1"]),
    ],
)
def test_x_forwarded_for_is_read_from_the_right(lines: list[bytes], from_the_right: list[str]) -> None:
    assert list(x_forwarded_for(lines)) == from_the_right


def test_what_a_client_made_up_is_not_looked_at() -> None:
    made_up = b"<script>, , \xff, unknown, 999.1.1.1"
    assert next(x_forwarded_for([made_up + b", 192.0.2.1"])) == "192.0.2.1"
    many = b"10.0.0.1, " * 10_000
    assert list(islice(x_forwarded_for([many + b"192.0.2.1"]), 2)) == ["192.0.2.1", "10.0.0.1"]


BAD_NODES = [
    b"", b"unknown", b"_hidden", b"10.0.0.01", b"10.0.0", b"1.2.3.4.5", b"1.2.3.256", b"0x7f.1", b"2130706433",
    b"fe80::1%eth0", b"[fe80::1%25eth0]", b"[10.0.0.1]x", b"10.0.0.1:", b"10.0.0.1:123456", b"10.0.0.1 10.0.0.2", b":",
    b"pacs.example.org", b"\xd9\xa1.0.0.1", b"[", b"::1]:80", b"2001:db8::1::2", b"10.0.0.1/32",
]  # fmt: skip


@pytest.mark.parametrize("node", BAD_NODES)
def test_a_trusted_hop_that_is_no_address_is_refused(node: bytes) -> None:
    with pytest.raises(Refusal, match="forwarding-malformed"):
        next(x_forwarded_for([b"192.0.2.1, " + node]))


@pytest.mark.parametrize(
    ("lines", "from_the_right"),
    [
        ([], []),
        ([b"for=192.0.2.1"], ["192.0.2.1"]),
        ([b'For="[2001:db8::1]:4711"'], ["2001:db8::1"]),
        ([b"for=192.0.2.1;proto=https;by=203.0.113.43, for=10.0.0.1"], ["10.0.0.1", "192.0.2.1"]),
        ([b"for=192.0.2.1", b"proto=http; For=10.0.0.1"], ["10.0.0.1", "192.0.2.1"]),
        ([b'for=192.0.2.1;host="a,b;for=6.6.6.6\\""'], ["192.0.2.1"]),
        ([b'for="192.0.2.1:80" , for=10.0.0.1:_x'], ["10.0.0.1", "192.0.2.1"]),
        ([b'for="\\1\\9\\2.0.2.1"'], ["192.0.2.1"]),
        ([b"for=::ffff:192.0.2.1"], ["192.0.2.1"]),
    ],
)
def test_forwarded_is_read_from_the_right(lines: list[bytes], from_the_right: list[str]) -> None:
    assert list(forwarded(lines)) == from_the_right


@pytest.mark.parametrize(
    "line",
    [
        b"", b",", b"for", b"for=", b"for=1.1.1.1,", b"for=1.1.1.1;", b"for=1.1.1.1 for=2.2.2.2", b'for="1.1.1.1',
        b'for="1.1.1.1", for="[2001:db8::1]:80', b'for="a, for="[2001:db8::1]"', b"for=1.1.1.1;for=2.2.2.2",
        b"for=1.1.1.1;FOR=2.2.2.2", b"for =1.1.1.1", b"for= 1.1.1.1", b'for="1.1.1.1"x', b"proto=https", b"for=unknown",
        b"for=_gazonk", b'for=""', b"for=1.1.1.1, proto=http", b"for=1.1.1.1;x=\xff", b"for=1.1.1.1" + b";x=1" * 1_100,
    ],
)  # fmt: skip
def test_a_malformed_forwarded_is_refused_whole(line: bytes) -> None:
    with pytest.raises(Refusal, match="forwarding-malformed"):
        list(forwarded([b"for=192.0.2.1", line]))


def test_an_open_quote_of_the_client_does_not_take_in_what_the_proxy_appends() -> None:
    for proxy in (b", for=192.0.2.1", b', for="[2001:db8::1]:80"', b', for="192.0.2.1";proto="https"'):
        for opened in (b'for="', b'for=6.6.6.6;x="', b'for="\\', b'for=6.6.6.6;x="a\\"'):
            with pytest.raises(Refusal, match="forwarding-malformed"):
                list(forwarded([opened + proxy]))


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_is_raised(line: bytes) -> None:
    for read in (forwarded, x_forwarded_for, lambda lines: [client_cert(lines)]):
        try:
            list(read([line]))
        except Refusal as refusal:
            assert str(refusal) == "forwarding-malformed"  # noqa: PT017 - either way is good


def test_a_certificate_is_one_byte_sequence() -> None:
    der = bytes(range(256)) * 4
    said = b":" + base64.b64encode(der) + b":"
    assert client_cert([said]) == der
    assert client_cert([]) is None
    assert client_cert([b"::"]) is None  # the proxy says that none was shown


@pytest.mark.parametrize(
    "lines",
    [
        [b":AAAA:", b":AAAA:"], [b"AAAA"], [b":AAAA"], [b":AAA:"], [b":AA=A:"], [b":AAAA:;x=1"], [b":AAAA:, :AAAA:"],
        [b":A-_A:"], [b": AAAA:"], [b'"AAAA"'], [b":====:"], [b":AAAAA===:"], [b":" + b"A" * 24_000 + b":"],
        [b"-----BEGIN CERTIFICATE-----"], [b"%2D%2D"],
    ],
)  # fmt: skip
def test_anything_else_is_refused(lines: list[bytes]) -> None:
    with pytest.raises(Refusal, match="forwarding-malformed"):
        client_cert(lines)
