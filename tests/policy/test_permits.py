import pytest

from leadglass.model.decision import Decision
from leadglass.model.errors import Cause, Refusal
from leadglass.model.reasons import REASONS, Code
from leadglass.policy.permits import permit
from support.clock import FakeClock
from support.policy import question


def test_a_yes_gives_leave_for_what_was_asked() -> None:
    asked = question(FakeClock())
    decision = Decision("D", allow=True, valid_until=1.0, revision="r", engine="wasm")
    leave = permit(asked, decision)
    assert (leave.decision, leave.question, leave.resource) == (decision, asked, asked.resource)


def test_a_no_gives_none() -> None:
    causes = (Cause(REASONS[Code.NOT_GRANTED]),)
    decision = Decision("D", allow=False, valid_until=1.0, revision="r", engine="wasm", causes=causes)
    with pytest.raises(Refusal) as refusal:
        permit(question(FakeClock()), decision)
    assert refusal.value.causes == causes
