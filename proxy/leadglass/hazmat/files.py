"""Files that hold private keys: 0600, whole or not there, never read when others could have; and whether a file changed."""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final, TypeAlias

from leadglass.limits import KIB
from leadglass.model.errors import ConfigurationError

_KEY_FILE_BYTES: Final = 64 * KIB
Stamp: TypeAlias = tuple[int, int, int]


def stamp(path: Path) -> Stamp | None:
    """Return what changes when a file does, None when there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def write_private(file: Path, data: bytes) -> None:
    """Write `file` with mode 0600, replacing it at once and on disk before this returns. Raises OSError."""
    write_whole(file, data, 0o600)


def write_whole(file: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `file` as `write_private` does, with another mode. Raises OSError."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_private(file: Path) -> bytes:
    """Return the content of a key file. Raises ConfigurationError when others may read it, OSError."""
    with file.open("rb") as stream:
        if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & 0o077:
            raise ConfigurationError(f"others can read {file}", hint=f"chmod 0600 {file}")
        return stream.read(_KEY_FILE_BYTES)
