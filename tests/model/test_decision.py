"""A decision and the refusal that a denial amounts to."""

from leadglass.model.decision import Decision, RowDenial
from leadglass.model.errors import Cause, StepUp
from leadglass.model.reasons import REASONS, Code

WHOLE, ROW = Cause(REASONS[Code.NOT_GRANTED]), Cause(REASONS[Code.STUDY_AMBIGUOUS])


def decision(causes: tuple[Cause, ...] = (), rows: tuple[RowDenial, ...] = ()) -> Decision:
    return Decision("01", False, 0.0, "r", "wasm", causes=causes, rows=rows, step_up=StepUp(("mfa",)))  # noqa: FBT003 - a denial


def test_whole_denials_answer_first() -> None:
    assert decision((WHOLE,), (RowDenial(0, ROW),)).refusal().causes == (WHOLE,)


def test_then_those_of_rows() -> None:
    assert decision((), (RowDenial(0, ROW),)).refusal().causes == (ROW,)


def test_a_denial_without_a_reason_is_our_own_fault() -> None:
    assert decision().refusal().causes[0].reason.code == Code.INTERNAL_FAULT


def test_a_step_up_goes_with_it() -> None:
    assert decision((WHOLE,)).refusal().step_up == StepUp(("mfa",))
