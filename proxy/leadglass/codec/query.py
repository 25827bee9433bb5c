"""QIDO-RS queries (PS3.18 section 8.3.4 and 10.6.1): parsed to canonical tags and written anew.

An archive ignores keys that it does not know and then returns everything, and reads two spellings of one attribute as
it likes; so an unknown key, an alias and a duplicate are refused here. What is forwarded is the parsed form alone:
matching keys by tag, then the control keys, `limit` always among them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from leadglass.codec.dictionary import tag_path, vr
from leadglass.codec.kinds.kind import STANDARD
from leadglass.codec.uid import is_uid
from leadglass.limits import QUERY_VALUE_CHARS, SEARCH_OFFSET, SEARCH_ROWS, STUDIES_JUDGED, STUDY_ROWS
from leadglass.model.errors import Refusal, refuse
from leadglass.model.reasons import Code

STUDY_UID: Final = "0020000D"
SERIES_UID: Final = "0020000E"

_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_LARGE: Final = 999_999_999  # what nine digits can say; a page is smaller
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SEPARATOR = re.compile(r"[,\\]")
FUZZY: Final = "fuzzymatching"
_FLAGS = (FUZZY, "emptyvaluematching", "multiplevaluematching")
# Bulk data cannot be matched (PS3.4 section C.2.2.2), a sequence only by what is in it.
_UNMATCHABLE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "SQ"})


@dataclass(frozen=True, slots=True)
class Search:
    """A search as understood. What is made of it for the archive is made by its methods, each a new one.

    `matching` maps canonical tag paths to values, split wherever an archive might split them (Orthanc takes commas,
    DIMSE backslashes); `written` maps them to the one text that is forwarded, encoded. `include` holds the requested tag
    paths, `include_all` stands for `includefield=all`. `added` lists the tags that were asked for beyond the request and
    must be cut from every row. `flags` are the other control keys. `limit` is never more than a page. `order` is the order in which pages of the archive follow one another when asked,
    `unencoded` are the characters that it wants as they are, `lists` is what separates several values of a key (none where
    it takes one value alone), `from_first` are keys with which its limit counts from the first match.
    """

    matching: Mapping[str, tuple[str, ...]]
    written: Mapping[str, str]
    include: tuple[str, ...]
    include_all: bool
    flags: Mapping[str, str]
    limit: int
    offset: int
    added: tuple[str, ...]
    order: str = ""
    unencoded: str = STANDARD
    lists: str = ""
    from_first: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The query to forward, encoded."""
        return self.page(self.limit, self.offset)

    def page(self, limit: int, offset: int) -> str:
        """Return the query for so many rows from there on, encoded."""
        pairs = [f"{known}={value}" for known, value in sorted(self.written.items())]
        if self.include_all:
            pairs.append("includefield=all")
        elif fields := (*self.include, *self.added):
            pairs.append(f"includefield={','.join(fields)}")
        pairs.extend(f"{flag}={self.flags[flag]}" for flag in _FLAGS if flag in self.flags)
        if self.order:
            pairs.append(f"orderby={self.order}")
        pairs.append(f"limit={limit + (0 if self.from_first.isdisjoint(self.written) else offset)}")
        if offset:
            pairs.append(f"offset={offset}")
        return "&".join(pairs)

    def narrowed(self, known: str, values: tuple[str, ...]) -> "Search":
        """Return the search that asks for any of these values, too. What the archive cannot be asked is left out.

        `known` is a canonical tag path. A key that the request has stays as it is: what it matches is judged anyway.
        """
        between = "," if vr(known) == "UI" and self.lists else self.lists
        if known in self.matching or not values or (len(values) > 1 and not between):
            return self
        return self.keyed(known, values, between)

    def keyed(self, known: str, values: tuple[str, ...], between: str = ",") -> "Search":
        """Return the search with this key, in place of what it had there. `between` separates the values."""
        text = quote(between.join(values), safe=self.unencoded)
        return replace(self, matching={**self.matching, known: values}, written={**self.written, known: text})

    def asking(self, *tags: str) -> "Search":
        """Return the search that asks for these attributes, too, which are cut from the rows again."""
        if self.include_all:
            return self
        more = tuple(tag for tag in tags if tag not in self.include and tag not in self.added)
        return replace(self, added=(*self.added, *more))

    def without(self, known: str) -> "Search":
        """Return the search without a key."""
        matching = {path: values for path, values in self.matching.items() if path != known}
        return replace(self, matching=matching, written={path: self.written[path] for path in matching})

    def including(self, wanted: Callable[[str], bool]) -> "Search":
        """Return the search that asks for no more attributes than those wanted."""
        return replace(self, include=tuple(filter(wanted, self.include)))

    def literal(self) -> "Search":
        """Return the search without fuzzy matching."""
        return replace(self, flags={flag: value for flag, value in self.flags.items() if flag != FUZZY})


