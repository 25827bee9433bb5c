"""The plan: what a decision obliges the gateway to do with a reply, and the only maker of `Sealed` (law 6).

Header fields of the archive pass by allow-list: its Content-Type, when the route row knows it, gzip of JSON, and links
that were led through the gateway. Nothing else of what the archive says about a reply reaches the client.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from leadglass.codec.accept import JSON
from leadglass.codec.dicomjson import cut
from leadglass.codec.links.fields import led_fields
from leadglass.codec.links.partlinks import leading
from leadglass.codec.multipart import ContentType, parse_content_type
from leadglass.codec.routes import RouteMatch
from leadglass.codec.workitem import Workitem
from leadglass.model.decision import Decision, Obligation
from leadglass.model.errors import Refusal, refuse
from leadglass.model.permit import FileReply, Sealed
from leadglass.model.ports import Links, UpstreamReply
from leadglass.model.reasons import Code
from leadglass.obligations.deidentify import Deidentify
from leadglass.obligations.filter_rows import FilterRows, NoParams
from leadglass.obligations.hide_attributes import HideAttributes
from leadglass.obligations.led import LedReply, inflated, led, whole
from leadglass.obligations.log import Log
from leadglass.obligations.narrow_search import NarrowSearch
from leadglass.obligations.occasion import Content, Occasion
from leadglass.obligations.outlive_token import OutliveToken
from leadglass.obligations.page import JSON_TYPES, Page, write_page
from leadglass.obligations.part_guard import GuardedReply, PartGuard
from leadglass.obligations.render_only import RenderOnly
from leadglass.obligations.treatment import PageRow, Treatment, Verdict, Visibility
from leadglass.obligations.watermark import Watermark

TREATMENTS: Final[Mapping[str, type[Treatment]]] = {
    kind.name: kind
    for kind in (
        Deidentify,
        FilterRows,
        HideAttributes,
        Log,
        NarrowSearch,
        OutliveToken,
        RenderOnly,
        Watermark,
    )
}
"""Every obligation that can be met; a decision that asks for another is refused."""

_FILTER: Final = FilterRows(NoParams())
_NOTHING: Final[tuple[Treatment, ...]] = ()
_NO_CONTENT: Final = 204
_DICOM: Final = "application/dicom"
_JSON_FIELD: Final = (b"Content-Type", JSON.encode())
_GZIP_FIELD: Final = (b"Content-Encoding", b"gzip")


def _invalid(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_INVALID, detail)


def _treatment(obligation: Obligation, occasion: Occasion) -> Treatment:
    kind = TREATMENTS.get(obligation.type)
    if kind is None:
        raise refuse(Code.OBLIGATION_UNKNOWN, f"no obligation is called {obligation.type[:64]!r}")
    try:
        treatment = kind(kind.schema.model_validate(dict(obligation.params)))
    except ValidationError as error:
        raise refuse(
            Code.OBLIGATION_UNKNOWN, f"{error.error_count()} wrong parameters of the obligation {kind.name}"
        ) from None
    if not treatment.fits(occasion.match):
        raise refuse(Code.OBLIGATION_UNKNOWN, f"{kind.name} cannot be applied to {occasion.match.route.transaction}")
    treatment.admit(occasion)
    return treatment


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows of a page that went through a plan, in their order, and the patients of the studies shown. Made by plans alone."""

    rows: tuple[PageRow, ...]
    patients: Mapping[str, str]
    links: Links | None = None

    def part(self, start: int, end: int) -> "Shown":
        """Return the rows from one index to another; what lies before the first or after the last is none."""
        return replace(self, rows=self.rows[max(0, start) : max(0, end)])


