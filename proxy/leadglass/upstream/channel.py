"""The archive's end of an event channel: a WebSocket of which only whole text messages come, in one direction.

It has no place in the pool, which is for requests that end; the channels open at once are counted here instead. What
the archive answers to the handshake is believed to the letter or not at all.
"""

import asyncio
import re
import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

from leadglass.codec.websocket import (
    VERSION,
    Message,
    Op,
    Reader,
    WebSocketFault,
    accept_key,
    make_key,
    write_close,
    write_frame,
)
from leadglass.limits import (
    CHANNEL_MESSAGE_BYTES,
    CHANNEL_PING_SECONDS,
    UPSTREAM_CHANNELS,
    UPSTREAM_CHANNELS_PER_SUBJECT,
    UPSTREAM_CONNECT_SECONDS,
    UPSTREAM_HEAD_BYTES,
)
from leadglass.model.errors import UpstreamBroken, refuse
from leadglass.model.reasons import Code

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)\r\n")
_SWITCHING: Final = 101
Address: TypeAlias = tuple[str, int, ssl.SSLContext | None]
_READ_BYTES: Final = 64 * 1024
# Codes of the archive that mean the same to the client; every other is the gateway's own to explain.
_HANDED_ON: Final = frozenset({1000, 1001, 1012, 1013})
_BROKEN: Final = 1011


class NoChannelError(Exception):
    """The archive answered the handshake with another status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Channel:
    """An open channel. `code` is what the client is told when it has ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, closed: Callable[[], None]) -> None:
        self._reader, self._writer, self._closed = reader, writer, closed
        self._frames = Reader(masked=False, limit=CHANNEL_MESSAGE_BYTES)
        self._over = False
        self.code = _BROKEN

    @property
    def over(self) -> bool:
        """Whether one of the sides has ended it."""
        return self._over

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield each text message. Ends when either side ends the channel. Raises UpstreamBroken."""
        asked = False
        while True:
            try:
                async with asyncio.timeout(CHANNEL_PING_SECONDS):
                    data = await self._reader.read(_READ_BYTES)
            except TimeoutError:
                if asked:
                    raise UpstreamBroken("the event channel is silent") from None
                asked = True
                self._send(Op.PING, b"")
                continue
            except OSError:
                data = b""
            if self.over:
                return
            if not data:
                raise UpstreamBroken("the event channel ended without a close")
            asked = False
            try:
                told = self._frames.feed(data)
            except WebSocketFault as fault:
                self._writer.write(write_close(fault.code, mask=secrets.token_bytes(4)))
                raise UpstreamBroken(f"the event channel: {fault}") from None
            for message in told:
                if (text := self._take(message)) is not None:
                    yield text

    def _take(self, message: Message) -> bytes | None:
        if message.op is Op.TEXT:
            return message.data
        if message.op is Op.BINARY:
            raise UpstreamBroken("the event channel: a message that is not text")
        if message.op is Op.PING:
            self._send(Op.PONG, message.data)
        elif message.op is Op.CLOSE:
            self._over = True
            self.code = message.code if message.code in _HANDED_ON else 1001
            self._writer.write(
                write_close(message.code if message.code in _HANDED_ON else 1000, mask=secrets.token_bytes(4))
            )
        return None

    def _send(self, op: Op, data: bytes) -> None:
        self._writer.write(write_frame(op, data, secrets.token_bytes(4)))

    def hang_up(self) -> None:
        """End the channel from this side: `messages` ends too. Harmless when done twice."""
        if not self._over:
            self._over = True
            self.code = 1000
            self._writer.write(write_close(1000, mask=secrets.token_bytes(4)))
            self._reader.feed_eof()

    def close(self) -> None:
        """Close the connection, whatever its state, and give the place back. Called once."""
        self.hang_up()
        self._writer.close()
        self._closed()


class Channels:
    """Opens the channels to one archive, and counts those that are open."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    async def open(self, address: Address, head: bytes, key: str, subject: str) -> Channel:
        """Connect and shake hands.

        Raises Refusal `upstream-busy`, `upstream-unreachable`, `upstream-timeout`, NoChannelError for another answer than 101,
        and UpstreamBroken for one that is not to be believed.
        """
        if self._open.total() >= UPSTREAM_CHANNELS or self._open[subject] >= UPSTREAM_CHANNELS_PER_SUBJECT:
            raise refuse(Code.UPSTREAM_BUSY, "too many event channels are open", headers={"Retry-After": "5"})
        self._open[subject] += 1
        try:
            reader, writer = await _connect(address)
            try:
                await _shake_hands(reader, writer, head, key)
            except BaseException:
                writer.transport.abort()
                raise
        except BaseException:
            self._give_back(subject)
            raise
        return Channel(reader, writer, lambda: self._give_back(subject))

    def _give_back(self, subject: str) -> None:
        self._open[subject] -= 1
        if self._open[subject] <= 0:
            del self._open[subject]


