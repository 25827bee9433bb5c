"""The plan: what a decision obliges the gateway to do with a reply, and the only maker of `Sealed` (law 6).

Header fields of the archive pass by allow-list: its Content-Type, when the route row knows it, gzip of JSON, and links
that were led through the gateway. Nothing else of what the archive says about a reply reaches the client.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from leadglass.codec.accept import JSON
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
from leadglass.obligations.filter_rows import FilterRows, NoParams
from leadglass.obligations.led import LedReply, inflated, led
from leadglass.obligations.log import Log
from leadglass.obligations.outlive_token import OutliveToken
from leadglass.obligations.page import JSON_TYPES, Page, write_page
from leadglass.obligations.part_guard import GuardedReply, PartGuard
from leadglass.obligations.treatment import PageRow, Treatment, Verdict, Visibility

TREATMENTS: Final[Mapping[str, type[Treatment]]] = {kind.name: kind for kind in (FilterRows, Log, OutliveToken)}
"""Every obligation that can be met; a decision that asks for another is refused."""

_FILTER: Final = FilterRows(NoParams())
_NOTHING: Final[tuple[Treatment, ...]] = ()
_NO_CONTENT: Final = 204
_DICOM: Final = "application/dicom"
_JSON_FIELD: Final = (b"Content-Type", JSON.encode())
_GZIP_FIELD: Final = (b"Content-Encoding", b"gzip")


def _invalid(detail: str) -> Refusal:
    return refuse(Code.UPSTREAM_INVALID, detail)


def _treatment(obligation: Obligation, match: RouteMatch) -> Treatment:
    kind = TREATMENTS.get(obligation.type)
    if kind is None:
        raise refuse(Code.OBLIGATION_UNKNOWN, f"no obligation is called {obligation.type[:64]!r}")
    try:
        treatment = kind(kind.schema.model_validate(dict(obligation.params)))
    except ValidationError as error:
        raise refuse(
            Code.OBLIGATION_UNKNOWN, f"{error.error_count()} wrong parameters of the obligation {kind.name}"
        ) from None
    if not treatment.fits(match):
        raise refuse(Code.OBLIGATION_UNKNOWN, f"{kind.name} cannot be applied to {match.route.transaction}")
    return treatment


class Plan:
    """What one decision asks to be done with the reply to one request."""

    __slots__ = ("_decision", "_match", "_treatments")

    def __init__(self, decision: Decision, match: RouteMatch, treatments: tuple[Treatment, ...]) -> None:
        self._decision, self._match, self._treatments = decision, match, treatments

    @classmethod
    def of(cls, decision: Decision, match: RouteMatch) -> "Plan":
        """Make the plan of an allowing decision. Raises Refusal: `obligation-unknown`, or what the decision denies."""
        if not decision.allow:
            raise decision.refusal()
        if not decision.obligations:
            return cls(decision, match, _NOTHING)
        return cls(decision, match, tuple(_treatment(item, match) for item in decision.obligations))

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
        route, links = self._match.route, reply.links
        if route.judged == "rows":
            raise _invalid("search results leave row by row")
        fields = () if links is None else led_fields(reply.headers, links)
        if reply.status == _NO_CONTENT or reply.length == 0 or not route.media:
            # Where the row offers no media type, a body would be something that nobody asked for.
            reply.abort()
            return Sealed(reply.status, fields, b"", 0)
        kind = parse_content_type(reply.headers.get("content-type", ""), _invalid)
        name = kind.media if kind.media in route.offers.known else _canonical(kind)
        if name not in route.offers.known:
            raise _invalid("the archive answered in a media type that this transaction does not have")
        coding = reply.headers.get("content-encoding", "identity").lower()
        fields = (_JSON_FIELD if name == JSON else (b"Content-Type", _text(kind).encode("ascii")), *fields)
        packed = coding == "gzip" and kind.media in JSON_TYPES
        if coding != "identity" and not packed:
            raise _invalid("the archive answered in a coding that was not asked for")
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

    def seal_file(self, file: FileReply) -> Sealed:
        """Seal what a static mount answers. Raises Refusal for a plan that is about the archive."""
        if self._match.ask.service != "static":
            raise refuse(Code.INTERNAL_FAULT, "not a file")
        return Sealed(file.status, file.headers, file.body, file.length, own=True)

    async def seal_rows(
        self, page: Page, judged: Sequence[str], *, gzip: bool = False, patients: Mapping[str, str] | None = None
    ) -> Sealed:
        """Seal a search reply. `judged` are the studies in the order of the question that the decision answers.

        A study of the page that is not among them is hidden. `patients` maps studies to patient ids for the record.
        The reply is 200 with a list in every case, so that an empty page tells nothing of hidden rows.
        """
        if self._match.route.judged != "rows":
            raise _invalid("not a search")
        verdict = Verdict(self._visibility(judged))
        rows = list(page.rows)
        for treatment in (_FILTER, *self._treatments):
            rows = treatment.apply(rows, verdict, self._match)
        body, compressed = await write_page(rows, page.links, compress=gzip)
        known = patients or {}
        disclosed = {
            item.study_uid: known.get(item.study_uid, "") for item in rows if verdict.of(item.study_uid) == "shown"
        }
        fields = (_JSON_FIELD, _GZIP_FIELD) if compressed else (_JSON_FIELD,)
        return Sealed(200, fields, body, len(body), disclosed)

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
        body, compressed = await write_page([PageRow("", item.row) for item in shown], links, compress=gzip)
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


def _text(kind: ContentType) -> str:
    """Return the Content-Type for the client: its parameters, each quoted where it must be."""
    parameters = "".join(f'; {name}="{value}"' for name, value in kind.parameters.items())
    text = kind.media + parameters
    if not text.isascii():
        raise _invalid("the archive named a media type beyond ASCII")
    return text
