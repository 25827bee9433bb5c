"""What proxies say of a request: `X-Forwarded-For`, `Forwarded` (RFC 7239) and `Client-Cert` (RFC 9440).

Each proxy appends the address that it was asked from, so the fields are read from the right, and whoever reads stops at
the first address that it does not trust: what stands left of it is that client's own invention. Everything raises
Refusal `forwarding-malformed`.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final

from leadglass.codec.address import canonical
from leadglass.limits import CERTIFICATE_BYTES, FORWARDED_BYTES
from leadglass.model.codes import Code
from leadglass.model.errors import Refusal, refuse

# An address as proxies write it: bare, or with a port, or (IPv6) in brackets with or without one.
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]{1,64}))?")
_BARE_V6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}")
# One pair of an element and what ends it. Addresses with a port, unquoted, are no tokens; proxies send them so.
_PAIR: Final = re.compile(
    rb"[ \t]*+([!#$%&'*+.^_`|~0-9A-Za-z-]++)="
    rb'(?:([!#$%&\'*+.^_`|~0-9A-Za-z:\[\]-]++)|"((?:[^"\\]|\\.)*+)")[ \t]*+([;,]|$)'
)
_ESCAPED: Final = re.compile(rb"\\(.)")
_BYTES: Final = re.compile(rb":([A-Za-z0-9+/]*+={0,2}):")  # RFC 8941 section 3.3.5


def malformed(detail: str) -> Refusal:
    """Return the refusal of a request whose sender the proxy did not name as agreed; `detail` is for the record."""
    return refuse(Code.FORWARDING_MALFORMED, detail)


def x_forwarded_for(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the addresses of all field lines, the last one first, each looked at when its turn comes."""
    rest: bytes | None = b",".join(lines)
    while rest:
        left, comma, item = rest.rpartition(b",")
        yield _address(item.strip(b" \t"))
        rest = left if comma else None


def forwarded(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield the `for` addresses of all elements, the last one first. All lines must be well-formed.

    They are read from the left, as quotes can be read in no other way: an open one would take in what a proxy appended.
    """
    nodes = [node for line in lines for node in _elements(line)]
    for node in reversed(nodes):
        if node is None:
            raise malformed("Forwarded without for")
        yield _address(node)


def _elements(line: bytes) -> Iterator[bytes | None]:
    if len(line) > FORWARDED_BYTES:
        raise malformed("Forwarded too long")
    at, seen, end = 0, dict[bytes, bytes](), b","
    while end:
        pair = _PAIR.match(line, at)
        if pair is None:
            raise malformed("Forwarded is not a list of pairs")
        name, token, quoted, end = pair.groups()
        if name.lower() in seen:
            raise malformed("Forwarded with a parameter twice")
        seen[name.lower()] = token if token is not None else _ESCAPED.sub(rb"\1", quoted)
        at = pair.end()
        if end != b";":
            yield seen.get(b"for")
            seen = {}


def _address(node: bytes) -> str:
    """Return the address of a node, in its one spelling. Names that hide one (`unknown`, `_x`) are no address."""
    text = node.decode("ascii", "replace")
    try:
        if match := _NODE.fullmatch(text):
            return str(canonical(match[1] or match[2]))
        if _BARE_V6.fullmatch(text):
            return str(canonical(text))
    except ValueError:
        pass
    raise malformed("a hop that is no address")


def client_cert(lines: Sequence[bytes]) -> bytes | None:
    """Return the certificate (DER) of `Client-Cert`, None when the client showed none to the proxy."""
    if not lines:
        return None
    match = _BYTES.fullmatch(lines[0])
    if len(lines) > 1 or match is None or len(match[1]) > CERTIFICATE_BYTES * 4 // 3 + 4:
        raise malformed("Client-Cert is not one byte sequence")
    try:
        return binascii.a2b_base64(match[1], strict_mode=True) or None
    except binascii.Error:
        raise malformed("Client-Cert is not Base64") from None
