from itertools import combinations

import pytest
from pydicom.datadict import DicomDictionary

from leadglass.deid.acts import Act, leaves_more
from leadglass.deid.options import Option, contradict
from leadglass.deid.profile import Profile, SafeBlock, parse, standard
from leadglass.deid.rules import Rules
from leadglass.deid.table import MORE, ROWS

OPTIONS = [option for option in Option if option is not Option.CLEAN_PIXELS]
LEGAL = [
    some for size in range(len(OPTIONS) + 1) for some in combinations(OPTIONS, size) if not contradict(some)
]  # fmt: skip


def rules(*options: Option, **more: object) -> Rules:
    return Rules(Profile.model_validate({"title": "T", "options": options, **more}))


def test_every_legal_set_of_options_is_compiled_as_the_standard_says() -> None:
    assert len(LEGAL) == 768
    pseudonymous = {0x00100010, 0x00100020, 0x00080050}
    for options in LEGAL:
        acts = rules(*options).acts
        for tag in ROWS:
            said, done = standard(tag, DicomDictionary[tag][0], options), acts[tag]
            if tag in pseudonymous:
                assert done is Act.IDENTIFIER
            elif done is Act.AGE:
                assert said is Act.KEEP
            else:
                assert done is said, f"{tag:08X} under {options}"


def test_no_option_makes_anything_but_the_table_less_strict() -> None:
    basic = rules().acts
    for options in LEGAL:
        acts = rules(*options).acts
        for tag in basic:
            if leaves_more(acts[tag], basic[tag]):
                row = ROWS.get(tag) or MORE[tag]
                assert set(row.options) & set(options)


def test_what_is_not_known_is_removed() -> None:
    acts = rules()
    assert acts.act(0x00080011) is Act.REMOVE  # public, and not of the dictionary
    assert acts.act(0x00080000) is Act.REMOVE  # group length
    assert acts.act(0x00190010, "SIEMENS MR HEADER") is Act.REMOVE
    assert acts.act(0x0019100C, "SIEMENS MR HEADER") is Act.REMOVE
    assert acts.act(0x50003000) is Act.REMOVE
    assert acts.act(0x60003000) is Act.REMOVE
    assert acts.act(0x60001500) is Act.REMOVE
    assert acts.act(0x601E0010) is Act.REMOVE
    assert acts.act(0xFFFEE000) is Act.REMOVE
    assert acts.act(0x00280010) is Act.KEEP


def test_safe_private_attributes_stay_by_their_creator() -> None:
    block = SafeBlock(creator="SIEMENS MR HEADER", group="0019", elements=("0C", "0E"))
    acts = rules(Option.RETAIN_SAFE_PRIVATE, private=(block,))
    assert acts.keeps_private
    assert acts.act(0x00190010, "SIEMENS MR HEADER") is Act.KEEP
    assert acts.act(0x0019110C, "SIEMENS MR HEADER ") is Act.KEEP
    assert acts.act(0x0019110D, "SIEMENS MR HEADER") is Act.REMOVE
    assert acts.act(0x0019110C, "ANOTHER") is Act.REMOVE
    assert acts.act(0x0019110C) is Act.REMOVE
    assert acts.act(0x0021110C, "SIEMENS MR HEADER") is Act.REMOVE
    assert acts.act(0x00190001, "SIEMENS MR HEADER") is Act.REMOVE


def test_inside_a_sequence_that_is_cleaned_text_that_would_stay_is_cleaned() -> None:
    acts = rules(Option.CLEAN_STRUCTURED)
    inside = acts.inside(acts.act(0x0040A730), acts.acts)
    assert acts.acts[0x0040A730] is Act.CLEAN
    assert acts.acts[0x00080104] is Act.KEEP
    assert inside[0x00080104] is Act.CLEAN
    assert inside[0x0040A160] is Act.CLEAN
    assert inside[0x00400555] is Act.CLEAN
    assert inside[0x00280010] is Act.KEEP
    assert inside[0x00080100] is Act.KEEP  # a code is no text
    assert {0x00080104, 0x0040A160} <= acts.required
    assert acts.inside(Act.KEEP, inside) is inside
    assert acts.inside(Act.KEEP, acts.acts) is acts.acts


def test_an_attribute_named_by_the_profile_has_its_own_act() -> None:
    profile = parse("p.yaml", b"title: T\nattributes: {Modality: remove, PatientID: dummy}\n")
    assert Rules(profile).acts[0x00080060] is Act.REMOVE
    assert Rules(profile).cleaned[0x00100020] is Act.DUMMY


@pytest.mark.parametrize(("tag", "act"), [(0x00020016, Act.REMOVE), (0x00020010, Act.KEEP), (0x00020003, Act.UID)])
def test_file_meta_is_judged_too(tag: int, act: Act) -> None:
    assert rules().acts[tag] is act


def test_what_must_not_be_empty_is_named() -> None:
    required = rules().required
    assert 0x00100020 in required
    assert 0x00100010 not in required
    assert 0x0040A730 in required
