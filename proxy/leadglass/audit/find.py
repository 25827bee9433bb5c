"""One decision in the record by its id, with what led to it and how it ended: for `leadglass policy explain`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from leadglass.audit.feed import lines, open_in_order


@dataclass(frozen=True, slots=True)
class Found:
    """A decision line of the record, parsed.

    `leased` says that the id asked for is that of a use, and `decision` the one it was leased from. `judgements` is how
    many decisions of this id there are: a store is judged part by part, a long reply again and again. `cut_by` is the
    code that ended the reply early.
    """

    decision: dict[str, Any]
    leased: bool
    judgements: int
    cut_by: str | None


def find(file: Path, decision_id: str) -> Found | None:
    """Return the decision with this id, the one it was leased from for a use, None when there is none.

    Of several judgements the first refusal is meant, or else the first. Raises OSError.
    """
    decisions, origin, cut_by = _named(file, decision_id)
    leased = not decisions and origin is not None
    if leased:
        decisions, _, _ = _named(file, str(origin))
    if not decisions:
        return None
    refused = (one for one in decisions if not _allowed(one))
    return Found(next(refused, decisions[0]), leased, len(decisions), cut_by)


def _allowed(document: dict[str, Any]) -> bool:
    verdict = document.get("decision")
    return isinstance(verdict, dict) and verdict.get("allow") is True


def _named(file: Path, decision_id: str) -> tuple[list[dict[str, Any]], str | None, str | None]:
    decisions: list[dict[str, Any]] = []
    origin = cut_by = None
    for document in _mentioning(file, decision_id):
        if document.get("decision_id") != decision_id:
            continue
        kind = document.get("type")
        if kind == "decision":
            decisions.append(document)
        elif kind == "use":
            origin = document.get("leased_from")
        elif kind == "completion":
            cut_by = document.get("cut_by")
    return decisions, origin, cut_by


def _mentioning(file: Path, text: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that hold a text; what cannot be read is left out, as in a search."""
    wanted = text.encode("utf-8", "backslashreplace")
    for _, stream in open_in_order(file):
        for line in lines(stream):
            if wanted not in line:
                continue
            try:
                document = orjson.loads(line)
            except ValueError:
                continue
            if isinstance(document, dict):
                yield document
