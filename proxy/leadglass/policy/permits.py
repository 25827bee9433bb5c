"""The one place where permits are made (law 6). An architecture test fails when any other constructs one."""

from leadglass.model.decision import Decision
from leadglass.model.permit import Permit
from leadglass.model.question import Question


def permit(question: Question, decision: Decision) -> Permit:
    """Return leave to ask the upstream for what `question` names. Raises the decision's Refusal when it is a no."""
    if not decision.allow:
        raise decision.refusal()
    return Permit(decision, question)
