"""Where a link of an archive leads: to what the gateway serves, and then by the gateway's own address, or elsewhere.

A link is the archive's own when scheme, host and port are those of one of its bases and the path is the base's or lies
below it. Nothing else is: no other spelling of an address, no user, no step upwards out of the base.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv6Address
from typing import Final, TypeAlias

from leadglass.limits import LINK_BYTES

_CHARS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")  # RFC 3986 section 2: no blank, control or backslash
_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(.*)")  # its appendix B
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._~-]+))(?::([0-9]{0,5}))?")
_UPWARDS = re.compile(r"/(?:\.|%2[Ee]){1,2}(?:/|$)")  # as browsers read it (WHATWG URL, dot segments)

# What nearly every link has below its base: plain segments, none of which is made of dots alone.
_PLAIN = re.compile(r"(?:(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~,-]+(?:/|\Z))+")

# Scheme, how its plain sibling is called, and its port. A WebSocket is the same door as http (RFC 6455 section 3).
_SCHEMES: Final[Mapping[str, tuple[str, int]]] = {
    "http": ("http", 80), "https": ("https", 443), "ws": ("http", 80), "wss": ("https", 443),
}  # fmt: skip
_PORT_MAX: Final = 65_535

Origin: TypeAlias = tuple[str, str, int]


def _origin(scheme: str, authority: str) -> Origin | None:
    """Return the origin in one spelling, None for what is none: another scheme, a user, a port beyond range."""
    known, told = _SCHEMES.get(scheme.lower()), _AUTHORITY.fullmatch(authority)
    if known is None or told is None:
        return None
    six, name, digits = told.groups()
    port = int(digits) if digits else known[1]
    if not 0 < port <= _PORT_MAX:
        return None
    try:
        host = name.lower() if six is None else IPv6Address(six).compressed
    except AddressValueError:
        return None
    return known[0], host, port


def parse_base(url: str) -> tuple[Origin, str]:
    """Return origin and path of a base URL, the path without its last slash. Raises ValueError."""
    scheme, authority, path, rest = _URL.fullmatch(url).groups() if _CHARS.fullmatch(url) else ("", "", "", "")  # type: ignore[union-attr]  # what has only those characters always matches
    origin = _origin(scheme, authority) if scheme and authority else None
    path = path.removesuffix("/")
    if origin is None or rest or scheme.lower() not in {"http", "https"} or _UPWARDS.search(path):
        raise ValueError("must be an address such as http://pacs:8042/dicom-web, without user, query or fragment")
    return origin, path


class Bases:
    """The bases of one archive, each with the gateway's address that stands for it.

    `led` are pairs of both; where one base lies within another, the longer one counts. A link that is a path alone is
    taken to be of the first base's origin.
    """

    def __init__(self, led: Iterable[tuple[str, str]]) -> None:
        self._bases: dict[Origin, list[tuple[str, str]]] = {}
        self._first: Origin | None = None
        self._usual = "\0"  # the first base as it is written, where it holds no other; no link begins with NUL
        self._usually = ""  # what stands for it
        for base, public in led:
            origin, path = parse_base(base)
            if self._first is None:
                self._first = origin
                self._usual, self._usually = f"{base.removesuffix('/')}/", f"{public}/"
            self._bases.setdefault(origin, []).append((path, public))
        for origin, pairs in self._bases.items():
            if origin == self._first and any(path.startswith(f"{pairs[0][0]}/") for path, _ in pairs):
                self._usual = "\0"
            pairs.sort(key=lambda pair: -len(pair[0]))

    def lead(self, link: str) -> str | None:
        """Return the link as a client may have it, None for one that leads elsewhere.

        A link relative to the reply stays as it is: it cannot leave the gateway.
        """
        usual = self._usual
        if link.startswith(usual) and _PLAIN.fullmatch(link, len(usual)) and len(link) <= LINK_BYTES:
            return self._usually + link[len(usual) :]
        text = link.rstrip(" ")  # values are padded to an even length (PS3.5 section 6.2)
        if len(text) > LINK_BYTES or not _CHARS.fullmatch(text):
            return None
        scheme, authority, path, rest = _URL.fullmatch(text).groups()  # type: ignore[union-attr]  # always matches
        if scheme is None and authority is None and not path.startswith("/"):
            return text
        # Without a scheme, two slashes lead to another host, whatever the scheme of the reply.
        origin = _origin(scheme or "", authority or "") if scheme or authority is not None else self._first
        for base, public in self._bases.get(origin, ()) if origin else ():
            below = path.removeprefix(base)
            if path.startswith(base) and below[:1] in {"", "/"}:
                led = f"{public}{below}{rest}"
                told = f"ws{led[4:]}" if scheme and scheme[0] in "wW" else led
                return None if _UPWARDS.search(below) else told
        return None


def host_of(link: str) -> str:
    """Return what of a link may be told in a log: scheme and host, never its path, which names studies."""
    found = _URL.match(link)
    scheme, authority = (found[1], found[2]) if found else (None, None)
    if authority is None:
        return f"{scheme.lower()}:" if scheme else "no host"
    host = authority.rpartition("@")[2].lower()
    return f"{(scheme or '').lower()}://{host}"[:128].encode("unicode_escape").decode()
