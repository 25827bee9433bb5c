"""Instances as a view shows them: each part rewritten while it streams, under a boundary of our own and no field of the archive's.

Before a byte of an instance leaves, its UIDs are held to what was asked for (`part-mismatch`, as `part_guard` does for all
others), and one that is not in the view is left out. Whatever cannot be read ends the reply.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from leadglass.codec.multipart import Parser, PartBegin, PartData, Writer, parse_content_type
from leadglass.codec.uid import is_uid
from leadglass.deid.instance import Header, PixelFilter
from leadglass.deid.native import NativePixels
from leadglass.deid.part10 import Part10Rewriter
from leadglass.deid.values import Values
from leadglass.limits import DEID_AHEAD_BYTES, KIB, RETRIEVED_PARTS
from leadglass.model.errors import Cut, Refusal, UpstreamBroken, refuse
from leadglass.model.reasons import Code
from leadglass.obligations.aside import aside
from leadglass.obligations.view import View

DICOM: Final = "application/dicom"
_SMALL: Final = 8 * KIB


class _Instance:
    """One instance on its way. `gone` says that it is not in the view."""

    def __init__(self, view: View, values: Values) -> None:
        self._view = view
        self._filter: PixelFilter | None = None
        self._rewriter = Part10Rewriter(values, self._pixels)
        self._left = False
        self.gone: Refusal | None = None

    def _pixels(self, header: Header) -> PixelFilter | None:
        wanted = self._view.occasion.match.resource
        if (
            header.study_uid != wanted.study_uid
            or header.series_uid != (wanted.series_uid or header.series_uid)
            or header.sop_instance_uid != (wanted.instance_uid or header.sop_instance_uid)
        ):
            raise Cut(Code.PART_MISMATCH, "the archive returned another instance than was asked for")
        self._filter = self._view.lens.pixels(header)
        return self._filter

    async def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return those that may leave once what they show is written down (`kept`)."""
        if self.gone is not None:
            return []
        slow = self._filter is not None and not isinstance(self._filter, NativePixels)
        try:
            out = await aside(self._rewriter.feed, data) if slow else self._rewriter.feed(data)
        except Refusal as refusal:
            self._leave_out(refusal)
            return []
        return self._made(out)

    async def finish(self) -> list[bytes]:
        """Return the last bytes."""
        if self.gone is not None:
            return []
        try:
            out = self._rewriter.finish()
        except Refusal as refusal:
            self._leave_out(refusal)
            return []
        return self._made(out)

    def _made(self, out: list[bytes]) -> list[bytes]:
        if any(out):
            self._left = True
        return joined(out)

    def _leave_out(self, refusal: Refusal) -> None:
        if self._left or refusal.causes[0].reason.code != Code.PIXELS_AT_RISK:
            raise refusal
        self.gone = refusal


def joined(pieces: list[bytes]) -> list[bytes]:
    """Return pieces with small ones joined, since each costs a write: a header comes in some thirty."""
    out: list[bytes] = []
    few: list[bytes] = []
    for piece in pieces:
        if len(piece) < _SMALL:
            few.append(piece)
            continue
        if few:
            out.append(b"".join(few))
            few = []
        out.append(piece)
    if few:
        out.append(b"".join(few))
    return [piece for piece in out if piece]


async def alone(view: View, values: Values, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield one instance. Raises Refusal `pixels-at-risk`, `deid-unreadable`."""
    instance = _Instance(view, values)
    async for chunk in body:
        for piece in await instance.feed(chunk):
            yield piece
    for piece in await instance.finish():
        yield piece
    if instance.gone is not None:
        raise instance.gone


async def several(
    view: View, values: Values, body: AsyncIterator[bytes], boundary: str, writer: Writer, *, one: bool
) -> AsyncIterator[bytes]:
    """Yield a multipart body of instances. `one` says that a single one was asked for, which is refused in words.

    Raises Refusal `pixels-at-risk`, `study-not-visible` when nothing of it is in the view, `deid-unreadable`, UpstreamBroken.
    """
    parser = Parser(boundary, max_parts=RETRIEVED_PARTS, fault=UpstreamBroken)
    instance: _Instance | None = None
    last: Refusal | None = None
    fields: list[tuple[str, str]] = []
    pieces: list[bytes] = []
    opening, any_left = b"", False
    async for chunk in body:
        for event in parser.feed(chunk):
            if isinstance(event, PartBegin):
                instance, fields = _Instance(view, values), _fields(event.headers)
                opening, pieces = b"", []
            elif instance is None:
                continue
            elif isinstance(event, PartData):
                pieces = await instance.feed(event.data)
            else:
                pieces = await instance.finish()
                last, instance = instance.gone or last, None
            for piece in pieces:
                if not opening:  # with its first byte, so that of what is left out nothing is seen
                    opening, any_left = writer.part(fields), True
                    yield opening + piece if len(piece) < _SMALL else opening
                    if len(piece) < _SMALL:
                        continue
                yield piece
    parser.finish()
    if not any_left:
        raise last if one and last is not None else refuse(Code.STUDY_NOT_VISIBLE, "nothing of it is in the view")
    yield writer.end()


async def kept(view: View, made: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what was made, none of it before what it shows is written down. Raises what `made` and View.keep raise.

    The first bytes leave at once. Later on several instances wait for one another, so that they are written down together.
    """
    begun, held, size = False, list[bytes](), 0
    async for piece in made:
        if begun and not held and not view.owes:
            yield piece
            continue
        held.append(piece)
        size += len(piece)
        if not begun or size >= DEID_AHEAD_BYTES:
            await view.keep()
            begun, ready, held, size = True, held, [], 0
            for one in ready:
                yield one
    await view.keep()
    for one in held:
        yield one


def _fields(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the header of a part: its type, with the transfer syntax where the archive names it."""
    kind = parse_content_type(headers.get("content-type", ""), UpstreamBroken)
    syntax = kind.parameters.get("transfer-syntax", "")
    return [("Content-Type", f"{DICOM}; transfer-syntax={syntax}" if is_uid(syntax) else DICOM)]
