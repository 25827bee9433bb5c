"""Replies whose links are led through the gateway (`links: rewrite`), as they stream.

A reply that came as gzip is opened for it and packed again for a client that takes gzip. Its length is not known before
its end, so it goes out chunked.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Final

from leadglass.codec.links.jsonlinks import JsonLinks
from leadglass.codec.links.partlinks import Leading
from leadglass.limits import COMPRESS_LEVEL, UPSTREAM_BUFFER_BYTES
from leadglass.model.errors import UpstreamBroken
from leadglass.model.ports import Links, Pausable, Sink, UpstreamReply

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_FEW: Final = 3


async def inflated(reply: UpstreamReply) -> AsyncIterator[bytes]:
    """Undo gzip, in bounded pieces. Raises UpstreamBroken."""
    inflator = zlib.decompressobj(_GZIP_WINDOW)
    try:
        async for chunk in reply.chunks():
            rest = chunk
            while rest:
                if inflator.eof:
                    raise UpstreamBroken("bytes after the end of gzip")
                piece = inflator.decompress(rest, UPSTREAM_BUFFER_BYTES)
                rest = inflator.unconsumed_tail or inflator.unused_data
                if piece:
                    yield piece
    except zlib.error:
        raise UpstreamBroken("not gzip") from None
    if not inflator.eof:
        raise UpstreamBroken("gzip cut short")


class _LeadingSink:
    """The sink of the archive's reply: the client's sink, behind what leads the links."""

    def __init__(self, leading: Leading, sink: Sink) -> None:
        self._leading, self._sink = leading, sink

    def write(self, chunk: bytes | memoryview) -> bool:
        self.pass_on(self._leading.feed(bytes(chunk)))
        return True

    def pass_on(self, pieces: list[bytes]) -> None:
        # The head of a part and much of its content are not worth a copy; what lies between many links is.
        for piece in pieces if len(pieces) <= _FEW else (b"".join(pieces),):
            self._sink.write(piece)

    def attach(self, source: Pausable | None) -> None:
        self._sink.attach(source)


class LedReply:
    """A `model.ports.UpstreamReply`, not packed, whose links are led."""

    length = None  # told by nobody before the end

    def __init__(self, reply: UpstreamReply, leading: Leading) -> None:
        self._reply, self._leading = reply, leading
        self.status, self.headers, self.links = reply.status, reply.headers, reply.links

    async def relay(self, sink: Sink) -> int:
        """Write the body to `sink`. Raises UpstreamBroken, ClientGone, and what the reply raises."""
        behind = _LeadingSink(self._leading, sink)
        count = await self._reply.relay(behind)
        behind.pass_on(self._leading.finish())
        return count

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises Refusal `upstream-invalid`, UpstreamBroken."""
        body = await self._reply.read(limit)
        return b"".join([*self._leading.feed(body), *self._leading.finish()])

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises UpstreamBroken."""
        return led(self._reply, self._leading)

    def abort(self) -> None:
        """Give up the reply."""
        self._reply.abort()


async def led(
    reply: UpstreamReply, leading: Leading, *, packed: bool = False, pack: bool = False
) -> AsyncIterator[bytes]:
    """Yield the body with its links led. `packed` says that it came as gzip, `pack` that it is to leave as gzip.

    Raises UpstreamBroken, and what the reply raises.
    """
    packer = zlib.compressobj(COMPRESS_LEVEL, zlib.DEFLATED, _GZIP_WINDOW) if pack else None
    try:
        async for piece in inflated(reply) if packed else reply.chunks():
            told = _joined(leading.feed(piece))
            if packer is not None:
                told = packer.compress(told)
            if told:
                yield told
            await asyncio.sleep(0)  # a little gzip opens to many pieces, and others want their turn
        told = _joined(leading.finish())
        if packer is not None:
            told = packer.compress(told) + packer.flush()
        if told:
            yield told
    finally:
        reply.abort()  # when this is closed half-way; harmless when the reply has ended


async def whole(reply: UpstreamReply, body: AsyncIterator[bytes], *, pack: bool = False) -> AsyncIterator[bytes]:
    """Yield what treatments made of a reply, which is given up when this is closed half-way. `pack` as in `led`."""
    packer = zlib.compressobj(COMPRESS_LEVEL, zlib.DEFLATED, _GZIP_WINDOW) if pack else None
    try:
        async for piece in body:
            told = piece if packer is None else packer.compress(piece)
            if told:
                yield told
        if packer is not None:
            yield packer.flush()
    finally:
        reply.abort()


async def led_whole(body: bytes, links: Links) -> bytes:
    """Return JSON that is whole in memory with its links led. Raises UpstreamBroken."""
    leading, out = JsonLinks(links), list[bytes]()
    for at in range(0, len(body), UPSTREAM_BUFFER_BYTES):
        out += leading.feed(body[at : at + UPSTREAM_BUFFER_BYTES])
        await asyncio.sleep(0)
    return _joined([*out, *leading.finish()])


def _joined(pieces: Iterable[bytes]) -> bytes:
    first, *rest = pieces or (b"",)
    return b"".join((first, *rest)) if rest else first  # nearly always one, which is not copied
