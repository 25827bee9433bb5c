"""Workitems (PS3.4 annex CC) as far as they are judged: which studies one names, and whose it says they are.

A workitem names studies in sequences of its own: what it was requested for, what it works on, what came of it. Wherever
a Study Instance UID stands in it, that study is named. Sans-io.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from leadglass.codec.dicomjson import Row, parse_rows
from leadglass.codec.query import STUDY_UID
from leadglass.codec.uid import is_uid
from leadglass.limits import NESTING_DEPTH, STUDIES_JUDGED

# All workitems, and those that match a filter (PS3.18 table 11.10.1-1).
WORKLIST: Final = "1.2.840.10008.5.1.4.34.5"
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"
# What a row of a search has to bring: its UID, the patient, and the sequences that name studies.
NEEDED: Final = ("00080018", "00100020", "00100021", STUDY_UID, "00404021", "0040A370", "00741216")

_UID: Final = "00080018"
_AFFECTED: Final = "00001000"
_TAG: Final = re.compile("[0-9A-Fa-f]{8}")
_MEMBERS: Final = frozenset({"vr", "Value"})
_NAMES: Final = frozenset({"Alphabetic", "Ideographic", "Phonetic"})  # of a person


class Workitem(NamedTuple):
    """A workitem and what it names. `uid` is None where it does not say its own."""

    row: Row
    uid: str | None
    studies: tuple[str, ...]
    patient_id: str | None
    issuer: str | None


def read_workitem(row: Row, fault: Callable[[str], Exception]) -> Workitem:
    """Return what a data set names. Raises the fault for UIDs that are none, and for more studies than are judged."""
    studies = tuple(dict.fromkeys(_studies(row, NESTING_DEPTH)))
    uid = _text(row, _UID)
    if not all(map(is_uid, studies if uid is None else (uid, *studies))):
        raise fault("a workitem with a UID that is none")
    if len(studies) > STUDIES_JUDGED:
        raise fault("a workitem with more studies than are judged")
    return Workitem(row, uid, studies, _text(row, "00100020"), _text(row, "00100021"))


def parse_one(data: bytes, fault: Callable[[str], Exception]) -> Workitem:
    """Return the one data set of a body or reply. Raises the fault when it is anything else."""
    rows = parse_rows(data, fault)
    if len(rows) != 1:
        raise fault("not one data set")
    if not _plain(rows[0], NESTING_DEPTH):
        raise fault("an attribute of another form than tag, vr and a list of values")
    return read_workitem(rows[0], fault)


def affected(data: bytes, fault: Callable[[str], Exception]) -> tuple[str, Workitem]:
    """Return the workitem that an event report is about (PS3.18 section 8.10.5), and what the report names itself.

    Raises the fault when it names no workitem.
    """
    rows = parse_rows(data if data[:1] == b"[" else b"[" + data + b"]", fault)
    uid = _text(rows[0], _AFFECTED) if len(rows) == 1 else None
    if uid is None or not is_uid(uid):
        raise fault("an event report that names no workitem")
    return uid, read_workitem(rows[0], fault)


def _plain(row: Row, levels: int) -> bool:
    """Whether every attribute is a tag with `vr` and a list of values (PS3.18 annex F), and nothing else.

    In any other form an archive may find a study that is not found here; it would read what a BulkDataURI leads to.
    """
    return all(_TAG.fullmatch(tag) is not None and _plain_one(attribute, levels) for tag, attribute in row.items())


def _plain_one(attribute: object, levels: int) -> bool:
    if not isinstance(attribute, dict) or not attribute.keys() <= _MEMBERS:
        return False
    values = attribute.get("Value", [])
    return isinstance(values, list) and all(
        not isinstance(value, list | dict)
        or (isinstance(value, dict) and (value.keys() <= _NAMES or (levels > 0 and _plain(value, levels - 1))))
        for value in values
    )


def _studies(row: Row, levels: int) -> Iterator[str]:
    for tag, attribute in row.items():
        values = attribute.get("Value") if isinstance(attribute, dict) else None
        for value in values if isinstance(values, list) else ():
            if tag.upper() == STUDY_UID:
                yield value if isinstance(value, str) else ""
            elif isinstance(value, dict) and levels:
                yield from _studies(value, levels - 1)


def _text(row: Row, tag: str) -> str | None:
    attribute: Any = row.get(tag)
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    if not isinstance(values, list) or not values or not isinstance(values[0], str):
        return None
    return values[0].strip(" \0") or None
