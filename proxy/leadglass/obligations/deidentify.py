"""`deidentify`: the archive as a project's pseudonymous view (PS3.15 annex E), made while each reply streams."""

from typing import ClassVar, cast

from pydantic import Field

from leadglass.codec.routes import RouteMatch
from leadglass.model.decision import DEIDENTIFY
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code
from leadglass.obligations.occasion import Occasion
from leadglass.obligations.treatment import Params, Treatment

_READS = frozenset({"search", "retrieve", "render"})


class DeidentifyParams(Params):
    """Parameters of `deidentify`."""

    project: str = Field(min_length=1, max_length=64, description="Project whose pseudonyms are shown.")
    profile: str = Field(min_length=1, max_length=64, description="Profile that says what becomes of each attribute.")


class Deidentify(Treatment):
    """Shows the archive under the pseudonyms of a project."""

    name: ClassVar[str] = DEIDENTIFY
    schema: ClassVar[type[Params]] = DeidentifyParams
    changes: ClassVar[bool] = True

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._params = cast("DeidentifyParams", params)  # as the plan makes it

    def fits(self, match: RouteMatch) -> bool:
        """Everything is either shown as the view shows it or refused in words (`admit`)."""
        return bool(match.route.transaction)

    def admit(self, occasion: Occasion) -> None:
        """Refuse what no view has. Raises Refusal `view-read-only`, `view-refused`, `project-unknown`."""
        match = occasion.match
        if match.route.judged == "file":
            return  # a viewer's own files, which hold no patient data
        if match.action.name not in _READS:
            raise refuse(Code.VIEW_READ_ONLY)
        if self._params.profile not in occasion.means.profiles:
            raise refuse(Code.PROJECT_UNKNOWN, what=f"the profile {self._params.profile}")
        raise refuse(Code.VIEW_REFUSED, match.route.transaction, what=match.route.says)

    def describe(self) -> str:
        """Return the sentence."""
        return "Everything is shown under the pseudonyms of a research project."
