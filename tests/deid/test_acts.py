import pytest

from leadglass.deid.acts import Act, act_of, leaves_more
from leadglass.deid.table import Action


@pytest.mark.parametrize(
    ("action", "vr", "strongest", "moment", "act"),
    [
        ("X", "LO", "X", False, Act.REMOVE),
        ("Z", "SQ", "Z", False, Act.EMPTY),
        ("D", "DA", "D", True, Act.DUMMY),
        ("K", "OB", "X", False, Act.KEEP),
        ("U", "UI", "U", False, Act.UID),
        ("U", "SQ", "U", False, Act.KEEP),
        ("C", "LO", "X", False, Act.CLEAN),
        ("C", "SQ", "D", False, Act.CLEAN),
        ("C", "DT", "X", True, Act.SHIFT),
        ("C", "SH", "X", True, Act.SHIFT),
        ("C", "OB", "D", True, Act.DUMMY),
        ("C", "OB", "X", False, Act.REMOVE),
        ("C", "AE", "D", False, Act.DUMMY),
    ],
)
def test_an_action_is_made_exact_for_its_value_representation(
    action: Action, vr: str, strongest: Action, *, moment: bool, act: Act
) -> None:
    assert act_of(action, vr, strongest, moment=moment) is act


def test_acts_are_ordered_by_what_they_leave() -> None:
    assert leaves_more(Act.KEEP, Act.CLEAN)
    assert leaves_more(Act.CLEAN, Act.UID)
    assert leaves_more(Act.IDENTIFIER, Act.REMOVE)
    assert not leaves_more(Act.DUMMY, Act.REMOVE)
    assert not leaves_more(Act.REMOVE, Act.KEEP)
