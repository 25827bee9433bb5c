"""`deidentify`: the archive as a project's pseudonymous view (PS3.15 annex E), made while each reply streams.

What a transaction is treated by is said in one table. What is not in it is refused in words.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import ClassVar, Final, Literal, TypeAlias, cast

from pydantic import Field

from leadglass.codec.multipart import Writer, parse_content_type
from leadglass.codec.routes import RouteMatch
from leadglass.codec.routes.spelling import handle
from leadglass.deid.instance import Header
from leadglass.deid.risk import Region
from leadglass.deid.searching import Matching
from leadglass.model.decision import DEIDENTIFY
from leadglass.model.errors import Cut, UpstreamBroken, refuse
from leadglass.model.facts import Study
from leadglass.model.reasons import Code
from leadglass.obligations import viewframes, viewparts, viewrows
from leadglass.obligations.masked import masked, uncropped, wanted
from leadglass.obligations.occasion import Content, Occasion
from leadglass.obligations.treatment import PageRow, Params, Treatment, Verdict
from leadglass.obligations.view import PIXELS, View

_READS: Final = frozenset({"search", "retrieve", "render"})
_Way: TypeAlias = Literal["rows", "parts", "metadata", "frames", "bulk", "picture"]
_WAYS: Final[Mapping[str, _Way]] = {
    **dict.fromkeys(
        (f"qido-rs.{name}" for name in ("studies", "series", "instances", "study-series", "study-instances", "series-instances")),
        "rows",
    ),
    **dict.fromkeys(("wado-rs.study", "wado-rs.series", "wado-rs.instance", "wado-uri.object"), "parts"),
    **dict.fromkeys((f"wado-rs.{level}-metadata" for level in ("study", "series", "instance")), "metadata"),
    **dict.fromkeys(
        (f"wado-rs.{level}-{kind}" for level in ("study", "series", "instance", "frames") for kind in ("rendered", "thumbnail")),
        "picture",
    ),
    "wado-uri.rendered": "picture",
    "wado-rs.frames": "frames",
    "wado-rs.bulkdata": "bulk",
}  # fmt: skip
_PICTURES: Final = frozenset({"image/jpeg", "image/png"})
_JSON: Final = parse_content_type("application/dicom+json")


class DeidentifyParams(Params):
    """Parameters of `deidentify`."""

    project: str = Field(min_length=1, max_length=32, description="Project whose pseudonyms are shown.")
    profile: str | None = Field(
        default=None, min_length=1, max_length=32, description="Profile in place of the project's own."
    )


class Deidentify(Treatment):
    """Shows the archive under the pseudonyms of a project."""

    name: ClassVar[str] = DEIDENTIFY
    schema: ClassVar[type[Params]] = DeidentifyParams
    changes: ClassVar[bool] = True
    guards: ClassVar[bool] = True

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._of = cast("DeidentifyParams", params)  # as the plan makes it
        self._view: View | None = None
        self._matching: Matching | None = None
        self._header: Header | None = None
        self._regions: tuple[Region, ...] = ()

    def fits(self, match: RouteMatch) -> bool:
        """Everything is either shown as the view shows it or refused in words (`admit`)."""
        return bool(match.route.transaction)

    def admit(self, occasion: Occasion) -> None:
        """Refuse what no view has, and open the view.

        Raises Refusal `view-read-only`, `view-refused`, `not-acceptable`, `project-unknown`, `project-closed`,
        `profile-unknown`, and `study-not-visible` for an address that is not spelt as the view spells it.
        """
        match = occasion.match
        if match.route.judged == "file":
            return  # a viewer's own files, which hold no patient data
        if match.action.name not in _READS:
            raise refuse(Code.VIEW_READ_ONLY)
        way = _WAYS.get(match.route.transaction)
        if way is None:
            raise refuse(Code.VIEW_REFUSED, match.route.transaction, what=match.route.says)
        if "annotation=" in match.ask.query:
            raise refuse(Code.VIEW_REFUSED, "annotation", what="pictures with text written into them")
        if way == "bulk" and handle(occasion.asked or match) is None:
            raise refuse(Code.VIEW_REFUSED, "no handle", what="bulk data but by the addresses in its metadata")
        if way == "picture" and match.ask.accept.partition(";")[0] not in _PICTURES:
            raise refuse(Code.NOT_ACCEPTABLE, "a view renders JPEG and PNG")
        self._view = View.of(occasion, self._of.project, self._of.profile)
        self._view.check_spelling()
        search = (occasion.asked or match).search
        self._matching = None if search is None else Matching.of(search, self._view.lens.rules)

    async def ask(self, match: RouteMatch, occasion: Occasion) -> RouteMatch:
        """Return what the archive is asked for. Raises Refusal `pixels-at-risk`, `query-refused`."""
        view = self._view
        if view is None:
            return match
        way = _WAYS[match.route.transaction]
        if match.search is not None and self._matching is not None:
            inside = match.resource.study_uid is not None
            search = await self._matching.asked(
                match.search, view.lens.rules, view.shift_days, view.original, inside=inside
            )
            # What rows are matched by, the client asked for by its keys (PS3.18 section 10.6.3.3), so it stays in them.
            more = tuple(tag for tag in search.added if tag not in match.search.added)
            search = replace(search, include=(*search.include, *more), added=match.search.added)
            return match._replace(search=search, ask=match.ask._replace(query=search.text))
        if way in {"frames", "bulk", "picture"}:
            await self._look(view, occasion, way)
        return uncropped(match) if way == "picture" and self._regions else match

    async def _look(self, view: View, occasion: Occasion, way: _Way) -> None:
        """Make sure that the picture asked for is in the view. Raises Refusal."""
        resource = occasion.match.resource
        study, series, instance = resource.study_uid or "", resource.series_uid, resource.instance_uid
        if way == "bulk" and not view.shows_bulk(resource.attribute or ""):
            raise refuse(Code.STUDY_NOT_VISIBLE, "a handle of what this profile does not show, though one did")
        if instance is not None and series is not None:
            header = (await view.pictures.of_series(study, series)).get(instance)
            if header is None:
                raise refuse(Code.STUDY_NOT_VISIBLE, "not an instance of this series")
            judgement = view.lens.pixels.judge(header)
            if way == "bulk" and resource.attribute not in PIXELS:
                return
            if judgement.verdict == "mask" and way == "bulk":
                raise refuse(Code.VIEW_REFUSED, "masked", what="these pixels but by their frames")
            self._header, self._regions = header, judgement.regions
            return
        each = {series: await view.pictures.of_series(study, series)} if series else await view.pictures.of_study(study)
        for headers in each.values():
            for header in headers.values():
                if view.lens.pixels.judge(header).verdict == "mask":
                    raise refuse(Code.VIEW_REFUSED, "masked", what="this but by single instances")

    async def rows(self, rows: list[PageRow], verdict: Verdict, occasion: Occasion) -> list[PageRow]:
        """Return rows as the view shows them; what is only listed is not in it."""
        if self._view is None or self._matching is None:
            raise refuse(Code.INTERNAL_FAULT, "rows outside of a view")
        seen = [item for item in rows if verdict.of(item.study_uid) == "shown"]
        kept = await viewrows.shown(self._view, seen, occasion.match.resource.type)
        return [item for item in kept if self._matching.holds(item.row)]

    async def content(self, content: Content, occasion: Occasion) -> Content:
        """Return the body of a reply as the view shows it, its first bytes made already: what they say no to is said in words."""
        view, match = self._view, occasion.match
        if view is None:
            raise refuse(Code.INTERNAL_FAULT, "a reply outside of a view")
        way = _WAYS[match.route.transaction]
        if way == "picture" and self._header is not None and self._regions:
            return await masked(content, self._header, self._regions, wanted(match))
        if way == "picture":
            return await viewframes.rendered(content)
        if way in {"frames", "bulk"}:
            # As codec.accept wrote it: the last parameter, a UID or a star, unquoted.
            asked = match.ask.accept.partition("; transfer-syntax=")[2]
            made = viewframes.frames(content, self._header, self._regions, asked, whole=way == "bulk")
        else:
            made = await self._attributes(view, content, occasion, way)
        return Content(made.kind, await _begun(made.body))

    async def _attributes(self, view: View, content: Content, occasion: Occasion, way: _Way) -> Content:
        resource = occasion.match.resource
        study: Study | None = occasion.study(resource.study_uid)
        if study is None:
            raise refuse(Code.STUDY_NOT_VISIBLE, "no study was judged")
        if way == "metadata":
            return Content(_JSON, viewrows.metadata(view, content.body, resource, study))
        values = view.values(study, (await view.pictures.people([study.study_uid]))[study.study_uid])
        boundary = content.kind.boundary
        if boundary is None:
            made = viewparts.kept(view, viewparts.alone(view, values, content.body))
            return Content(parse_content_type(viewparts.DICOM), made)
        writer, one = Writer(viewparts.DICOM), resource.instance_uid is not None
        body = viewparts.kept(view, viewparts.several(view, values, content.body, boundary, writer, one=one))
        return Content(parse_content_type(writer.content_type), body)

    def describe(self) -> str:
        """Return the sentence."""
        return "Everything is shown under the pseudonyms of a research project."


async def _begun(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Make the first piece of a body, and return all of it. Raises Refusal, also for what would be cut later on."""
    try:
        first = await anext(body, b"")
    except (Cut, UpstreamBroken) as broken:
        raise refuse(Code.UPSTREAM_INVALID, f"{broken}: {getattr(broken, 'detail', '')}") from None

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in body:
            yield piece

    return whole()
