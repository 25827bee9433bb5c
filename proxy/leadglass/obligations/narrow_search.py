"""`narrow-search`: the archive is asked for less than the person asked for.

A hint, which decides nothing: every row is judged as ever. Where policy knows beforehand what it would show, the rows that it
would not show are not looked through at all, so that pages fill at once however much is hidden.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, cast

from pydantic import Field

from leadglass.codec.dictionary import KEYWORDS
from leadglass.codec.routes import RouteMatch
from leadglass.limits import STUDIES_JUDGED
from leadglass.obligations.occasion import Occasion
from leadglass.obligations.treatment import Params, Treatment

_IN_STUDY, _OF_SERIES = KEYWORDS["ModalitiesInStudy"], KEYWORDS["Modality"]
Value = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9 ._-]+$")]


class NarrowSearchParams(Params):
    """Parameters of `narrow-search`."""

    keys: Mapping[
        Annotated[str, Field(pattern=r"^[0-9A-F]{8}$")],
        Annotated[list[Value], Field(min_length=1, max_length=STUDIES_JUDGED)],
    ] = Field(
        min_length=1,
        max_length=8,
        description="Tags, each with the values of which a study that is shown must match one. Dates may be ranges.",
    )


class NarrowSearch(Treatment):
    """Adds matching keys to a search."""

    name: ClassVar[str] = "narrow-search"
    schema: ClassVar[type[Params]] = NarrowSearchParams

    def fits(self, match: RouteMatch) -> bool:
        """Only searches have keys."""
        return match.route.judged == "rows"

    async def ask(self, match: RouteMatch, occasion: Occasion) -> RouteMatch:  # noqa: ARG002 - the shape of all treatments
        """Ask by these keys, too, unless the request has them or names its study: that is judged by itself."""
        search = match.search
        if search is None or match.resource.study_uid is not None:
            return match
        for tag, values in sorted(cast("NarrowSearchParams", self.params).keys.items()):
            known = _OF_SERIES if tag == _IN_STUDY and match.resource.type != "study" else tag
            search = search.narrowed(known, tuple(values))
        return match._replace(search=search)

    def describe(self) -> str:
        """Return the sentence."""
        return "The archive is asked only for studies of the kinds that you may see."
