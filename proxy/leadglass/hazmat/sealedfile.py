"""A file sealed under a passphrase that is written and read as a stream: scrypt (RFC 7914) and AES-256-GCM in pieces.

The pieces follow STREAM (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, CRYPTO 2015): the nonce of each is a random prefix, its number, and whether it is the last. So none
can be changed, left out, moved or added, and a file that was cut off anywhere does not open to its end. What is read
before that end is authentic as far as it goes; whoever reads acts on it only after the end.
"""

import os
import struct
from types import TracebackType
from typing import BinaryIO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadglass.hazmat.backup import derived
from leadglass.limits import MIB

MAGIC: Final = b"leadglass-backup-v1\n"
_PIECE: Final = MIB  # 2**32 of them are 4 PiB
_TAG: Final = 16
_SALT: Final = 16
_PREFIX: Final = 7
_NUMBER: Final = struct.Struct(">IB")


class Unopenable(ValueError):
    """Not a sealed file, not under this passphrase, or not as it was written. The message says it in words."""


class SealedWriter:
    """A stream that seals what is written. Only `close` ends the file; without it, nobody can open it to its end."""

    def __init__(self, stream: BinaryIO, passphrase: str) -> None:
        salt, self._prefix = os.urandom(_SALT), os.urandom(_PREFIX)
        self._stream, self._held, self._number = stream, bytearray(), 0
        self._cipher = AESGCM(derived(passphrase, salt))
        self._head = MAGIC + salt + self._prefix
        stream.write(self._head)

    def write(self, data: bytes) -> int:
        """Take data. Raises OSError."""
        self._held += data
        while len(self._held) > _PIECE:
            self._put(bytes(self._held[:_PIECE]), last=False)
            del self._held[:_PIECE]
        return len(data)

    def close(self) -> None:
        """Write the last piece. Raises OSError."""
        self._put(bytes(self._held), last=True)
        self._held.clear()

    def _put(self, plain: bytes, *, last: bool) -> None:
        nonce = self._prefix + _NUMBER.pack(self._number, last)
        self._stream.write(self._cipher.encrypt(nonce, plain, self._head))
        self._number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


class SealedReader:
    """A stream of what was sealed. Raises Unopenable from any call when the file is not what was written."""

    def __init__(self, stream: BinaryIO, passphrase: str) -> None:
        self._head = stream.read(len(MAGIC) + _SALT + _PREFIX)
        if not self._head.startswith(MAGIC) or len(self._head) != len(MAGIC) + _SALT + _PREFIX:
            raise Unopenable("it is no backup of leadglass")
        self._stream, self._prefix, self._number = stream, self._head[-_PREFIX:], 0
        self._cipher = AESGCM(derived(passphrase, self._head[len(MAGIC) : -_PREFIX]))
        self._next = stream.read(_PIECE + _TAG)
        self._held, self._ended = b"", False

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all when negative; nothing at the end."""
        while not self._ended and (size < 0 or len(self._held) < size):
            self._held += self._piece()
        size = len(self._held) if size < 0 else size
        data, self._held = self._held[:size], self._held[size:]
        return data

    def finish(self) -> None:
        """Read what is left and see the end. Only now is the whole known to be what was written."""
        while not self._ended:
            self._piece()

    def _piece(self) -> bytes:
        piece, self._next = self._next, self._stream.read(_PIECE + _TAG)
        last = not self._next
        nonce = self._prefix + _NUMBER.pack(self._number, last)
        try:
            plain = self._cipher.decrypt(nonce, piece, self._head)
        except InvalidTag:
            raise Unopenable(
                "wrong passphrase, or the file was changed"
                if not self._number
                else "the file was changed or is cut short"
            ) from None
        self._number, self._ended = self._number + 1, last
        return plain
