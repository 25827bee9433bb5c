"""PROXY v2 headers, made from HAProxy's specification."""

import struct
from ipaddress import ip_address
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"


def raw(body: bytes, *, command: int = 0x21, family: int = 0x11, length: int | None = None) -> bytes:
    """Return a header with this body; `length` says another than it has."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(body) if length is None else length) + body


def tlv(kind: int, value: bytes, *, length: int | None = None) -> bytes:
    return struct.pack("!BH", kind, len(value) if length is None else length) + value


def header(source: str, port: int = 40_000, *, to: str | None = None, more: bytes = b"") -> bytes:
    """Return the header of a client's connection."""
    ip = ip_address(source)
    other = ip_address(to or ("192.0.2.5" if ip.version == 4 else "2001:db8::5"))
    body = ip.packed + other.packed + struct.pack("!HH", port, 443) + more
    return raw(body, family=0x11 if ip.version == 4 else 0x21)


LOCAL: Final = raw(b"", command=0x20, family=0)
"""What a proxy's own health check begins with."""

# id -> (bytes, part of why they are refused). Every one is to end the connection.
REFUSED: Final[dict[str, tuple[bytes, str]]] = {
    "version-1": (b"PROXY TCP4 192.0.2.9 192.0.2.5 40000 443\r\n", "no PROXY v2"),
    "version-1-unknown": (b"PROXY UNKNOWN\r\n", "no PROXY v2"),
    "nothing-like-it": (b"GET /studies HTTP/1.1\r\nHost: pacs.example.org\r\n\r\n", "no PROXY v2"),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32), "no PROXY v2"),
    "signature-off-by-one": (SIGNATURE[:11] + b"\r" + raw(bytes(12))[12:], "no PROXY v2"),
    "signature-cut": (SIGNATURE[:7], "cut short"),
    "prefix-cut": (raw(bytes(12))[:15], "cut short"),
    "addresses-cut": (header("192.0.2.9")[:-1], "cut short"),
    "length-beyond-the-end": (raw(bytes(12), length=13), "cut short"),
    "version-3": (raw(bytes(12), command=0x31), "another version"),
    "version-0": (raw(bytes(12), command=0x01), "another version"),
    "command-2": (raw(bytes(12), command=0x22), "another version"),
    "no-addresses": (raw(b""), "shorter than"),
    "length-0-before-addresses": (raw(bytes(12), length=0), "shorter than"),
    "one-short": (raw(bytes(11)), "shorter than"),
    "ipv6-with-ipv4-body": (raw(bytes(12), family=0x21), "shorter than"),
    "unspecified": (raw(b"", family=0x00), "else than TCP"),
    "udp": (raw(bytes(12), family=0x12), "else than TCP"),
    "unix": (raw(bytes(216), family=0x31), "else than TCP"),
    "family-f": (raw(bytes(12), family=0xFF), "else than TCP"),
    "oversized": (raw(bytes(12), length=2_049), "2049 bytes"),
    "largest": (raw(bytes(12), length=65_535), "65535 bytes"),
    "tlv-beyond": (header("192.0.2.9", more=tlv(4, b"abc", length=4)), "do not fit"),
    "tlv-cut": (header("192.0.2.9", more=b"\x04\x00"), "do not fit"),
    "tlv-one-byte": (header("192.0.2.9", more=b"\x04"), "do not fit"),
    "from-nowhere": (header("0.0.0.0"), "no client has"),  # noqa: S104 - an address in bytes, bound to nothing
    "from-nowhere-6": (header("::"), "no client has"),
    "from-multicast": (header("224.0.0.1"), "no client has"),
    "from-mapped-nowhere": (header("::ffff:0.0.0.0"), "no client has"),
}
