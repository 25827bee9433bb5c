"""The parameters and the sentence; what it does to what runs: tests/access/test_live.py."""

import pytest

from leadglass.limits import OUTLIVE_SECONDS_MAX
from leadglass.model.decision import Obligation
from leadglass.model.errors import Refusal
from leadglass.obligations.plan import Plan
from support.matches import decided, placed


def outliving(**params: object) -> Obligation:
    return Obligation("outlive-token", params)


def test_it_says_what_it_does() -> None:
    plan = Plan.of(decided(outliving(seconds=900)), placed("/dicom-web/studies/1.2/metadata"))
    assert plan.describe() == ("What is running when the sign-in ends may go on for a while.",)


@pytest.mark.parametrize(
    "params",
    [{}, {"seconds": 0}, {"seconds": "9"}, {"seconds": 9.5}, {"seconds": OUTLIVE_SECONDS_MAX + 1}, {"minutes": 1}],
)
def test_parameters_that_are_none_are_refused(params: dict[str, object]) -> None:
    with pytest.raises(Refusal, match="obligation-unknown"):
        Plan.of(decided(outliving(**params)), placed("/dicom-web/studies/1.2/metadata"))


@pytest.mark.parametrize(
    ("obligations", "seconds"),
    [
        ((), 0),
        ((Obligation("log"),), 0),
        ((outliving(seconds=900),), 900),
        ((outliving(seconds=900), outliving(seconds=60)), 60),
        ((outliving(seconds=900), outliving()), 0),
        ((outliving(seconds=True),), 0),
    ],
)
def test_the_shortest_counts(obligations: tuple[Obligation, ...], seconds: int) -> None:
    assert decided(*obligations).outlives == seconds
