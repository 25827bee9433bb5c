"""The two options of a client's socket that a cut stands on: little is kept by the kernel, and a reset is a reset."""

import asyncio
import logging
import socket
import struct
from typing import Final

from leadglass.limits import NOTSENT_LOWAT_BYTES

_log = logging.getLogger("leadglass.gateways.http")
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds
_TCP_NOTSENT_LOWAT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", 25)  # Linux's number where Python has no name


def keep_little(transport: asyncio.Transport) -> None:
    """Keep little in the kernel from here on, so that a cut is a cut."""
    _option(transport, socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)


def reset_on_close(transport: asyncio.Transport) -> None:
    """Let the end of the connection be a reset (SO_LINGER 0)."""
    _option(transport, socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def _option(transport: asyncio.Transport, level: int, name: int, value: int | bytes) -> None:
    held = transport.get_extra_info("socket")
    if held is None:  # a TLS transport lets go of it a turn before it says that the connection is lost
        return
    try:
        held.setsockopt(level, name, value)
    except OSError:
        _log.debug("socket option %d refused", name)
