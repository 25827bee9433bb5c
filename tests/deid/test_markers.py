import pytest

from leadglass.deid.markers import markers
from leadglass.deid.options import Option
from leadglass.deid.profile import Profile


def said(*options: Option, cleaned: bool = False, conformant: bool = True) -> dict[int, object]:
    profile = Profile.model_validate({"title": "Ours", "options": options, "conformant": conformant})
    return {
        one.tag: [item[0].values[0] for item in one.items] or list(one.values)
        for one in markers(profile, pixels_cleaned=cleaned)
    }


def test_a_data_set_says_what_was_done() -> None:
    assert said(Option.RETAIN_MODIFIED_DATES, Option.CLEAN_DESCRIPTORS) == {
        0x00120062: ["YES"],
        0x00120063: ["Leadglass, PS3.15 2024e", "Ours"],
        0x00120064: ["113100", "113105", "113107"],
        0x00280303: ["MODIFIED"],
    }


def test_they_come_in_the_order_of_tags() -> None:
    tags = list(said())
    assert tags == sorted(tags)


@pytest.mark.parametrize(
    ("options", "word"),
    [((), "REMOVED"), ((Option.RETAIN_FULL_DATES,), "UNMODIFIED"), ((Option.RETAIN_MODIFIED_DATES,), "MODIFIED")],
)
def test_what_became_of_dates_is_said(options: tuple[Option, ...], word: str) -> None:
    assert said(*options)[0x00280303] == [word]


def test_pixels_that_were_cleaned_are_claimed_once() -> None:
    assert said(cleaned=True)[0x00120064] == ["113100", "113101"]
    assert said(Option.CLEAN_PIXELS, cleaned=True)[0x00120064] == ["113100", "113101"]


def test_a_profile_that_is_not_conformant_claims_nothing() -> None:
    claimed = said(Option.CLEAN_DESCRIPTORS, conformant=False)
    assert claimed[0x00120062] == ["NO"]
    assert 0x00120064 not in claimed
