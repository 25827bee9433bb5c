"""The key of a project that lives in a file: 64 hexadecimal digits, 0600. Who has it can try out whom a pseudonym is of."""

import re
import secrets
from pathlib import Path
from typing import Final

from leadglass.hazmat.files import read_private, write_private
from leadglass.hazmat.mac import KEY_BYTES
from leadglass.model.errors import ConfigurationError

_HEX: Final = re.compile(rb"[0-9a-fA-F]{%d}" % (2 * KEY_BYTES))


def key_in(file: Path, *, make: bool) -> tuple[bytes, bool]:
    """Return the key that `file` holds, and whether it was made now, because there was none and `make` is set.

    Raises ConfigurationError when there is none, when others can read it, or when it holds something else.
    """
    try:
        text = read_private(file).strip()
    except FileNotFoundError:
        if not make:
            raise ConfigurationError(f"there is no {file}", hint="give the key that made these copies") from None
        return _made(file), True
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}", hint="let this user read it") from None
    if not _HEX.fullmatch(text):
        raise ConfigurationError(
            f"{file} holds no key",
            hint=f"{2 * KEY_BYTES} hexadecimal digits; name a file that is not there, and it is made",
        )
    return bytes.fromhex(text.decode()), False


def _made(file: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    try:
        write_private(file, key.hex().encode() + b"\n")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {file}: {error.strerror}", hint="name another place for the key"
        ) from None
    return key
