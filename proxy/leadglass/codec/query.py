"""QIDO-RS queries (PS3.18 section 8.3.4 and 10.6.1): parsed to canonical tags and written anew.

An archive ignores keys that it does not know and then returns everything, and reads two spellings of one attribute as
it likes; so an unknown key, an alias and a duplicate are refused here. What is forwarded is the parsed form alone:
matching keys by tag, then the control keys, `limit` always among them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SEPARATOR = re.compile(r"[,\\]")
_FLAGS = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
# Bulk data cannot be matched (PS3.4 section C.2.2.2), a sequence only by what is in it.
_UNMATCHABLE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "OB or OW", "SQ"})


@dataclass(frozen=True, slots=True)
class Search:
    """A search as understood.

    `matching` maps canonical tag paths to values, split wherever an archive might split them (Orthanc takes commas,
    DIMSE backslashes); `include` holds the requested tag paths, `include_all` stands for `includefield=all`. `added`
    lists the tags that were asked for beyond the request and must be cut from every row. `text` is the query to
    forward, encoded.
    """

    matching: Mapping[str, tuple[str, ...]]
    include: tuple[str, ...]
    include_all: bool
    limit: int
    offset: int
    added: tuple[str, ...]
    text: str


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
) -> Search:
    """Parse the decoded pairs of a search.

    `path` maps the tags of UIDs that the path names to their values: a matching key may repeat but not contradict
    them. `returned` are the tags that every row carries unasked, `needed` those that judging needs. `raw` are the
    characters that the archive wants unencoded, `order` is the order in which its pages follow one another when asked.
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
    limit = _count("limit", controls.get("limit"), default=largest, low=1, high=largest)
    offset = _count("offset", controls.get("offset"), default=0, low=0, high=SEARCH_OFFSET)
    lacking = tuple(known for known in needed if known not in returned and known not in fields and not include_all)
    if order:
        controls["orderby"] = order
    text = _text(written, (*fields, *lacking), controls, limit, offset, include_all=include_all)
    return Search(matching, fields, include_all, limit, offset, lacking, text)


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


def _text(
    written: Mapping[str, str],
    fields: tuple[str, ...],
    controls: Mapping[str, str],
    limit: int,
    offset: int,
    *,
    include_all: bool,
) -> str:
    pairs = [f"{known}={value}" for known, value in sorted(written.items())]
    if include_all:
        pairs.append("includefield=all")
    elif fields:
        pairs.append(f"includefield={','.join(fields)}")
    pairs.extend(f"{flag}={controls[flag]}" for flag in _FLAGS if flag in controls)
    if "orderby" in controls:
        pairs.append(f"orderby={controls['orderby']}")
    pairs.append(f"limit={limit}")
    if offset:
        pairs.append(f"offset={offset}")
    return "&".join(pairs)
