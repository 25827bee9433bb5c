"""What has become of attributes, seen in a file and in its copy: not what was meant to be done, but what was done.

Nested attributes count with the others of their tag. What was inside a sequence that is gone is gone with it, and not
counted by itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leadglass.copies.ahead import quietly
from leadglass.copies.journal import Shape

WAYS: Final = ("removed", "emptied", "replaced", "added", "kept")
"""What can become of an attribute, in the order of a report."""
_STRONGER: Final = {way: rank for rank, way in enumerate(("kept", "added", "replaced", "emptied", "removed"))}


def read(path: Path) -> Dataset:
    """Read all of a file but its pixels. For files that have been walked, and for our copies."""
    with quietly():
        return dcmread(path, stop_before_pixels=True)


def changes(before: Dataset, after: Dataset) -> Shape:
    """Return what became of each attribute that either has: tag (GGGGEEEE) -> one of `WAYS`, the strongest met."""
    found: dict[str, str] = {}
    with quietly():
        for tag, way in _changes(before, after):
            name = f"{tag:08X}"
            if _STRONGER[way] >= _STRONGER.get(found.get(name, ""), -1):
                found[name] = way
    return found


def _changes(before: Dataset, after: Dataset) -> Iterator[tuple[int, str]]:
    for tag in sorted({*before.keys(), *after.keys()}):
        if tag not in after:
            yield tag, "removed"
        elif tag not in before:
            yield tag, "added"
        else:
            yield from _both(int(tag), before, after)


def _both(tag: int, before: Dataset, after: Dataset) -> Iterator[tuple[int, str]]:
    one, other = before[tag].value, after[tag].value
    if isinstance(one, Sequence) or isinstance(other, Sequence):
        items, left = list(one or ()), list(other or ())
        yield tag, "emptied" if items and not left else "kept"
        for was, now in zip(items, left, strict=False):
            yield from _changes(was, now)
    elif _empty(other) and not _empty(one):
        yield tag, "emptied"
    else:
        yield tag, "kept" if one == other else "replaced"


def _empty(value: object) -> bool:
    return value is None or value in ("", b"") or (isinstance(value, list) and not value)
