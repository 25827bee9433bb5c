from pathlib import Path

import pytest

from leadglass import limits
from leadglass.deid.acts import Act
from leadglass.deid.options import Option
from leadglass.deid.profile import load_profiles, parse, standard
from leadglass.model.errors import ConfigurationError


def test_shipped_profiles_are_conformant() -> None:
    profiles = load_profiles()
    assert {"basic", "research"} <= set(profiles)
    assert all(profile.conformant for profile in profiles.values())
    assert profiles["basic"].options == ()


def test_a_sites_profile_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "basic.yaml").write_text("title: Ours\n")
    (tmp_path / "readme.txt").write_text("not a profile")
    profiles = load_profiles(tmp_path)
    assert profiles["basic"].title == "Ours"
    assert "research" in profiles


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("title: A\nopions: []\n", "opions: is not a field of a profile", 2),
        ("options: []\n", "title: is missing", 1),
        ("title: A\noptions: [retain-full-dates, retain-modified-dates]\n", "options: dates are kept in full or", 2),
        ("title: A\noptions: [retain-uids, retain-uids]\n", "options: one is named twice", 2),
        ("title: A\noptions: [defacing]\n", "options.0: Input should be", 2),
        ("title: A\nattributes:\n  PatientSex: keep\n", "`keep` leaves more than Annex E", 3),
        ("title: A\nattributes:\n  StudyDescription: clean\n", "`clean` leaves more than Annex E", 3),
        ("title: A\nattributes:\n  StudyDescription: shift\n", "cannot be `shift`", 3),
        ("title: A\nconformant: false\nattributes:\n  StudyDate: shift\n", "needs the option retain-modified-dates", 4),
        ("title: A\nattributes:\n  StudyDescripton: remove\n", "is no attribute", 3),
        ("title: A\nattributes:\n  '00091001': keep\n", "is no attribute", 3),
        ("title: A\nattributes:\n  SpecificCharacterSet: remove\n", "is not a profile's to change", 3),
        ("title: A\nattributes:\n  PatientIdentityRemoved: keep\n", "is not a profile's to change", 3),
        ("title: A\nattributes:\n  Modality: empty\n  '00080060': remove\n", "is named twice", 4),
        ("title: A\nconformant: no\n", "conformant: Input should be a valid boolean", 2),
        ("title: A\nprivate:\n  - {creator: X, group: '0019', elements: ['01']}\n", "needs the option", 2),
        (
            "title: A\nprivate:\n  - {creator: X, group: FFFF, elements: ['01']}\n",
            "private.0.group: is a group that no",
            3,
        ),
        ("title: A\nshift_days: 0\n", "shift_days: ", 2),
        ("title: A\nname: b\n", "is not a mapping of a profile's fields", 0),
        ("- title\n", "is not a mapping of a profile's fields", 0),
        ("title: &a [b]\noptions: *a\n", "anchors and aliases are not taken", 0),
        ("title: A\ntitle: B\n", "duplicate", 2),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, problem: str, line: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("site.yaml", text.encode())
    said = str(caught.value)
    assert problem in said
    assert said.startswith(f"site.yaml:{line}: " if line else "site.yaml: ")


def test_more_may_stay_when_the_profile_says_that_it_is_not_conformant() -> None:
    profile = parse("site.yaml", b"title: A\nconformant: false\nattributes: {PatientSex: keep}\n")
    assert profile.attributes == {"PatientSex": "keep"}


def test_less_may_always_stay() -> None:
    parse("site.yaml", b"title: A\nattributes: {PatientSex: remove, Modality: remove, StudyInstanceUID: remove}\n")


def test_what_only_this_gateway_removes_may_stay_in_a_conformant_profile() -> None:
    parse("site.yaml", b"title: A\nattributes: {DeviceID: keep}\n")


def test_the_action_of_the_standard_follows_the_options() -> None:
    assert standard(0x00081030, "LO", ()) is Act.REMOVE
    assert standard(0x00081030, "LO", (Option.CLEAN_DESCRIPTORS,)) is Act.CLEAN
    assert standard(0x00080060, "CS", ()) is Act.KEEP


@pytest.mark.parametrize("name", ["Basic.yaml", "a b.yaml", "x" * 33 + ".yaml"])
def test_a_profile_is_named_so_that_policies_can_name_it(name: str) -> None:
    with pytest.raises(ConfigurationError, match="a profile's name is"):
        parse(name, b"title: A\n")


def test_profiles_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="larger than"):
        parse("site.yaml", b"#" * (limits.DEID_PROFILE_BYTES + 1))
    for number in range(limits.DEID_PROFILES + 1):
        (tmp_path / f"p{number}.yaml").write_text("title: A\n")
    with pytest.raises(ConfigurationError, match="more than"):
        load_profiles(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_profiles(tmp_path / "none")
