"""The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt, section 2.2): who connected to the proxy before us.

Read to the byte: what follows the header is the client's, mostly the first of a TLS handshake. Version 1 is text without
a length, so it cannot be read so; a connection that begins with it is refused like any other.
"""

from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from leadglass.codec.address import canonical
from leadglass.limits import PROXY_HEADER_BYTES

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
PREFIX_BYTES: Final = 16  # signature, version and command, family, length
_LOCAL, _PROXY = 0x20, 0x21  # version 2 with each command
_TCP4, _TCP6 = 0x11, 0x21
_TLV_BYTES: Final = 3  # type and length


class ProxyHeaderError(ValueError):
    """Not a header that can be believed. `str()` says why, and holds nothing of what was sent."""


class Source(NamedTuple):
    """The client that the proxy speaks for."""

    ip: str
    port: int


def begins(data: bytes) -> bool:
    """Return whether bytes, however few, may be the beginning of a header."""
    return SIGNATURE.startswith(data[: len(SIGNATURE)])


def length(prefix: bytes) -> int:
    """Return how many bytes follow the first PREFIX_BYTES. Raises ProxyHeaderError."""
    if not prefix.startswith(SIGNATURE):
        raise ProxyHeaderError("no PROXY v2 header")
    if prefix[12] not in {_LOCAL, _PROXY}:
        raise ProxyHeaderError("a PROXY header of another version or command")
    announced = int.from_bytes(prefix[14:16])
    if announced > PROXY_HEADER_BYTES:
        raise ProxyHeaderError(f"a PROXY header of {announced} bytes")
    return announced


def source(prefix: bytes, rest: bytes) -> Source | None:
    """Return the client, None when the proxy connected for itself (its health checks). Raises ProxyHeaderError.

    Other families than TCP over IPv4 and IPv6 are refused: a client without an address has no networks and no limits.
    """
    if prefix[12] == _LOCAL:
        return None
    size = {_TCP4: 4, _TCP6: 16}.get(prefix[13])
    if size is None:
        raise ProxyHeaderError("a PROXY header for something else than TCP")
    if len(rest) < 2 * size + 4:
        raise ProxyHeaderError("a PROXY header shorter than its addresses")
    _check_rest(rest[2 * size + 4 :])
    packed = rest[:size]
    address = IPv4Address(packed) if size == 4 else canonical(str(IPv6Address(packed)))  # noqa: PLR2004 - bytes of IPv4
    if address.is_unspecified or address.is_multicast:
        raise ProxyHeaderError("a PROXY header with an address that no client has")
    return Source(str(address), int.from_bytes(rest[2 * size : 2 * size + 2]))


def _check_rest(rest: bytes) -> None:
    """See that type-length-value triples end where the header does; none of them is used."""
    at = 0
    while at < len(rest):
        at += _TLV_BYTES + int.from_bytes(rest[at + 1 : at + _TLV_BYTES])
    if at != len(rest):
        raise ProxyHeaderError("a PROXY header with lengths that do not fit")
