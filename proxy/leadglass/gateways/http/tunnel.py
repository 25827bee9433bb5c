"""The client's end of a WebSocket, on the connection that its request came on (RFC 6455).

Until the exchange ends it stands where the request's body would: what comes in is frames. A client has nothing to say on
a channel but to answer pings and to close, so nothing that it sends goes further than here.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from leadglass.codec.websocket import Message, Op, Reader, WebSocketFault, write_close, write_frame
from leadglass.limits import CHANNEL_CLOSE_SECONDS, CHANNEL_CONTROL_BYTES, CHANNEL_PING_SECONDS
from leadglass.model.errors import ClientGone

UNSUPPORTED: Final = 1003
POLICY: Final = 1008
GOING_AWAY: Final = 1001


class Carrier(Protocol):
    """The connection that it goes over."""

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        ...

    @property
    def congested(self) -> bool:
        """Whether so much is unsent that nothing more should be written."""
        ...

    def send(self, data: bytes) -> bool:
        """Write, and return whether nothing is held any more of what was written."""
        ...

    def reset(self, why: str, *, cancel: bool = False) -> None:
        """End the connection at once."""
        ...

    async def drained(self) -> None:
        """Wait until no longer congested. Raises ClientGone."""
        ...


class Tunnel:
    """A `model.ports.ClientChannel`. `ended` is called once, when the client or the door ends it."""

    __slots__ = ("_answered", "_carrier", "_ended", "_heard", "_over", "_pinged", "_reader", "_spoke", "count")

    arrived = finished = full = False  # as of a body that is never whole and never pauses the connection

    def __init__(self, carrier: Carrier, ended: Callable[[], None], now: float) -> None:
        self._carrier, self._ended = carrier, ended
        self.count: Callable[[int], None] = lambda _: None  # is told how many bytes of text were sent
        self._reader = Reader(masked=True, limit=CHANNEL_CONTROL_BYTES)
        self._heard = now
        self._pinged = self._spoke = False
        self._over = False  # a CLOSE was sent
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # and one came

    @property
    def over(self) -> bool:
        """Whether nothing more may be sent."""
        return self._over or self._carrier.lost

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the client; none are left over."""
        self._spoke = True
        try:
            for message in self._reader.feed(data):
                self._take(message)
        except WebSocketFault as fault:
            self._finish(fault.code)
            self._answer()
        return b""

    def _take(self, message: Message) -> None:
        if message.op is Op.PING:
            if not self.over and not self._carrier.congested:
                self._carrier.send(write_frame(Op.PONG, message.data))
        elif message.op is Op.CLOSE:
            self._finish(message.code)
            self._answer()
        elif message.op is not Op.PONG:
            self._finish(UNSUPPORTED)

    def _answer(self) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    def _finish(self, code: int) -> bool:
        """Say that it is over, once; return whether nothing is held any more of what was written."""
        if self._over:
            return True
        self._over = True
        flushed = self._carrier.send(write_close(code))
        self._ended()
        return flushed

    async def send(self, text: bytes) -> None:
        """Send a text message; waits while the client takes none. Raises ClientGone."""
        if self.over:
            raise ClientGone("the client has closed the channel")
        self.count(len(text))
        self._carrier.send(write_frame(Op.TEXT, text))
        if self._carrier.congested:
            await self._carrier.drained()

    async def part(self, code: int) -> None:
        """Close with this code unless it is closed, and wait a little for the client to say so too."""
        self._finish(code)
        try:
            async with asyncio.timeout(CHANNEL_CLOSE_SECONDS):
                await self._answered
        except TimeoutError:
            return

    def sever(self) -> bool:
        """Close because trust has ended; return whether the client is told so, and by nothing that came before."""
        return not self._over and self._finish(POLICY)

    def drain(self) -> None:
        """Close because the gateway stops."""
        self._finish(GOING_AWAY)

    def tick(self, now: float) -> None:
        """Ask a client that was silent whether it is there, and give up one that does not say."""
        if self._spoke:
            self._spoke = self._pinged = False
            self._heard = now
        elif now - self._heard >= CHANNEL_PING_SECONDS and not self._over:
            if self._pinged:
                self._carrier.reset("the client of a channel is silent", cancel=True)
                return
            self._heard, self._pinged = now, True
            self._carrier.send(write_frame(Op.PING, b""))
