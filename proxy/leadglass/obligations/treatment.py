"""What every obligation module provides: parameters with a schema, what it does at each stage, and a sentence.

A stage that an obligation does not name leaves everything as it is:

    admit     before anything is asked: raise what such a request is answered with
    ask       what the archive is asked for
    apply     the rows of a judged page, in one go; `rows` where that takes looking something up
    content   the body of any other reply, as it streams
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from leadglass.codec.dicomjson import Row
from leadglass.codec.routes import RouteMatch
from leadglass.obligations.occasion import Content, Occasion

Visibility: TypeAlias = Literal["shown", "listed", "hidden"]


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row of a search reply, the study it says it belongs to, and where in the reply it stood."""

    study_uid: str
    row: Row
    place: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policy said of the studies of a page. A study that is not named here is hidden."""

    visibility: Mapping[str, Visibility] = field(default_factory=dict)

    def of(self, study_uid: str) -> Visibility:
        """Return how the rows of a study may be shown."""
        return self.visibility.get(study_uid, "hidden")


class Params(BaseModel):
    """Base of an obligation's parameters: unknown ones are refused, because they might have been the point."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Treatment(ABC):
    """Base of the obligations. One object is one obligation of one decision.

    `changes` says that it changes bytes of replies that are relayed: `content` is then called for each of them. `guards`
    says that it makes sure itself that instances are those asked for, as it reads them anyway.
    """

    name: ClassVar[str]
    schema: ClassVar[type[Params]]
    changes: ClassVar[bool] = False
    guards: ClassVar[bool] = False

    def __init__(self, params: Params) -> None:
        self.params = params

    @abstractmethod
    def fits(self, match: RouteMatch) -> bool:
        """Whether the reply to this request can be given this treatment."""

    @abstractmethod
    def describe(self) -> str:
        """Return one sentence for the person who reads the decision."""

    def admit(self, occasion: Occasion) -> None:  # noqa: B027 - most leave room for everything that fits
        """Raise the Refusal that a request is answered with which this treatment leaves no room for."""

    async def ask(self, match: RouteMatch, occasion: Occasion) -> RouteMatch:  # noqa: ARG002 - the shape of all treatments
        """Return what the archive is asked for in place of what the client asked for. Raises Refusal."""
        return match

    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:  # noqa: ARG002 - likewise
        """Return the rows of a judged page as they may leave."""
        return rows

    async def rows(self, rows: list[PageRow], verdict: Verdict, occasion: Occasion) -> list[PageRow]:
        """Return the rows of a judged page as they may leave. Raises Refusal."""
        return self.apply(rows, verdict, occasion.match)

    async def content(self, content: Content, occasion: Occasion) -> Content:  # noqa: ARG002 - likewise
        """Return the body of a relayed reply as it may leave. Raises Refusal; its iterator raises Cut, UpstreamBroken."""
        return content
