"""Rows of a QIDO-RS reply, checked and not trusted (PS3.18 section 10.6, PS3.18 annex F).

An archive that does not understand a matching key ignores it and returns everything, so every row is held to the UIDs
that were asked for. Values of the wrong shape count as not given.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from leadglass.codec.query import SERIES_UID, STUDY_UID
from leadglass.limits import FACT_TEXT_CHARS, INSTANCES_LISTED, SERIES_PER_STUDY
from leadglass.model.facts import Study

Row: TypeAlias = Mapping[str, Any]

INSTANCE_UID: Final = "00080018"
FROM_STUDY: Final = ("patient_id", "issuer_of_patient_id", "date", "description", "referring_physician")
FROM_SERIES: Final = ("modalities", "body_parts", "institutions")


@dataclass(frozen=True, slots=True)
class Found:
    """What the archive says of one Study Instance UID.

    `study` is None when it holds none, or when `count` says that it holds several. `missing` names the fields that it
    should have given and did not. `whole` is False when it could not be asked, so that the answer must not be kept.
    """

    study: Study | None
    count: int = 0
    missing: tuple[str, ...] = ()
    whole: bool = True


def texts(row: Row, tag: str) -> tuple[str, ...]:
    """Return the non-empty text values of an attribute; of a person name its alphabetic form."""
    element = row.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    found = []
    for value in values if isinstance(values, list) else ():
        plain = value.get("Alphabetic") if isinstance(value, dict) else value
        if isinstance(plain, str) and (stripped := plain.strip(" \0")):
            found.append(stripped)
    return tuple(found)


def first(row: Row, tag: str) -> str | None:
    """Return the first text value of an attribute, None when there is none."""
    values = texts(row, tag)
    return values[0] if values else None


def _mine(rows: Iterable[Row], uid: str, *, alone: bool) -> list[Row]:
    """Return the rows of this study. A reply about one study alone need not repeat its UID (PS3.18 10.6.3.3.2)."""
    return [row for row in rows if (named := texts(row, STUDY_UID)) == (uid,) or (alone and not named)]


def found(uid: str, studies: Sequence[Row] | None, series: Sequence[Row] | None, *, alone: bool) -> Found:
    """Make the facts of one study from the rows of a page; None stands for rows that could not be had."""
    whole = studies is not None and series is not None
    mine = [row for row in studies or () if texts(row, STUDY_UID) == (uid,)]
    if studies is not None and len(mine) != 1:
        return Found(None, len(mine), whole=whole)
    facts = _from_study(mine[0]) if mine else dict.fromkeys(FROM_STUDY)
    facts |= _from_series(_mine(series or (), uid, alone=alone), mine)
    long = [name for name in (*FROM_STUDY, *FROM_SERIES) if _long(facts.get(name))]
    facts |= dict.fromkeys(long)
    expected = (*((*long, *FROM_SERIES) if mine else (*FROM_STUDY, *FROM_SERIES)),)
    missing = tuple(dict.fromkeys(name for name in expected if facts.get(name) is None))
    return Found(Study(uid, **facts), 1, missing, whole)


def _long(value: str | tuple[str, ...] | None) -> bool:
    """Whether a fact is longer than any that DICOM knows. It then counts as one that could not be had."""
    return value is not None and any(
        len(text) > FACT_TEXT_CHARS for text in ((value,) if isinstance(value, str) else value)
    )


def _from_study(row: Row) -> dict[str, Any]:
    return {
        "patient_id": first(row, "00100020"),
        "issuer_of_patient_id": first(row, "00100021"),
        "date": first(row, "00080020"),
        "description": first(row, "00081030"),
        "referring_physician": first(row, "00080090"),
    }


def _from_series(rows: Sequence[Row], studies: Sequence[Row]) -> dict[str, Any]:
    """Return what the series say. Where one says too little the fact is left out: a partial list satisfies negations.

    A study has at least one series, and a series exactly one modality (PS3.3 section C.7.3.1).
    """
    series: dict[str, str] = {}
    for row in rows:
        uid = texts(row, SERIES_UID)
        if len(uid) != 1:
            return {}
        series[uid[0]] = first(row, "00080060") or ""
    if not series or len(series) > SERIES_PER_STUDY:
        return {}
    facts: dict[str, Any] = {
        "body_parts": tuple(sorted({text for row in rows for text in texts(row, "00180015")})),
        "institutions": tuple(sorted({text for row in rows for text in texts(row, "00080080")})),
        "series": series,
    }
    if all(series.values()):
        at_study = (text for row in studies for text in texts(row, "00080061"))
        facts["modalities"] = tuple(sorted({*series.values(), *at_study}))
    return facts


def listing(rows: Sequence[Row], study: str, series: str) -> frozenset[str] | None:
    """Return the SOP Instance UIDs of one series, None when the rows do not answer that or are too many."""
    if len(rows) > INSTANCES_LISTED:
        return None
    uids = set()
    for row in rows:
        if texts(row, STUDY_UID) not in {(study,), ()} or texts(row, SERIES_UID) not in {(series,), ()}:
            return None
        uid = texts(row, INSTANCE_UID)
        if len(uid) != 1:
            return None
        uids.add(uid[0])
    return frozenset(uids)
