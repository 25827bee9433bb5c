"""Authenticated encryption with one key that stays on this machine: AES-256-GCM (NIST SP 800-38D)."""

import contextlib
import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.hazmat.files import read_private, write_private
from leadglass.hazmat.mac import KEY_BYTES, new_key
from leadglass.model.errors import ConfigurationError

_NONCE: Final = 12


class Unsealable(ValueError):
    """Not sealed under this key, or sealed for another place."""


class Box:
    """Seals and opens small values. `place` says what a value is for; it opens nowhere else.

    The first key seals, all open: those behind it are on their way out. Nonces are random: one key is good for 2**32
    values (SP 800-38D section 8.3).
    """

    def __init__(self, *keys: bytes) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._keys = keys
        self._ciphers = tuple(map(AESGCM, keys))

    @property
    def rotating(self) -> bool:
        """Whether keys before the present one still open."""
        return len(self._keys) > 1

    def rotate(self, file: Path) -> None:
        """Seal under a new key from now on, kept in `file` before the old ones. Raises OSError."""
        self._keep(file, new_key(), *self._keys)

    def forget(self, file: Path) -> None:
        """Let go of all keys but the one that seals. Raises OSError."""
        self._keep(file, self._keys[0])

    def _keep(self, file: Path, *keys: bytes) -> None:
        write_private(file, b"".join(keys))
        self._keys, self._ciphers = keys, tuple(map(AESGCM, keys))

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Return `plain` sealed for `place`."""
        nonce = os.urandom(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return what was sealed for `place`. Raises Unsealable."""
        for cipher in self._ciphers:
            with contextlib.suppress(InvalidTag, ValueError):
                return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
        raise Unsealable("not sealed here")


def load_or_make_box(file: Path) -> Box:
    """Return the box of the key in `file`, which is made (0600) when it is not there. Raises ConfigurationError."""
    hint = "move it away: a new one is made, and what was sealed under the old one is void"
    try:
        with contextlib.suppress(FileNotFoundError):
            held = read_private(file)
            return Box(*(held[at : at + KEY_BYTES] for at in range(0, len(held), KEY_BYTES)))
        key = new_key()
        write_private(file, key)
        return Box(key)
    except ValueError as error:
        raise ConfigurationError(f"{file} is no key: {error}", hint=hint) from None
    except OSError as error:
        raise ConfigurationError(f"cannot use the key {file}: {error.strerror}", hint=hint) from None
