"""`deidentify`: the archive as a project's pseudonymous view (PS3.15 annex E), made while each reply streams."""

from typing import ClassVar

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

    def fits(self, match: RouteMatch) -> bool:
        """Everything is either shown as the view shows it or refused in words (`admit`)."""
        return bool(match.route.transaction)

    def admit(self, occasion: Occasion) -> None:
        """Refuse what no view has. Raises Refusal `view-read-only`, `view-refused`."""
        match = occasion.match
        if match.route.judged == "file":
            return  # a viewer's own files, which hold no patient data
        if match.action.name not in _READS:
            raise refuse(Code.VIEW_READ_ONLY)
        raise refuse(Code.VIEW_REFUSED, match.route.transaction, what=match.route.says)

    def describe(self) -> str:
        """Return the sentence."""
        return "Everything is shown under the pseudonyms of a research project."
