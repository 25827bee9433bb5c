"""Unix sockets that only the gateway's own user can reach, and who is at the other end (SO_PEERCRED, unix(7))."""

import contextlib
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Final

from aiohttp import web

from leadglass.limits import CONTROL_CONNECTIONS, CONTROL_SECONDS, HEAD_BYTES
from leadglass.model.errors import ConfigurationError

PUBLIC: Final = "control.sock"  # beside the admin socket; the door relays to it
_PATH_BYTES: Final = 107  # sun_path has 108 with its NUL
_CREDENTIALS: Final = struct.Struct("3i")


def bind(path: Path) -> socket.socket:
    """Return a listening socket at `path`, mode 0600; its folder is made with 0700 when it is not there.

    A socket that nobody listens on any more is replaced. Raises ConfigurationError.
    """
    check_length(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_room(path)
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)  # the mode is right from the first moment
        try:
            bound.bind(os.fspath(path))
            bound.listen(CONTROL_CONNECTIONS)
        except BaseException:
            bound.close()
            raise
        finally:
            os.umask(before)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {path}: {error.strerror}", hint="the gateway must be able to write its folder"
        ) from None
    return bound


def check_length(path: Path) -> None:
    """Raise ConfigurationError when the operating system cannot take so long a path for a socket."""
    if len(os.fsencode(path)) > _PATH_BYTES:
        raise ConfigurationError(f"the path of the socket is too long: {path}", hint="107 bytes is the most there is")


def _make_room(path: Path) -> None:
    """Remove a socket that a stopped process left behind. Raises ConfigurationError when it is alive or no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"{path} is not a socket", hint="remove it, or name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(ConnectionRefusedError):
        probe.connect(os.fspath(path))
        raise ConfigurationError(f"another process listens on {path}", hint="is leadglass running already?")
    path.unlink()


def peer_uid(request: web.Request) -> int | None:
    """Return the uid of the process at the other end of a unix socket; None when the connection is gone."""
    connection = request.get_extra_info("socket")
    if connection is None:
        return None
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return None
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(uid)


class UnixServer:
    """An aiohttp app on a unix socket."""

    def __init__(self, app: web.Application, path: Path) -> None:
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=CONTROL_SECONDS,
            max_field_size=2 * HEAD_BYTES,  # the relay's own header, in which a whole query travels
        )
        self._path = path

    async def start(self) -> None:
        """Listen. Raises ConfigurationError."""
        bound = bind(self._path)
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        await self._runner.cleanup()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
