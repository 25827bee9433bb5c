"""Returned instances checked against the permit as they stream: what was not asked for is never sent.

The guard reads each part's header (PS3.10, up to (0020,000E)) before any byte of that part leaves, and passes every
byte on untouched: between headers a chunk goes through as the object it came as. What cannot be read cannot be
checked, and is cut.
"""

from collections.abc import AsyncIterator, Mapping

from leadglass.codec.multipart import Parser, PartBegin, PartData, PartEnd, parse_content_type
from leadglass.codec.part10 import HeaderReader
from leadglass.limits import GUARD_STEP_BYTES, RETRIEVED_PARTS
from leadglass.model.errors import Cut, Refusal, UpstreamBroken
from leadglass.model.facts import Resource
from leadglass.model.ports import Links, Pausable, Sink, UpstreamReply
from leadglass.model.reasons import Code


class PartGuard:
    """Takes a body of application/dicom in pieces and gives back what may leave.

    `boundary` is None for a single instance. Raises Cut `part-mismatch`, and UpstreamBroken for broken multipart.
    """

    def __init__(self, resource: Resource, boundary: str | None) -> None:
        self._wanted = resource
        self._parser = None if boundary is None else Parser(boundary, max_parts=RETRIEVED_PARTS, fault=UpstreamBroken)
        self._reader: HeaderReader | None = None if boundary is not None else HeaderReader(archived=True)
        self._held: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return those that may leave: nothing while a part's header is incomplete."""
        if self._parser is None:
            if self._reader is not None:
                self._read(data)
        else:
            for event in self._parser.feed(data):
                if isinstance(event, PartData):
                    if self._reader is not None:
                        self._read(event.data)
                elif isinstance(event, PartBegin):
                    self._begin(event.headers)
                elif isinstance(event, PartEnd) and self._reader is not None:
                    raise Cut(Code.PART_MISMATCH, "a part that ends before its UIDs")
        if self._reader is not None:
            self._held.append(data)
            return []
        if not self._held:
            return [data]
        ready, self._held = [*self._held, data], []
        return ready

    def finish(self) -> None:
        """Say that the body has ended."""
        if self._parser is not None:
            self._parser.finish()
        elif self._reader is not None:
            raise Cut(Code.PART_MISMATCH, "an instance that ends before its UIDs")

    def _begin(self, headers: Mapping[str, str]) -> None:
        kind = parse_content_type(headers.get("content-type", ""), UpstreamBroken)
        if kind.media != "application/dicom":
            raise Cut(Code.PART_MISMATCH, "a part that is not application/dicom")
        self._reader = HeaderReader(archived=True)

    def _read(self, data: bytes) -> None:
        """Feed the reader no more than it needs, so that its copy stays small."""
        reader = self._reader
        for start in range(0, len(data), GUARD_STEP_BYTES):
            if reader is None:
                return
            try:
                header = reader.feed(data[start : start + GUARD_STEP_BYTES])
            except Refusal as refusal:
                raise Cut(Code.PART_MISMATCH, f"a part that cannot be read: {refusal.detail}") from None
            if header is not None:
                wanted = self._wanted
                if (
                    header.study_uid != (wanted.study_uid or header.study_uid)
                    or header.series_uid != (wanted.series_uid or header.series_uid)
                    or header.sop_instance_uid != (wanted.instance_uid or header.sop_instance_uid)
                ):
                    raise Cut(Code.PART_MISMATCH, "the archive returned another instance than was asked for")
                self._reader = None
                return


class _GuardSink:
    """The sink of the archive's reply: the client's sink, behind the guard."""

    def __init__(self, guard: PartGuard, sink: Sink) -> None:
        self._guard, self._sink = guard, sink

    def write(self, chunk: bytes | memoryview) -> bool:
        for piece in self._guard.feed(bytes(chunk)):
            self._sink.write(piece)
        return True

    def attach(self, source: Pausable | None) -> None:
        self._sink.attach(source)


class GuardedReply:
    """A `model.ports.UpstreamReply` whose body has been through the guard."""

    def __init__(self, reply: UpstreamReply, guard: PartGuard) -> None:
        self._reply, self._guard = reply, guard

    @property
    def status(self) -> int:
        """The status code."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Header fields of the archive."""
        return self._reply.headers

    @property
    def links(self) -> Links | None:
        """Where links in the reply lead."""
        return self._reply.links

    @property
    def length(self) -> int | None:
        """The Content-Length: the guard changes no byte."""
        return self._reply.length

    async def relay(self, sink: Sink) -> int:
        """Write the body to `sink`. Raises Cut, UpstreamBroken, ClientGone."""
        count = await self._reply.relay(_GuardSink(self._guard, sink))
        self._guard.finish()
        return count

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises Cut, Refusal `upstream-invalid`."""
        body = await self._reply.read(limit)
        self._guard.feed(body)
        self._guard.finish()
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises Cut, UpstreamBroken."""
        async for chunk in self._reply.chunks():
            for piece in self._guard.feed(chunk):
                yield piece
        self._guard.finish()

    def abort(self) -> None:
        """Give up the reply."""
        self._reply.abort()
