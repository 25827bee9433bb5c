import asyncio
import socket
import struct
from typing import Any

from leadglass.gateways.http.sockets import keep_little, reset_on_close
from leadglass.limits import NOTSENT_LOWAT_BYTES


class Held(asyncio.Transport):
    def __init__(self, held: socket.socket | None) -> None:
        super().__init__()
        self._held = held

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - of asyncio
        return self._held if name == "socket" else default


def test_little_is_kept_and_an_end_is_a_reset() -> None:
    with socket.socket() as held:
        keep_little(Held(held))
        assert held.getsockopt(socket.IPPROTO_TCP, 25) == NOTSENT_LOWAT_BYTES
        reset_on_close(Held(held))
        assert struct.unpack("ii", held.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)) == (1, 0)


def test_a_socket_that_is_gone_is_no_fault() -> None:
    keep_little(Held(None))
    gone = socket.socket()
    gone.close()
    reset_on_close(Held(gone))
