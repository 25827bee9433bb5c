"""Every row of Table E.1-1 filled with a canary, at every depth, in every encoding, under every legal set of options, in files."""

import zlib
from functools import cache

import pytest

from leadglass.deid.options import Option
from support.canaries import DEFLATED, EXPLICIT, SYNTAXES, WORDS, fill, part10, survivors
from support.deid import read, rewritten
from support.optionsets import DEPTHS, LEGAL, OPTIONS, chosen, kept, more_than_said

CHARSETS = list(WORDS)
PARTS = 8


@cache
def filled(depth: int, syntax: str, charset: str) -> bytes:
    return part10(fill(depth=depth, charset=charset), syntax=syntax)


def inflated(data: bytes) -> bytes:
    at = 144 + int.from_bytes(data[140:144], "little")  # behind the file meta
    return data[:at] + zlib.decompressobj(-15).decompress(data[at:])


def left(options: tuple[Option, ...], depth: int, syntax: str = EXPLICIT, charset: str = "ISO_IR 100") -> list[str]:
    one = chosen(options)
    out = rewritten(filled(depth, syntax, charset), one)
    found = survivors(inflated(out) if syntax == DEFLATED else out, kept=kept(one))
    return more_than_said(found, options)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_basic_profile_leaves_no_canary(depth: int, syntax: str) -> None:
    for charset in CHARSETS:
        assert survivors(filled(depth, syntax, charset))
        assert left((), depth, syntax, charset) == [], charset


@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_leaves_more_than_it_says(option: Option) -> None:
    for depth in DEPTHS:
        for syntax in SYNTAXES:
            assert left((option,), depth, syntax) == [], (depth, syntax)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_set_of_options_leaves_more_than_it_says(part: int) -> None:
    """Take each set once; depths, encodings and character sets take turns, so that all of them meet."""
    for number in range(part, len(LEGAL), PARTS):
        turn = (number // PARTS, number // PARTS + part)
        depth, syntax, charset = DEPTHS[turn[0] % 5], SYNTAXES[turn[1] % 4], CHARSETS[turn[0] % len(CHARSETS)]
        assert left(LEGAL[number], depth, syntax, charset) == [], LEGAL[number]


@pytest.mark.parametrize("step", [1, 61])
def test_pieces_leave_no_canary(step: int) -> None:
    data = filled(2, EXPLICIT, "ISO_IR 192")
    one = chosen(())
    assert rewritten(data, one, sizes=[step] * (len(data) // step)) == rewritten(data, one)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_leaves_is_read_to_its_end(syntax: str) -> None:
    found = read(rewritten(filled(20, syntax, "ISO_IR 100"), chosen(tuple(OPTIONS[:2]))))
    assert sum(1 for _ in found.iterall()) > 100


def test_a_canary_that_is_kept_is_seen() -> None:
    out = rewritten(filled(2, EXPLICIT, ""), chosen((Option.RETAIN_INSTITUTION,)))
    assert any("InstitutionName" in line for line in survivors(out))
