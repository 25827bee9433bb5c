from pydicom.sr.codedict import codes

from leadglass.deid.options import CODES, DONE, Option, contradict


def test_every_option_has_its_code_of_cid_7050() -> None:
    assert set(CODES) == set(DONE) == set(Option)
    known = {
        str(getattr(codes.cid7050, name).value): getattr(codes.cid7050, name).meaning for name in codes.cid7050.dir()
    }
    for value, meaning in CODES.values():
        assert known[value] == meaning


def test_only_the_two_ways_to_keep_dates_contradict_each_other() -> None:
    assert contradict({Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES})
    assert not contradict(set(Option) - {Option.RETAIN_FULL_DATES})
