import pytest

from leadglass.model.facts import Study
from leadglass.obligations.occasion import Means, Occasion
from support.matches import placed
from support.views import asking


def test_what_is_known_of_the_studies_that_were_judged() -> None:
    occasion = asking("/dicom-web/studies/1.2.3", Study("1.2.3", patient_id="PID"))
    known = occasion.study("1.2.3")
    assert known is not None
    assert known.patient_id == "PID"
    assert occasion.study("1.2.4") is None
    assert Occasion(placed("/dicom-web/studies/1.2.3")).study("1.2.3") is None


@pytest.mark.parametrize("same", [True, False])
def test_means_of_two_readings_are_equal_when_what_they_hold_is(*, same: bool) -> None:
    assert (Means({"basic": 1}) == Means({"basic": 1 if same else 2})) is same
