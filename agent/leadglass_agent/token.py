"""The person's token, from a file that a sign-in tool keeps fresh or from a command that prints it."""

import asyncio
import base64
import binascii
import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import orjson

from leadglass_agent import commands

_BYTES = 16 * 1024
_EARLY = 30.0  # seconds before its end at which a token is asked for anew
_SECONDS = 30.0
_KEPT = 60.0  # seconds for which a token that tells no end is kept


class NoToken(Exception):
    """There is no token to send. `str()` says why."""


class TokenSource(Protocol):
    """Where the token comes from."""

    async def token(self) -> str:
        """Return a token to send now. Raises NoToken."""
        ...


def may_be_sent(token: str) -> bool:
    """Return whether a token can stand in a header field: visible ASCII, bounded."""
    return 0 < len(token) <= _BYTES and all("!" <= character <= "~" for character in token)


def _checked(text: str, origin: str) -> str:
    token = text.strip()
    if not may_be_sent(token):
        raise NoToken(f"{origin} holds no token")
    return token


def expires(token: str) -> float:
    """Return the `exp` of a JWT without believing it; 0 for a token that tells none."""
    try:
        payload = token.split(".")[1]
        ends = float(orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
        return ends if math.isfinite(ends) else 0.0
    except (IndexError, ValueError, KeyError, TypeError, binascii.Error):
        return 0.0


class FileToken:
    """A token in a file, read anew when the file changes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, ...] = ()
        self._token = ""

    async def token(self) -> str:
        """Return the token in the file. Raises NoToken."""
        try:
            found = self._file.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen != self._seen:
                with self._file.open(encoding="ascii") as file:
                    self._token = file.read(_BYTES + 1)
                self._seen = seen
        except (OSError, UnicodeDecodeError):
            raise NoToken(f"{self._file} cannot be read") from None
        return _checked(self._token, str(self._file))


class CommandToken:
    """A token that a command prints, kept until shortly before it ends. No shell: the words are split as one would."""

    def __init__(self, command: str, now: Callable[[], float]) -> None:
        """Raises ValueError for a command that no shell would take either."""
        self._words, self._now = shlex.split(command), now
        if not self._words:
            raise ValueError("the token command is empty")
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Return the token. Raises NoToken."""
        async with self._lock:
            if not self._token or self._until <= self._now():
                self._token = ""
                try:
                    output = await commands.ask(self._words, limit=_BYTES, seconds=_SECONDS)
                except commands.Unavailable as error:
                    raise NoToken(str(error)) from None
                self._token = _checked(output.decode("ascii", "replace"), self._words[0])
                ends = expires(self._token)
                self._until = ends - _EARLY if ends else self._now() + _KEPT
            return self._token
