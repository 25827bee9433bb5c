import re
from pathlib import Path

from leadglass.copies import bounds


def test_every_bound_has_its_precedent_beside_it() -> None:
    assert bounds.__file__ is not None
    lines = [line for line in Path(bounds.__file__).read_text().splitlines() if ": Final" in line]
    assert lines
    assert all(re.search(r"  # \S", line) for line in lines)


def test_bounds_are_positive() -> None:
    assert all(value > 0 for name, value in vars(bounds).items() if name.isupper())
