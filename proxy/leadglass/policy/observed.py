"""Answers while the gateway observes: a no becomes a yes that carries the no with it, for the record.

Nothing behind policy has to know: permit, plan and what runs stand on the answer that lets through.
"""

from collections.abc import Callable
from typing import TypeAlias

from leadglass.model.decision import Decision
from leadglass.model.errors import Refusal

Observes: TypeAlias = Callable[[], float | None]
"""Until when refusals are let through (epoch seconds), None while they are carried out."""


def enforcing() -> float | None:
    """Return that refusals are carried out."""
    return None


def let_through(true: Decision, until: float) -> Decision:
    """Return what is done with a true answer until observation ends. What is allowed stays as it is, with its obligations."""
    if true.allow and not true.rows:
        return true
    if true.allow:
        ends = min(true.valid_until, until)
        return true._replace(rows=(), visibility={}, valid_until=ends, lease_seconds=0.0, observed=true)
    return Decision(
        true.id,
        True,  # noqa: FBT003 - as all do
        until,
        true.revision,
        true.engine,
        obligations=true.obligations,  # a view stays one: what is refused in it must not pass as it is
        input=true.input,
        observed=true,
    )


def unjudged(decision_id: str, refusal: Refusal, revision: str, until: float) -> Decision:
    """Return the answer to what an earlier stage refused: policy would never have been asked."""
    true = Decision(decision_id, False, until, revision, "", causes=refusal.causes, detail=refusal.detail)  # noqa: FBT003 - likewise
    return let_through(true, until)
