"""What a kind of archive says of itself: what the gateway acts on, and what it tells administrators."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

Level: TypeAlias = Literal["study", "series", "instance"]
Dialect: TypeAlias = Literal["unquoted", "quoted", "x-forwarded"]
# Of an archive of which nothing is known in advance: True and False are what it was seen or is said to do.
Known: TypeAlias = bool | None

# RFC 3986 query characters that separate nothing stand as they are; everything else is encoded.
STANDARD: Final = "!$'()*,-._~:@/?"
_NONE: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. The first group decides how it is asked, the second is for the reader of docs/archives.md.

    `links` is the dialect in which it takes the origin that links are built from; `builds_links` says that it does so well.
    `uid_lists` says that a key matches any of several UIDs with commas between them. `lists` is what separates several
    values of any other key, none where it takes one alone. `from_first` are the keys with which its limit counts from the
    first match and not from the offset. `unencoded` are the characters of a query
    that it wants as they are. `versions` are names of its parts, each with the address at which it tells its version. `order`
    is the `orderby` that makes its pages follow one another, by level; none where they do, or where it cannot be asked.
    `lacks` names the transactions that it does not have, `wado-rs.*` for a family. `thumbnails` are asked for as small
    rendered pictures where there are none. `bulk` is the word before an attribute in the address of bulk data, None where
    either may be. `single_parts` says that it answers frames and bulk data without multipart. `renders` are the media types
    of rendered pictures; none stands for whatever it is asked for. `viewer` is what OHIF has to know of it.

    `steady`, `head`, `ranges` and `quotes` say whether pages follow one another, whether HEAD and Range work on DICOMweb, and
    whether errors quote UIDs. `source` says where all of this is from.
    """

    name: str
    links: Dialect
    source: str
    builds_links: bool = False
    uid_lists: bool = False
    lists: str = ""
    from_first: frozenset[str] = frozenset()
    unencoded: str = STANDARD
    versions: tuple[tuple[str, str], ...] = ()
    order: Mapping[str, str] = field(default_factory=lambda: _NONE)
    lacks: frozenset[str] = frozenset()
    thumbnails: bool = True
    bulk: str | None = None
    single_parts: bool = True
    renders: tuple[str, ...] = ()
    viewer: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    steady: Known = None
    head: Known = None
    ranges: Known = None
    quotes: Known = None

    def has(self, transaction: str) -> bool:
        """Return whether it has a transaction, as far as is known."""
        family = f"{transaction.partition('.')[0]}.*"
        return transaction not in self.lacks and family not in self.lacks
