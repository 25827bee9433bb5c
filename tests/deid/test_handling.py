import gc
import weakref

from leadglass.deid.forms import Form
from leadglass.deid.handling import CHARACTER_SET, PIXELS, Replacer, looks, named
from leadglass.deid.profile import load_profiles
from leadglass.deid.rules import Act, Rules
from leadglass.limits import DEID_REMEMBERED, DEID_REMEMBERED_BYTES
from support.deid import rules, values
from support.part10files import element, uid

FORM = Form(explicit=True, order="<")


def test_levels_are_made_once() -> None:
    levels = looks(rules("basic"), frozenset({0x00280010}))
    assert looks(rules("basic"), frozenset({0x00280010})) is levels
    assert looks(rules("basic"), frozenset()) is not levels
    by = rules("basic")
    assert levels.inside(by, Act.KEEP, levels.top) is levels.item
    assert levels.inside(by, Act.CLEAN, levels.item) is levels.inside(by, Act.KEEP, levels.cleaned) is levels.cleaned


def test_what_was_made_of_rules_goes_with_them() -> None:
    made = Rules(load_profiles(None)["basic"])
    levels = weakref.ref(looks(made, frozenset()))
    del made
    gc.collect()
    assert levels() is None


def test_what_is_looked_at_one_by_one_is_neither_kept_nor_gone() -> None:
    levels = looks(rules("basic"), frozenset())
    for tag in (CHARACTER_SET, *PIXELS):
        assert levels.top.keep[tag] == ()
        assert tag not in levels.top.gone


def test_the_dictionary_knows_repeating_groups() -> None:
    assert named(0x60020010) == (b"US",)
    assert named(0x00280106) == (b"US", b"SS")
    assert named(0x00091001) is named(0x00081111 + 0x10000) is named(0x0008FFFE) is None


def test_what_was_made_is_remembered_within_bounds() -> None:
    by = values()
    replacer = Replacer(by, "<", cleaned=False)
    for number in range(DEID_REMEMBERED + 10):
        was = element(0x0020000E, "UI", uid(f"1.{number}"))
        assert replacer.remember(was, b"made") == b"made"
    assert len(replacer.made) <= DEID_REMEMBERED
    replacer.remember(b"x" * (DEID_REMEMBERED_BYTES + 1), b"made")
    replacer.remember("ä".encode(), b"made")
    assert not {b"x" * (DEID_REMEMBERED_BYTES + 1), "ä".encode()} & set(replacer.made)
    assert Replacer(by, "<", cleaned=False).made is replacer.made
    assert Replacer(by, "<", cleaned=True).made is not replacer.made
    assert Replacer(values(), "<", cleaned=False).made is not replacer.made


def test_what_stands_for_every_value_is_made_once() -> None:
    replacer = Replacer(values(), "<", cleaned=False)
    made = replacer.fix(Act.EMPTY, 0x00080020, b"DA", b"DA", FORM)
    assert replacer.fixed[True][0x00080020] == made == element(0x00080020, "DA", b"")
    replacer.fix(Act.EMPTY, 0x00280106, b"US", b"US", FORM)  # of two representations
    assert 0x00280106 not in replacer.fixed[True]


def test_text_that_cannot_be_decoded_leaves_nothing() -> None:
    replacer = Replacer(values(), "<", cleaned=False)
    assert replacer.replace(Act.IDENTIFIER, 0x00080050, b"SH", b"\xff\xff", FORM, b"ISO_IR 192") == element(
        0x00080050, "SH", b""
    )
