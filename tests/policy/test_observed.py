"""A no that is let through carries the no, and a yes stays what it is."""

import pytest

from leadglass.epochs import Epochs
from leadglass.model.decision import Decision, Obligation, RowDenial
from leadglass.model.errors import Cause, Refusal, refuse
from leadglass.model.reasons import REASONS, Code
from leadglass.policy.decide import Active, Policy
from leadglass.policy.engine import Unavailable
from leadglass.policy.observed import let_through, unjudged
from support.clock import FakeClock
from support.policy import ID, files, question

UNTIL, ENDS = 2_000_000_000.0, 1_900_000_000.0
CAUSE = Cause(REASONS[Code.NOT_GRANTED])
YES = Decision(
    id=ID,
    allow=True,
    valid_until=ENDS,
    revision="r",
    engine="wasm",
    grants=("g",),
    obligations=(Obligation("log"),),
    lease_seconds=5.0,
)


def test_a_yes_is_not_touched() -> None:
    assert let_through(YES, UNTIL) is YES


def test_a_no_goes_through_until_observation_ends_and_is_not_leased() -> None:
    no = Decision(id=ID, allow=False, valid_until=ENDS, revision="r", engine="wasm", causes=(CAUSE,), input=b"{}")
    found = let_through(no, UNTIL)
    assert (found.allow, found.valid_until, found.lease_seconds, found.causes) == (True, UNTIL, 0.0, ())
    assert found.observed is no
    assert found.input == b"{}"


def test_a_no_goes_through_with_what_it_obliges_to() -> None:
    """Who would see a study in a view, and is refused, must not be shown it as it is."""
    view = Obligation("deidentify", {"project": "lung"})
    no = Decision(
        id=ID, allow=False, valid_until=ENDS, revision="r", engine="wasm", causes=(CAUSE,), obligations=(view,)
    )
    assert let_through(no, UNTIL).obligations == (view,)


@pytest.mark.parametrize("until", [UNTIL, ENDS - 1])
def test_rows_go_through_with_what_the_answer_obliges_to(until: float) -> None:
    partly = YES._replace(rows=(RowDenial(0, CAUSE),), visibility={0: "listed"})
    found = let_through(partly, until)
    assert (found.rows, found.visibility, found.obligations) == ((), {}, YES.obligations)
    assert found.valid_until == min(until, ENDS)
    assert found.observed is partly


def test_what_a_stage_refused_is_told_as_that_stage_told_it() -> None:
    found = unjudged(ID, refuse(Code.USER_UNAUTHENTICATED, "no token"), "r", UNTIL)
    assert found.allow
    assert found.observed is not None
    assert not found.observed.allow
    assert found.observed.causes[0].reason.code == Code.USER_UNAUTHENTICATED
    assert found.observed.detail == "no token"


class Down:
    """An engine that is not there."""

    name = "opa"

    async def evaluate(self, _: bytes) -> object:
        raise Unavailable("down")

    async def close(self) -> None:
        return


@pytest.mark.parametrize("observing", [True, False])
async def test_an_engine_that_is_down_lets_through_while_observing(*, observing: bool) -> None:
    clock = FakeClock()
    until = clock.now() + 60 if observing else None
    judge = Policy(Active(files(), Down()), clock, Epochs(), lambda: until)
    found = await judge.decide(question(clock), ID)
    assert found.allow == observing
    if observing:
        assert found.observed is not None
        assert found.observed.causes[0].reason.code == Code.DECISION_UNAVAILABLE
        assert found.valid_until == until, "or it would be judged again and again"
        assert judge.permit(question(clock), found).decision is found


async def test_a_pardon_ends_with_observation() -> None:
    clock, until = FakeClock(), 1.0
    observes: list[float | None] = [until, None]
    judge = Policy(Active(files(), Down()), clock, Epochs(), lambda: observes.pop(0))
    refusal = refuse(Code.USER_UNAUTHENTICATED)
    assert judge.pardon(refusal, ID).allow
    with pytest.raises(Refusal) as told:
        judge.pardon(refusal, ID)
    assert told.value is refusal
