"""A request as the gateway understands it: parsed once, frozen, and canonical (law 1).

What is made anew for every request is a named tuple here and in its neighbours: a frozen dataclass costs four times as
much to make.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:  # a request needs no errors at run time
    from leadglass.model.errors import Refusal

IPAddress: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks: the other end of the connection, or whom a trusted proxy there speaks for.

    `certificate` is the client's, in DER, proven by the handshake; with `attested` by a proxy's word alone.
    `traced` says that the proxy may also name the trace that the request belongs to.
    """

    ip: str
    port: int
    tls: bool
    certificate: bytes | None = None
    attested: bool = False
    traced: bool = False

    @property
    def device_certificate(self) -> bytes | None:
        """The certificate as far as it may stand for a device: a device proves its key to us and to nobody between."""
        return None if self.attested else self.certificate


class Kept:
    """What hygiene made of field lines that a door sees again and again; None as long as it has not."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: Headers | None = None


class RawHead(NamedTuple):
    """A request head as the HTTP parser saw it. Field names are in lower case; values are bytes, trimmed.

    `kept` is shared by heads with the very same field lines, where the door remembers those.
    """

    method: str
    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    kept: Kept | None = None


NO_HEAD = RawHead("", b"", ())


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields of a clean request: names in lower case, values visible ASCII, singletons single."""

    fields: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """Return the value of the field `name` (lower case), or None."""
        return self.fields.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)


class CleanRequest(NamedTuple):
    """A request that survived hygiene.

    `path` is canonical: no dot segment, no empty segment, no percent-encoding left. `segments` are its parts.
    `query` holds the decoded key-value pairs in the order sent. `authority` is the Host, lower case, as listed in
    `public_url`. `websocket` is what accepts the handshake of a WebSocket (Sec-WebSocket-Accept), None for any other
    request. `length` is the body's Content-Length, None with `chunked`, 0 without a body.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    authority: str
    headers: Headers
    length: int | None = 0
    chunked: bool = False
    websocket: str | None = None

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head."""
        return self.chunked or bool(self.length)


class Incoming(NamedTuple):
    """What a door hands to the pipeline: the head as it came, and who sent it from where.

    `fault` is set when the door could not read a request at all (bad framing, too large, too slow, draining): the head
    is then `NO_HEAD`, and the pipeline, having opened its scope, raises the fault.
    """

    door: str
    head: RawHead
    peer: Peer
    received: float = 0.0  # monotonic seconds
    fault: "Refusal | None" = None
