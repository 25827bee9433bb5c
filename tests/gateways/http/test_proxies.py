"""Whose request it is: rows of who connects, what it says, and who is believed to ask."""

import pytest

from leadglass.gateways.http import proxies as module
from leadglass.gateways.http.proxies import Proxies
from leadglass.model.errors import Refusal
from leadglass.model.request import Peer
from support.proxies import proxy

OWN = b"the proxy's own certificate"


PROXIES = Proxies(
    [
        proxy("x-forwarded-for", "10.0.0.0/29", "fd00::/64"),
        proxy("forwarded", "10.0.1.1/32", client_cert=True),
        proxy("proxy-v2", "10.0.2.1/32"),
    ]
)


def fields(*lines: str) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in (line.split(": ", 1) for line in lines)]


@pytest.mark.parametrize(
    ("ip", "lines", "client"),
    [
        # nobody who is trusted: nothing is read
        ("192.0.2.1", ["X-Forwarded-For: 10.9.9.9", "Forwarded: for=10.9.9.9"], "192.0.2.1"),
        ("192.0.2.1", ["X-Forwarded-For: garbage", "Forwarded: ="], "192.0.2.1"),
        ("10.0.0.8", ["X-Forwarded-For: 10.9.9.9"], "10.0.0.8"),  # the address next to the block
        # the one field that was agreed on
        ("10.0.0.1", ["X-Forwarded-For: 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", ["X-Forwarded-For: 10.9.9.9, 192.0.2.9"], "192.0.2.9"),
        ("10.0.0.1", ["X-Forwarded-For: 192.0.2.9", "Forwarded: for=10.9.9.9", "X-Real-IP: 10.9.9.9"], "192.0.2.9"),
        ("10.0.1.1", ["Forwarded: for=192.0.2.9", "X-Forwarded-For: 10.9.9.9"], "192.0.2.9"),
        ("fd00::7", ["X-Forwarded-For: 2001:db8::9"], "2001:db8::9"),
        # further hops: trusted ones that speak the same are passed, the first other is the client
        ("10.0.0.1", ["X-Forwarded-For: 10.9.9.9, 192.0.2.9, 10.0.0.2, 10.0.0.3"], "192.0.2.9"),
        ("10.0.0.1", ["X-Forwarded-For: 10.9.9.9, 192.0.2.9, ::ffff:10.0.0.2"], "192.0.2.9"),
        ("10.0.0.1", ["X-Forwarded-For: 10.9.9.9, 10.0.1.1"], "10.0.1.1"),  # it did not write this field
        ("10.0.0.1", ["X-Forwarded-For: 10.9.9.9, 10.0.2.1"], "10.0.2.1"),  # nor did this
        ("10.0.0.1", ["X-Forwarded-For: 10.0.0.2, 10.0.0.3"], "10.0.0.2"),  # a proxy that asks for itself
        ("10.0.0.1", ["X-Forwarded-For: 10.9.9.9, 192.0.2.9", "X-Forwarded-For: 10.0.0.2"], "192.0.2.9"),
        # behind PROXY v2 its header said it, and no field counts
        ("10.0.2.1", ["X-Forwarded-For: 10.9.9.9", "Forwarded: for=10.9.9.9"], "10.0.2.1"),
    ],
)
def test_the_last_hop_that_is_not_trusted_is_the_client(ip: str, lines: list[str], client: str) -> None:
    assert PROXIES.client(Peer(ip, 1, tls=True), fields(*lines)).ip == client


@pytest.mark.parametrize(
    ("ip", "lines"),
    [
        ("10.0.0.1", []),
        ("10.0.0.1", ["Forwarded: for=192.0.2.9"]),
        ("10.0.0.1", ["X-Forwarded-For: unknown"]),
        ("10.0.0.1", ["X-Forwarded-For: 192.0.2.9, unknown"]),
        ("10.0.0.1", ["X-Forwarded-For: 192.0.2.9, unknown, 10.0.0.2"]),
        ("10.0.0.1", ["X-Forwarded-For: 192.0.2.9,"]),
        ("10.0.0.1", ["X-Forwarded-For: " + ", ".join(["192.0.2.9", *["10.0.0.2"] * 17])]),
        ("10.0.1.1", ["X-Forwarded-For: 192.0.2.9"]),
        ("10.0.1.1", ["Forwarded: proto=https"]),
        ("10.0.1.1", ["Forwarded: for=192.0.2.9", "Client-Cert: nonsense"]),
    ],
)
def test_a_proxy_that_does_not_say_it_does_not_stand_for_strangers(ip: str, lines: list[str]) -> None:
    with pytest.raises(Refusal, match="forwarding-malformed"):
        PROXIES.client(Peer(ip, 1, tls=True), fields(*lines))


def test_certificates_come_as_agreed_and_the_proxys_own_never_counts() -> None:
    said = "Client-Cert: :AAAA:"
    rows = [
        ("10.0.0.1", ["X-Forwarded-For: 192.0.2.9", said], None),  # client_cert is off
        ("10.0.1.1", ["Forwarded: for=192.0.2.9", said], bytes(3)),
        ("10.0.1.1", ["Forwarded: for=192.0.2.9"], None),
    ]
    for ip, lines, certificate in rows:
        client = PROXIES.client(Peer(ip, 1, tls=True, certificate=OWN), fields(*lines))
        assert (client.certificate, client.device_certificate, client.tls) == (certificate, None, True)
    for ip in ("192.0.2.1", "10.0.2.1"):
        peer = Peer(ip, 1, tls=True, certificate=OWN)
        assert PROXIES.client(peer, fields(said, "Forwarded: for=10.9.9.9")) is peer
        assert peer.device_certificate == OWN


def test_without_proxies_nothing_is_looked_for() -> None:
    assert not Proxies()
    assert Proxies().find("no address at all") is None
    assert PROXIES


def test_the_memory_of_addresses_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIENT_ADDRESSES", 3)
    some = Proxies([proxy("forwarded", "10.0.0.0/29")])
    for last in range(20):
        assert (some.find(f"10.0.0.{last}") is not None) == (last < 8)
    assert len(some._found) <= 3
