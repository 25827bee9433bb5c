"""`hide-attributes`: attributes that are not shown in search results, and so cannot be searched by.

They are not asked for (`includefield`), leave rows at every depth, and a search by one of them is refused, because the
number of matches would tell what it holds. Fuzzy matching is not asked for either: it looks at names.
"""

from typing import Annotated, ClassVar, cast

from pydantic import AfterValidator, Field

from leadglass.codec.dicomjson import Row, cut
from leadglass.codec.dictionary import KEYWORDS
from leadglass.codec.query import within
from leadglass.codec.routes import RouteMatch
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Occasion
from leadglass.obligations.treatment import PageRow, Params, Treatment, Verdict

_NAMES = frozenset(KEYWORDS[name] for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"))


def _can_be_hidden(tag: str) -> str:
    if tag in _NAMES:
        raise ValueError("a row without its UIDs is none")
    return tag


class HideAttributesParams(Params):
    """Parameters of `hide-attributes`."""

    attributes: list[Annotated[str, Field(pattern=r"^[0-9A-F]{8}$"), AfterValidator(_can_be_hidden)]] = Field(
        min_length=1, max_length=256, description="Tags, but for the UIDs that a row is known by."
    )


class HideAttributes(Treatment):
    """Takes attributes out of searches and their rows."""

    name: ClassVar[str] = "hide-attributes"
    schema: ClassVar[type[Params]] = HideAttributesParams

    @property
    def _hidden(self) -> frozenset[str]:
        return frozenset(cast("HideAttributesParams", self.params).attributes)

    def fits(self, match: RouteMatch) -> bool:
        """Only searches: a retrieved instance is whole, or de-identified."""
        return match.route.judged == "rows"

    async def ask(self, match: RouteMatch, occasion: Occasion) -> RouteMatch:  # noqa: ARG002 - the shape of all treatments
        """Ask for nothing of these. Raises Refusal `search-key-hidden` for a search by one of them."""
        search, hidden = match.search, self._hidden
        if search is None:
            return match
        for path in search.matching:
            if within(path, hidden):
                raise refuse(Code.SEARCH_KEY_HIDDEN, key=path)
        return match._replace(search=search.including(lambda path: not within(path, hidden)).literal())

    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:  # noqa: ARG002 - likewise
        """Take these out of rows."""
        hidden = self._hidden
        for item in rows:
            _hide(item.row, hidden)
        return rows

    def describe(self) -> str:
        """Return the sentence."""
        return "Some attributes are left out of search results, and cannot be searched by."


def _hide(row: Row, tags: frozenset[str]) -> None:
    cut(row, tags)
    for attribute in row.values():
        items = attribute.get("Value") if attribute.get("vr") == "SQ" else None
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                _hide(item, tags)
