"""Network addresses in one spelling: an IPv4-mapped IPv6 address is the IPv4 one it stands for (RFC 4291, 2.5.5.2)."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from leadglass.model.request import IPAddress

Network: TypeAlias = IPv4Network | IPv6Network
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def canonical(ip: str) -> IPAddress:
    """Return the address that a text stands for: mapped IPv6 as IPv4, without a zone. Raises ValueError."""
    address = ip_address(ip.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def block(text: str) -> Network:
    """Return the network that a CIDR block stands for; a mapped one is IPv4. Raises ValueError, also for host bits."""
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network
