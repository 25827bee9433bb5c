from dataclasses import replace

from leadglass.deid.masks import Masks
from leadglass.deid.profile import load_profiles
from leadglass.model.facts import Study
from leadglass.obligations.lens import Lens
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


def test_means_are_equal_when_their_profiles_are() -> None:
    profiles = load_profiles(None)
    lens = {name: Lens.of(profile, Masks()) for name, profile in profiles.items()}
    again = {name: Lens.of(profile, Masks()) for name, profile in load_profiles(None).items()}
    assert Means(lens) == Means(again)
    assert Means(lens) != Means({"basic": lens["basic"]})
    assert Lens.of(profiles["basic"], Masks(), "other masks") != lens["basic"]


def test_a_fact_that_could_not_be_had_is_told_apart_from_one_that_is_absent() -> None:
    occasion = asking("/dicom-web/studies/1.2.3", Study("1.2.3"), Study("1.2.4"))
    assert occasion.question is not None
    lacking = replace(occasion, question=replace(occasion.question, missing=("studies[1].patient_id",)))
    one, other = occasion.question.studies
    assert lacking.told(one, "patient_id")
    assert not lacking.told(other, "patient_id")