class Plan:
    """What one decision asks to be done with the reply to one request."""

    __slots__ = ("_changing", "_decision", "_match", "_occasion", "_treatments")

    def __init__(
        self, decision: Decision, match: RouteMatch, treatments: tuple[Treatment, ...], occasion: Occasion | None
    ) -> None:
        self._decision, self._match, self._treatments = decision, match, treatments
        self._occasion = occasion
        self._changing = tuple(one for one in treatments if one.changes) if treatments else _NOTHING

    @classmethod
    def of(cls, decision: Decision, match: RouteMatch, occasion: Callable[[], Occasion] | None = None) -> "Plan":
        """Make the plan of an allowing decision. `occasion` gives what its treatments see of the request.

        Raises Refusal: `obligation-unknown`, what the decision denies, or what a treatment leaves no room for.
        """
        if not decision.allow:
            raise decision.refusal()
        if not decision.obligations:
            return cls(decision, match, _NOTHING, None)
        seen = Occasion(match) if occasion is None else occasion()
        return cls(decision, match, tuple(_treatment(item, seen) for item in decision.obligations), seen)

    @property
    def changes(self) -> bool:
        """Whether a relayed reply leaves otherwise than it came (`treat`); if not, it is sealed as it is (`seal`)."""
        return bool(self._changing)

    async def ask(self) -> RouteMatch:
        """Return what the archive is to be asked for. Raises Refusal."""
        match = self._match
        if self._occasion is not None:
            for treatment in self._treatments:
                match = await treatment.ask(match, self._occasion)
        return match

    def describe(self) -> tuple[str, ...]:
        """Return a sentence for each obligation."""
        return tuple(treatment.describe() for treatment in self._treatments)

    def seal(self, reply: UpstreamReply, *, gzip: bool = False) -> Sealed:
        """Seal a reply that is relayed as it comes. `gzip` says that the client takes it.

        Raises Refusal `upstream-invalid` when the archive answers in a form that was not asked for.
        """
        try:
            return self._seal(reply, gzip=gzip)
        except Exception:  # whatever it was, the archive's connection must not stay taken
            reply.abort()
            raise

    def _seal(self, reply: UpstreamReply, *, gzip: bool) -> Sealed:
        if self._match.route.judged == "rows" or self._changing:
            raise _invalid("what is judged row by row, or changed on its way, does not leave as it is")
        links = reply.links
        fields = () if links is None else led_fields(reply.headers, links)
        if self._bodiless(reply):
            reply.abort()
            return Sealed(reply.status, fields, b"", 0)
        kind, name, packed = self._form(reply)
        fields = (_typed(kind, name), *fields)
        body = GuardedReply(reply, PartGuard(self._match.resource, kind.boundary)) if name in _GUARDED else reply
        if packed and gzip:
            fields = (*fields, _GZIP_FIELD)
        if links is not None and (leads := leading(kind, links)) is not None:
            if packed:
                return Sealed(reply.status, fields, led(body, leads, packed=True, pack=gzip))
            return Sealed(reply.status, fields, LedReply(body, leads))
        if packed and not gzip:
            return Sealed(reply.status, fields, inflated(reply))
        return Sealed(reply.status, fields, body, reply.length)

    async def treat(self, reply: UpstreamReply, *, gzip: bool = False) -> Sealed:
        """Seal a reply that treatments change on its way. `gzip` says that the client takes it.

        Of the archive's header fields none leaves. Raises Refusal: `upstream-invalid`, and what the treatments raise.
        """
        try:
            return await self._treat(reply, gzip=gzip)
        except BaseException:  # as above
            reply.abort()
            raise

    async def _treat(self, reply: UpstreamReply, *, gzip: bool) -> Sealed:
        if self._match.route.judged == "rows" or self._occasion is None:
            raise _invalid("search results leave row by row")
        if self._bodiless(reply):
            reply.abort()
            return Sealed(reply.status, (), b"", 0)
        kind, name, packed = self._form(reply)
        guarded = name in _GUARDED and not any(treatment.guards for treatment in self._changing)
        body = GuardedReply(reply, PartGuard(self._match.resource, kind.boundary)) if guarded else reply
        content = Content(kind, inflated(reply) if packed else body.chunks())
        for treatment in self._changing:
            content = await treatment.content(content, self._occasion)
        pack = gzip and content.kind.media in JSON_TYPES
        fields = (_typed(content.kind, _canonical(content.kind)), *((_GZIP_FIELD,) if pack else ()))
        return Sealed(reply.status, fields, whole(reply, content.body, pack=pack))

    def _bodiless(self, reply: UpstreamReply) -> bool:
        # Where the row offers no media type, a body would be something that nobody asked for.
        return reply.status == _NO_CONTENT or reply.length == 0 or not self._match.route.media

    def _form(self, reply: UpstreamReply) -> tuple[ContentType, str, bool]:
        """Return in which type the archive answers, its name in route rows, and whether it is gzip. Raises Refusal."""
        known = self._match.route.offers.known
        kind = parse_content_type(reply.headers.get("content-type", ""), _invalid)
        name = kind.media if kind.media in known else _canonical(kind)
        if name not in known:
            raise _invalid("the archive answered in a media type that this transaction does not have")
        coding = reply.headers.get("content-encoding", "identity").lower()
        packed = coding == "gzip" and kind.media in JSON_TYPES
        if coding != "identity" and not packed:
            raise _invalid("the archive answered in a coding that was not asked for")
        return kind, name, packed

    def seal_file(self, file: FileReply) -> Sealed:
        """Seal what a static mount answers. Raises Refusal for a plan that is about the archive."""
        if self._match.ask.service != "static":
            raise refuse(Code.INTERNAL_FAULT, "not a file")
        return Sealed(file.status, file.headers, file.body, file.length, own=True)

    async def show(
        self,
        page: Page,
        judged: Sequence[str],
        patients: Mapping[str, str] | None = None,
        *,
        added: Sequence[str] = (),
    ) -> Shown:
        """Return what of a page of the archive may leave, and how.

        `judged` are the studies in the order of the question that the decision answers; a study of the page that is not
        among them is hidden. `patients` maps studies to patient ids for the record. `added` are tags that were asked for by
        us alone, to judge or to treat by, and leave every row.
        """
        if self._match.route.judged != "rows":
            raise _invalid("not a search")
        verdict = Verdict(self._visibility(judged))
        rows = await self.rows(list(page.rows), verdict)
        known = patients or {}
        seen: dict[str, str] = {}
        for item in rows:
            if verdict.of(item.study_uid) == "shown":
                cut(item.row, added)
                seen[item.study_uid] = known.get(item.study_uid, "")
        return Shown(tuple(rows), seen, page.links)

    @staticmethod
    async def seal_rows(pages: Sequence[Shown], *, gzip: bool = False, warnings: Sequence[str] = ()) -> Sealed:
        """Seal a search reply. It is 200 with a list in every case, so that an empty one tells nothing of hidden rows."""
        rows = [item for page in pages for item in page.rows]
        links = next((page.links for page in pages if page.links is not None), None)
        body, compressed = await write_page(rows, links, compress=gzip)
        known = {uid: patient for page in pages for uid, patient in page.patients.items()}
        disclosed = {item.study_uid: known[item.study_uid] for item in rows if item.study_uid in known}
        fields = (_JSON_FIELD, _GZIP_FIELD) if compressed else (_JSON_FIELD,)
        said = tuple((b"Warning", warning.encode("ascii")) for warning in warnings)
        return Sealed(200, (*fields, *said), body, len(body), disclosed)

    async def rows(self, rows: list[PageRow], verdict: Verdict) -> list[PageRow]:
        """Return of rows what may leave, as it may leave: the one way that rows take through all treatments. Raises Refusal."""
        kept = _FILTER.apply(rows, verdict, self._match)
        if self._occasion is not None:
            for treatment in self._treatments:
                kept = await treatment.rows(kept, verdict, self._occasion)
        return kept

    async def seal_workitems(
        self, items: Sequence[Workitem], patients: Mapping[str, str], links: Links | None, *, gzip: bool = False
    ) -> Sealed:
        """Seal workitems: those of whose studies each was judged and none is denied, and never a hint of the others.

        `patients` maps the studies of the question, in its order, to patient ids for the record.
        """
        seen = self._visibility(tuple(patients))
        shown = [item for item in items if item.studies and all(seen.get(uid) == "shown" for uid in item.studies)]
        if self._match.search is None:  # one by itself, which may name none where policy said so
            shown = list(items) if not self._decision.rows else shown
        body, compressed = await write_page(
            [PageRow("", item.row, at) for at, item in enumerate(shown)], links, compress=gzip
        )
        fields = (_JSON_FIELD, _GZIP_FIELD) if compressed else (_JSON_FIELD,)
        disclosed = {uid: patients.get(uid, "") for item in shown for uid in item.studies}
        return Sealed(200, fields, body, len(body), disclosed)

    def _visibility(self, judged: Sequence[str]) -> dict[str, Visibility]:
        """Every judged study is shown, but for the rows that the decision denies."""
        seen: dict[str, Visibility] = dict.fromkeys(judged, "shown")
        for denial in self._decision.rows:
            if not 0 <= denial.row < len(judged):
                raise refuse(Code.DECISION_UNDEFINED, "a denial of a row that was not in the question")
            listed = self._decision.visibility.get(denial.row) == "listed"
            seen[judged[denial.row]] = "listed" if listed else "hidden"
        return seen


_GUARDED: Final = frozenset({_DICOM, f'multipart/related; type="{_DICOM}"'})


def _canonical(kind: ContentType) -> str:
    """Return the type as route rows write it. Orthanc adds parameters to the inner type of its frames."""
    if kind.media == "multipart/related":
        inner = kind.parameters.get("type", "").partition(";")[0].strip().lower()
        return f'multipart/related; type="{inner}"'
    return JSON if kind.media in JSON_TYPES else kind.media


def _typed(kind: ContentType, name: str) -> tuple[bytes, bytes]:
    return _JSON_FIELD if name == JSON else (b"Content-Type", _text(kind).encode("ascii"))


def _text(kind: ContentType) -> str:
    """Return the Content-Type for the client: its parameters, each quoted where it must be."""
    parameters = "".join(f'; {name}="{value}"' for name, value in kind.parameters.items())
    text = kind.media + parameters
    if not text.isascii():
        raise _invalid("the archive named a media type beyond ASCII")
    return text
