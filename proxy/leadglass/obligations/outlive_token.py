"""`outlive-token`: whatever is running may outlive the token it was asked for with, by so many seconds.

It changes no reply. The registry of what is running looks at it (`Decision.outlives`), and cuts that much later.
"""

from typing import ClassVar

from pydantic import Field

from leadglass.codec.routes import RouteMatch
from leadglass.limits import OUTLIVE_SECONDS_MAX
from leadglass.model.decision import OUTLIVE_TOKEN
from leadglass.obligations.treatment import PageRow, Params, Treatment, Verdict


class OutliveTokenParams(Params):
    """Parameters of `outlive-token`."""

    seconds: int = Field(ge=1, le=OUTLIVE_SECONDS_MAX, description="For how long; of several, the shortest counts.")


class OutliveToken(Treatment):
    """Changes nothing."""

    name: ClassVar[str] = OUTLIVE_TOKEN
    schema: ClassVar[type[Params]] = OutliveTokenParams

    def fits(self, match: RouteMatch) -> bool:
        """Everything that runs can be let run."""
        return bool(match.route.transaction)

    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:  # noqa: ARG002 - the shape of all treatments
        """Return the rows as they are."""
        return rows

    def describe(self) -> str:
        """Return the sentence."""
        return "What is running when the sign-in ends may go on for a while."