async def _connect(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port, tls = address
    try:
        async with asyncio.timeout(UPSTREAM_CONNECT_SECONDS):
            return await asyncio.open_connection(host, port, ssl=tls, limit=UPSTREAM_HEAD_BYTES)
    except TimeoutError:
        raise refuse(Code.UPSTREAM_TIMEOUT, "connecting the event channel") from None
    except OSError as error:
        raise refuse(Code.UPSTREAM_UNREACHABLE, f"the event channel: {type(error).__name__}") from None


async def _shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, key: str) -> None:
    writer.write(head)
    try:
        async with asyncio.timeout(UPSTREAM_CONNECT_SECONDS):
            answer = await reader.readuntil(b"\r\n\r\n")
    except TimeoutError:
        raise refuse(Code.UPSTREAM_TIMEOUT, "the handshake of the event channel") from None
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        raise UpstreamBroken("no whole answer to the handshake") from None
    if (status := agreed(answer, key)) != _SWITCHING:
        raise NoChannelError(status)


def agreed(answer: bytes, key: str) -> int:
    """Return the status of an answer to the handshake (RFC 6455 section 4.1). Raises UpstreamBroken for a doubtful 101."""
    line = _STATUS_LINE.match(answer)
    if line is None:
        raise UpstreamBroken("status line")
    if (status := int(line[1])) != _SWITCHING:
        return status
    fields: dict[bytes, bytes] = {}
    at = line.end()
    while answer[at : at + 2] != b"\r\n":
        field = _FIELD.match(answer, at)
        if field is None:
            raise UpstreamBroken("field lines of the handshake")
        name = field[1].lower()
        if name in fields and name in _ONCE:
            raise UpstreamBroken("a field of the handshake twice")
        fields[name] = field[2].strip(b" \t")
        at = field.end()
    options = {option.strip(b" \t") for option in fields.get(b"connection", b"").lower().split(b",")}
    expected = (accept_key(key) or "").encode("ascii")
    if fields.get(b"upgrade", b"").lower() != b"websocket" or b"upgrade" not in options:
        raise UpstreamBroken("switched to something else than a WebSocket")
    if not expected or fields.get(b"sec-websocket-accept") != expected:
        raise UpstreamBroken("the handshake was answered by somebody who did not read it")
    if fields.keys() & {
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"content-length",
        b"transfer-encoding",
    }:
        raise UpstreamBroken("something was agreed that nobody asked for")
    return status


_ONCE: Final = frozenset({b"upgrade", b"connection", b"sec-websocket-accept", b"content-length", b"transfer-encoding"})


def new_key() -> str:
    """Return a key for a handshake."""
    return make_key(secrets.token_bytes(16))


def handshake(key: str) -> str:
    """Return the fields that ask for a WebSocket (RFC 6455 section 4.1): no protocol, no extension."""
    return (
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n"
    )
