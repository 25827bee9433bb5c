"""`log`: the reply is left as it is; the decision's obligations stand in the record, this one with its note."""

from typing import ClassVar

from pydantic import Field

from leadglass.codec.routes import RouteMatch
from leadglass.obligations.treatment import PageRow, Params, Treatment, Verdict


class LogParams(Params):
    """Parameters of `log`."""

    note: str = Field(default="", max_length=200, description="Text for the record, such as why a rule watches this.")


class Log(Treatment):
    """Changes nothing."""

    name: ClassVar[str] = "log"
    schema: ClassVar[type[Params]] = LogParams

    def fits(self, match: RouteMatch) -> bool:
        """Everything can be recorded, and is."""
        return bool(match.route.transaction)

    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:  # noqa: ARG002 - the shape of all treatments
        """Return the rows as they are."""
        return rows

    def describe(self) -> str:
        """Return the sentence."""
        return "This access is recorded with a note."
