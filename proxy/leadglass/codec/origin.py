"""Web origins in the one spelling that browsers send (RFC 6454 section 6.2): scheme, host and port, in lower case."""

import re
from typing import Final
from urllib.parse import urlsplit

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_AUTHORITY: Final = re.compile(r"(?P<host>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::(?P<port>[1-9][0-9]{0,4}))?")
_DEFAULT: Final = {"https": "443", "http": "80"}


def check_origin(value: str) -> str:
    """Return `value` if it is an origin that may hold images: https, or http on loopback. Raises ValueError."""
    parts = urlsplit(value)
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if parts.scheme not in _DEFAULT or authority is None or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("must be an origin in lower case, such as https://pacs.example.org")
    if parts.scheme == "http" and authority["host"] not in _LOOPBACK:
        raise ValueError("must be https; plain http is for loopback alone")
    return value


def check_sent(value: str) -> str:
    """Return `value` if it is an origin to the letter as browsers send it. Raises ValueError."""
    scheme, _, authority = check_origin(value).partition("://")
    if authority.endswith(f":{_DEFAULT[scheme]}"):
        raise ValueError("must leave the default port out, as browsers do")
    return value
