"""The body of a store on its way to the archive (PS3.18 section 10.5): judged part by part, framed anew.

A part's header is read, and judged by whoever was given as `judge`, before any byte of that part goes on. The rest is
walked as it passes: what does not hold together is never handed on to its end, so that no archive takes it in. Parts leave under a boundary of our own and with no field of the client's but their media type. A preamble that is neither zero
nor TIFF leaves as zeros, at the same length.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias

from leadglass.codec.multipart import ContentType, Parser, PartBegin, PartData, PartEnd, Writer, parse_content_type
from leadglass.codec.part10 import HeaderReader, InstanceHeader
from leadglass.codec.walker import DeflatedWalker, Walker
from leadglass.limits import GUARD_STEP_BYTES
from leadglass.model.errors import Refusal, refuse
from leadglass.model.ports import BodySource
from leadglass.model.reasons import Code

Judge: TypeAlias = Callable[[InstanceHeader, int], Awaitable[None]]

DICOM = "application/dicom"


class StoreBody:
    """Reads a store's body and gives the one to forward.

    `kind` is the request's Content-Type, `study_uid` the study in the address or None. `judge` gets each part's header
    and index (from 0) and raises Refusal to stop the store. `content_type` belongs on the forwarded request, whose
    length is not known. `parts` counts what has been accepted so far.
    """

    def __init__(self, source: BodySource, kind: ContentType, study_uid: str | None, judge: Judge) -> None:
        inner = kind.parameters.get("type", "").partition(";")[0].strip().lower()
        if kind.media != "multipart/related" or inner != DICOM or kind.boundary is None:
            raise _wrong_type("the body is no multipart/related of application/dicom")
        self._source, self._study_uid, self._judge = source, study_uid, judge
        self._parser = Parser(kind.boundary)
        self._writer = Writer(DICOM)
        self._reader: HeaderReader | None = None
        self._rest: Walker | DeflatedWalker | None = None
        self._begun = 0
        self.parts = 0

    @property
    def content_type(self) -> str:
        """The Content-Type of what `chunks` yields."""
        return self._writer.content_type

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body to forward.

        Raises Refusal: `store-unreadable`, `media-type-refused`, `part-mismatch`, what `judge` and the source raise.
        The closing delimiter is yielded only when the whole body was sound.
        """
        async for chunk in self._source.chunks():
            for event in self._parser.feed(chunk):
                if isinstance(event, PartData):
                    if self._reader is None:
                        await self._walk(event.data)
                        yield event.data
                    else:
                        opening = await self._head(event.data, self._reader)
                        if opening:
                            yield opening
                elif isinstance(event, PartBegin):
                    self._begin(event.headers)
                elif isinstance(event, PartEnd):
                    self._end()
        self._parser.finish()
        yield self._writer.end()

    def _begin(self, headers: Mapping[str, str]) -> None:
        if parse_content_type(headers.get("content-type", "")).media != DICOM:
            raise _wrong_type("a part that is not application/dicom")
        self._reader = HeaderReader()
        self._begun += 1

    def _end(self) -> None:
        if self._reader is not None:
            self._reader.finish()
        if self._rest is not None:
            self._rest.finish()

    async def _walk(self, data: bytes) -> None:
        """Walk on through a part, and let others have their turn."""
        assert self._rest is not None  # noqa: S101 - the header has been read
        for _ in self._rest.steps(data):
            await asyncio.sleep(0)

    async def _head(self, data: bytes, reader: HeaderReader) -> bytes:
        """Read on in the part's header, and let others have their turn; return the part's opening once it was accepted, else nothing."""
        for start in range(0, len(data), GUARD_STEP_BYTES):
            end = start + GUARD_STEP_BYTES
            header = reader.feed(data[start:end])
            if header is not None:
                if self._study_uid not in {None, header.study_uid}:
                    raise refuse(Code.PART_MISMATCH, "a part of another study than the address names")
                await self._judge(header, self._begun - 1)
                self._reader, self._rest = None, reader.rest()
                await self._walk(data[end:])
                self.parts += 1
                return b"".join((self._writer.part((("Content-Type", DICOM),)), reader.held, data[end:]))
            await asyncio.sleep(0)
        return b""


def _wrong_type(detail: str) -> Refusal:
    return refuse(Code.MEDIA_TYPE_REFUSED, detail)
