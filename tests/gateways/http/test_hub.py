"""Bounds on connections."""

from leadglass.gateways.http.bounds import Bounds
from leadglass.gateways.http.hub import Hub
from leadglass.gateways.http.proxies import Proxies
from leadglass.model.request import Peer
from support.clock import FakeClock
from support.door import FakePipeline
from support.proxies import proxy


def test_a_proxy_is_counted_for_whom_it_speaks() -> None:
    hub = Hub(FakePipeline(), FakeClock(), Bounds(connections=4, connections_per_source=1))
    assert all(hub.admit(None) for _ in range(3))
    assert hub.charge("10.0.0.1")
    assert not hub.charge("10.0.0.1")
    assert not hub.admit("10.0.0.1")
    hub.release("10.0.0.1")
    assert hub.admit("10.0.0.1")
    assert not hub.admit(None)
    hub.dismiss("10.0.0.1")
    for _ in range(3):
        hub.dismiss(None)
    assert hub.open == 0
    assert not hub._sources


def test_the_source_of_a_peer() -> None:
    proxies = Proxies([proxy("forwarded", "10.0.0.0/24"), proxy("proxy-v2", "10.0.1.0/24")])
    hub = Hub(FakePipeline(), FakeClock(), Bounds(), proxies)
    sources = {ip: hub.source(Peer(ip, 1, tls=True)) for ip in ("10.0.0.1", "10.0.1.1", "192.0.2.1", "fd00::1")}
    assert sources == {"10.0.0.1": None, "10.0.1.1": "10.0.1.1", "192.0.2.1": "192.0.2.1", "fd00::1": "fd00::/64"}


def test_connections_are_bounded_in_all_and_by_source() -> None:
    hub = Hub(FakePipeline(), FakeClock(), Bounds(connections=3, connections_per_source=2))
    assert hub.admit("10.0.0.1")
    assert hub.admit("10.0.0.1")
    assert not hub.admit("10.0.0.1")
    assert hub.admit("10.0.0.2")
    assert not hub.admit("10.0.0.3")
    assert (hub.open, hub.counts.connections, hub.counts.turned_away) == (3, 3, 2)
    hub.dismiss("10.0.0.1")
    assert hub.admit("10.0.0.3")
    for source in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        hub.dismiss(source)
    assert hub.open == 0
    assert not hub._sources
