"""`filter-rows`: rows of studies that the policy does not show leave a search reply.

Every search gets it, whether a rule names it or not. A hidden study leaves no trace. A listed one is reduced to its
Study Instance UID and the word "restricted", because a missing prior is a clinical risk; at series and instance level
it is hidden too, since a row without its series would say no more than how many there are.
"""

from dataclasses import replace
from typing import ClassVar, Final

from leadglass.codec.dicomjson import Row
from leadglass.codec.query import STUDY_UID
from leadglass.codec.routes import RouteMatch
from leadglass.obligations.treatment import PageRow, Params, Treatment, Verdict

STUDY_DESCRIPTION: Final = "00081030"


class NoParams(Params):
    """`filter-rows` takes no parameters."""


def restricted(study_uid: str) -> Row:
    """Return all that a listed row says."""
    return {
        STUDY_DESCRIPTION: {"vr": "LO", "Value": ["restricted"]},
        STUDY_UID: {"vr": "UI", "Value": [study_uid]},
    }


class FilterRows(Treatment):
    """Keeps the rows of studies that are shown."""

    name: ClassVar[str] = "filter-rows"
    schema: ClassVar[type[Params]] = NoParams

    def fits(self, match: RouteMatch) -> bool:
        """Only searches have rows."""
        return match.route.judged == "rows"

    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:
        """Return the rows that may be seen, in their order."""
        listable = match.resource.type == "study"
        kept: list[PageRow] = []
        for item in rows:
            seen = verdict.of(item.study_uid)
            if seen == "shown":
                kept.append(item)
            elif seen == "listed" and listable:
                kept.append(replace(item, row=restricted(item.study_uid)))
        return kept

    def describe(self) -> str:
        """Return the sentence."""
        return "Studies that you may not see are left out of search results."
