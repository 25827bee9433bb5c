"""Attributes that de-identification adds, as every form of data set can write them."""

from typing import NamedTuple, TypeAlias


class Element(NamedTuple):
    """An attribute: its values as text (numbers written out, bytes in Latin-1), or the items of a sequence."""

    tag: int
    vr: str
    values: tuple[str, ...] = ()
    items: "tuple[Item, ...]" = ()


Item: TypeAlias = tuple[Element, ...]
"""What one item holds, in the order of tags."""
