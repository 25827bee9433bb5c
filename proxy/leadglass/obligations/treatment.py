"""What every obligation module provides: parameters with a schema, `apply()` and a sentence."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from leadglass.codec.dicomjson import Row
from leadglass.codec.routes import RouteMatch

Visibility: TypeAlias = Literal["shown", "listed", "hidden"]


@dataclass(frozen=True, slots=True)
class PageRow:
    """One row of a search reply and the study it says it belongs to."""

    study_uid: str
    row: Row


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
    """Base of the obligations. One object is one obligation of one decision."""

    name: ClassVar[str]
    schema: ClassVar[type[Params]]

    def __init__(self, params: Params) -> None:
        self.params = params

    @abstractmethod
    def fits(self, match: RouteMatch) -> bool:
        """Whether the reply to this request can be given this treatment."""

    @abstractmethod
    def apply(self, rows: list[PageRow], verdict: Verdict, match: RouteMatch) -> list[PageRow]:
        """Return the rows of a judged page as they may leave."""

    @abstractmethod
    def describe(self) -> str:
        """Return one sentence for the person who reads the decision."""
