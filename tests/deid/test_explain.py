import pytest

from leadglass.deid.acts import Act
from leadglass.deid.explain import SAYS, explain, find
from leadglass.deid.profile import load_profiles, parse
from leadglass.deid.rules import Rules


@pytest.mark.parametrize("name", ["StudyDescription", "00081030", "(0008,1030)", "0008,1030"])
def test_one_attribute_is_found_by_any_of_its_names(name: str) -> None:
    line = find(explain(load_profiles()["research"]), name)
    assert line is not None
    assert line.says == "is cleaned of known values"
    assert line.why == "Table E.1-1: C by clean-descriptors"


@pytest.mark.parametrize(
    ("name", "says", "why"),
    [
        ("PatientName", "becomes a pseudonym", "Table E.1-1: Z"),
        ("AcquisitionDate", "is emptied", "Table E.1-1: X/Z"),
        ("ContentSequence", "has one item of dummies", "Table E.1-1: D"),
        ("ReferencedImageSequence", "stays, and what is in it is judged", "Table E.1-1: X/Z/U*"),
        ("RetrieveURL", "is emptied", "Leadglass: Z"),
        ("Rows", "stays as it is", "nothing names it"),
        ("Modality", "is removed", "the profile names it"),
    ],
)
def test_it_is_said_what_happens_and_why(name: str, says: str, why: str) -> None:
    line = find(explain(parse("p.yaml", b"title: T\nattributes: {Modality: remove}\n")), name)
    assert line is not None
    assert (line.says, line.why) == (says, why)


def test_every_attribute_of_the_rules_and_every_pattern_is_explained() -> None:
    profile = load_profiles()["research-private"]
    lines = explain(profile)
    listed = [line for line in lines if line.why == "the profile lists it"]
    assert len(lines) == len(Rules(profile).acts) + 5 + len(listed)
    assert ("(0019,xx0C)", "of SIEMENS MR HEADER") in {(line.tag, line.name) for line in listed}
    assert [line.says for line in lines if line.name == "Private Attributes"] == [
        "stays where the profile lists it, else is removed"
    ]
    assert set(SAYS) == set(Act)


def test_what_the_dictionary_does_not_have_is_not_found() -> None:
    assert find(explain(load_profiles()["basic"]), "00090001") is None
