"""What policy answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from leadglass.model.errors import Cause, Refusal, StepUp

OUTLIVE_TOKEN: Final = "outlive-token"  # noqa: S105 - the name of an obligation
DEIDENTIFY: Final = "deidentify"
_HARMLESS: Final = frozenset({OUTLIVE_TOKEN, "log", "filter-rows", "narrow-search"})


@dataclass(frozen=True, slots=True)
class RowDenial:
    """One study (index into the question's `studies`) that must not be shown, and why."""

    row: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Obligation:
    """A treatment that a permitted reply must get: the type names a module of `obligations/`."""

    type: str
    params: Mapping[str, Any] = field(default_factory=dict)


def outlives(obligations: tuple[Obligation, ...]) -> int:
    """Return for how many seconds a token may be outlived: the shortest that is said, none when none is."""
    said = [one.params.get("seconds") for one in obligations if one.type == OUTLIVE_TOKEN]
    return min((seconds if type(seconds) is int else 0 for seconds in said), default=0)


_NONE: Final[Mapping[int, Literal["hidden", "listed"]]] = MappingProxyType({})


class Decision(NamedTuple):
    """One answer of policy.

    `id` is a ULID. `valid_until` is epoch seconds: the earliest end of token, certificate, posture age, grant window
    and lease; a running exchange is decided anew then. `leased_from` is the id of the decision that a lease repeats.
    `observed` is there while the gateway observes, and when it is, this answer goes by nothing else than that.
    """

    id: str
    allow: bool
    valid_until: float
    revision: str
    engine: str
    grants: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    rows: tuple[RowDenial, ...] = ()
    visibility: Mapping[int, Literal["hidden", "listed"]] = _NONE
    obligations: tuple[Obligation, ...] = ()
    lease_seconds: float = 0.0
    step_up: StepUp | None = None
    leased_from: str | None = None
    input: bytes = b""  # the judged input whole, for the record; empty under a lease
    observed: "Decision | None" = None  # the true answer, where this one lets through what that one does not
    detail: str = ""  # of a stage that refused before policy was asked, for the record

    @property
    def outlives(self) -> int:
        """For how many seconds what is running may outlive the token that it was asked for with."""
        return outlives(self.obligations)

    @property
    def view(self) -> str | None:
        """The project as whose pseudonymous view it is shown, None for what is shown as it is."""
        return next((str(one.params.get("project")) for one in self.obligations if one.type == DEIDENTIFY), None)

    @property
    def terms(self) -> tuple[Obligation, ...]:
        """The obligations that may change the bytes of a reply: what runs under some must end when they become others."""
        if not self.obligations:
            return ()
        return tuple(one for one in self.obligations if one.type not in _HARMLESS)

    def refusal(self) -> Refusal:
        """Return the refusal that this denial amounts to: whole denials first, then the rows'."""
        causes = self.causes or tuple(row.cause for row in self.rows)
        return Refusal(*causes, step_up=self.step_up)
