"""Locks between processes: a file beside what one alone may hold. The kernel lets go of it when its process ends."""

import fcntl
import os
from pathlib import Path

from leadglass.model.errors import ConfigurationError


def take(path: Path, problem: str, hint: str) -> int:
    """Take the lock that the file `path` is, and return its descriptor; closing that lets go.

    Raises ConfigurationError: with `problem` and `hint` when another process has it.
    """
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0:  # a backup by root must not lock the gateway's own user out of the lock
            of = path.parent.stat()
            os.fchown(lock, of.st_uid, of.st_gid)
    except OSError as error:
        raise ConfigurationError(
            f"cannot open {path}: {error.strerror}", hint="run it as the user of the gateway"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConfigurationError(problem, hint=hint) from None
    return lock
