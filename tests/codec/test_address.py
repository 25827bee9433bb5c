from ipaddress import ip_network

import pytest

from leadglass.codec.address import block, canonical


@pytest.mark.parametrize(
    ("ip", "said"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("FD00:0:0::1", "fd00::1"),
        ("::1", "::1"),
    ],
)
def test_one_address_has_one_spelling(ip: str, said: str) -> None:
    assert str(canonical(ip)) == said


@pytest.mark.parametrize("text", ["", "10.0.0.01", "10.0.0", "x", "10.0.0.1/32", "1.2.3.4, 5.6.7.8"])
def test_what_is_no_address_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        canonical(text)


def test_a_mapped_block_is_the_one_it_stands_for() -> None:
    assert block("::ffff:192.0.2.0/120") == ip_network("192.0.2.0/24")
    assert block("fd00::/8") == ip_network("fd00::/8")
    assert block("::/0") == ip_network("::/0")
    with pytest.raises(ValueError, match="host bits"):
        block("10.0.0.1/8")