def within(path: str, tags: Collection[str]) -> bool:
    """Whether an attribute path leads through or to one of these tags."""
    return any(tag in tags for tag in path.split("."))


def refused(key: str, detail: str) -> Refusal:
    """Make the refusal for one query key; the key is cut to what a sentence can hold."""
    return refuse(Code.QUERY_REFUSED, detail, key=_CONTROL.sub("?", key[:64]))


def parse_search(
    pairs: Iterable[tuple[str, str]],
    *,
    path: Mapping[str, str],
    returned: frozenset[str],
    needed: tuple[str, ...],
    raw: str = STANDARD,
    order: str = "",
    lists: str = "",
    from_first: frozenset[str] = frozenset(),
) -> Search:
    """Parse the decoded pairs of a search.

    `path` maps the tags of UIDs that the path names to their values: a matching key may repeat but not contradict
    them. `returned` are the tags that every row carries unasked, `needed` those that judging needs. `raw` are the
    characters that the archive wants unencoded, `order` is the order in which its pages follow one another when asked,
    `lists` separates several values of a key, `from_first` are keys with which its limit counts from the first match. A limit beyond a page is a page: the standard lets a server have its own.
    Raises Refusal `query-refused` with the key at fault.
    """
    matching: dict[str, tuple[str, ...]] = {}
    written: dict[str, str] = {}
    controls: dict[str, str] = {}
    include: list[str] = []
    for key, value in pairs:
        if key == "includefield":
            include.extend(value.split(","))
        elif key in _CONTROLS:
            if key in controls:
                raise refused(key, "key more than once")
            if key in _FLAGS and value not in {"true", "false"}:
                raise refused(key, "neither true nor false")
            controls[key] = value
        else:
            known = _match_key(key)
            if known in matching:
                raise refused(key, f"{known} more than once")
            matching[known] = _values(key, known, value)
            # Of the two separators of a UID list (PS3.18 section 8.3.4.1) every archive knows the comma.
            written[known] = quote(",".join(matching[known]) if vr(known) == "UI" else value, safe=raw)
    for known, uid in path.items():
        if matching.pop(known, (uid,)) != (uid,):
            raise refused(known, "contradicts the path")
        written.pop(known, None)
    fields, include_all = _include(include)
    largest = STUDY_ROWS if STUDY_UID in path else SEARCH_ROWS
    limit = min(largest, _count("limit", controls.get("limit"), default=largest, low=1, high=_LARGE))
    return Search(
        matching,
        written,
        fields,
        include_all,
        {flag: controls[flag] for flag in _FLAGS if flag in controls},
        limit,
        _count("offset", controls.get("offset"), default=0, low=0, high=SEARCH_OFFSET),
        tuple(known for known in needed if known not in returned and known not in fields and not include_all),
        order,
        raw,
        lists,
        from_first,
    )


_CONTROLS = frozenset({"limit", "offset", *_FLAGS})


def _match_key(key: str) -> str:
    known = tag_path(key)
    if known is None:
        raise refused(key, "unknown key")
    if vr(known) in _UNMATCHABLE:
        raise refused(key, "not an attribute that can be matched")
    return known


def _values(key: str, known: str, value: str) -> tuple[str, ...]:
    if _CONTROL.search(value):
        raise refused(key, "control character")
    values = tuple(_SEPARATOR.split(value))
    if vr(known) == "UI":
        if len(values) > STUDIES_JUDGED or len(set(values)) != len(values) or not all(map(is_uid, values)):
            raise refused(key, "not a list of distinct UIDs")
    elif len(value) > QUERY_VALUE_CHARS:
        raise refused(key, f"value of {len(value)} characters")
    return values


def _include(names: list[str]) -> tuple[tuple[str, ...], bool]:
    fields: set[str] = set()
    for name in names:
        if name == "all":
            continue
        known = tag_path(name)
        if known is None:
            raise refused("includefield", f"unknown field {name[:64]!r}")
        fields.add(known)
    return tuple(sorted(fields)), "all" in names


def _count(key: str, text: str | None, *, default: int, low: int, high: int) -> int:
    if text is None:
        return default
    if _COUNT.fullmatch(text) is None or not low <= int(text) <= high:
        raise refused(key, f"not a plain integer from {low} to {high}")
    return int(text)
