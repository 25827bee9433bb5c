"""Who asks at the loopback door: the user behind a connection, and the headers by which a browser gives a page away."""

import socket
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

from aiohttp import web

_TABLES: Final = ("proc/net/tcp", "proc/net/tcp6")
_ESTABLISHED: Final = "01"  # TCP_ESTABLISHED of include/net/tcp_states.h
_LOOPBACK: Final = "127.0.0.1"


def _address(host: str, port: int) -> tuple[str, str]:
    """Return an IPv4 address as /proc/net/tcp and /proc/net/tcp6 print it (32-bit words of the machine, in hex)."""
    word = f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}"
    mapped = f"{int.from_bytes(bytes((0, 0, 255, 255)), sys.byteorder):08X}"
    return f"{word}:{port:04X}", f"{'0' * 16}{mapped}{word}:{port:04X}"


def peer_uid(peer: tuple[str, int], own: tuple[str, int], root: Path = Path("/")) -> int | None:
    """Return the uid of the process that holds the far end of the connection `peer` -> `own`; None when none does.

    A socket whose process closed it is nobody's: Linux shows such a one as root's. Java opens IPv6 sockets for IPv4
    addresses, so both tables are read. Raises OSError.
    """
    far, near = _address(*peer), _address(*own)
    for table, wanted in zip(_TABLES, zip(far, near, strict=True), strict=True):
        file = root / table
        if not file.exists():  # no IPv6 here
            continue
        for line in file.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if tuple(fields[1:3]) == wanted:
                held = fields[3] == _ESTABLISHED and fields[9] != "0"  # 9: the inode, 0 once it is closed
                return int(fields[7]) if held else None
    return None


def listed(request: web.Request, origins: Collection[str]) -> bool:
    """Return whether a page asks whose origin is one of `origins`, letter by letter."""
    asked = request.headers.getall("Origin", [])
    return len(asked) == 1 and asked[0] in origins


def turned_away(
    request: web.Request, port: int, uids: Collection[int], origins: Collection[str], root: Path = Path("/")
) -> str | None:
    """Return why a caller is turned away, None when it may come in.

    `uids` are the users that may, `origins` the pages (https://host:port) beside the door's own. Raises OSError.
    """
    authority = f"{_LOOPBACK}:{port}"
    if request.headers.getall("Host", []) != [authority]:
        return "the Host is another"  # a name that was rebound to 127.0.0.1
    known = listed(request, origins)
    if not known and request.headers.getall("Origin", []) not in ([], [f"http://{authority}"]):
        return "a page of another origin asked"
    sites = request.headers.getall("Sec-Fetch-Site", ["none"])
    if not known and not set(sites) <= {"none", "same-origin"}:
        return "a page of another site asked"
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport else None
    if peer is None or peer_uid(peer[:2], (_LOOPBACK, port), root) not in uids:
        return "a process of another user asked"
    return None
