from leadglass.model.codes import Code
from leadglass.model.reasons import REASONS
from leadglass.model.viewreasons import VIEWS


def test_all_of_them_are_reasons() -> None:
    assert {reason.code for reason in VIEWS} <= set(REASONS)
    assert REASONS[Code.VIEW_READ_ONLY] in VIEWS
