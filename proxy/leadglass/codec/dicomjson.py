"""DICOM JSON (PS3.18 annex F): rows of a search or metadata reply, read within bounds, and written again.

A row maps tags (`0020000D`) to attributes (`{"vr": "UI", "Value": [...]}`). What is judged is written anew from the
parsed rows: a member that came twice, say, is then the same for the policy and for the reader.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import orjson

from leadglass.limits import JUDGED_JSON_BYTES, NESTING_DEPTH
from leadglass.model.errors import refuse
from leadglass.model.reasons import Code

Row: TypeAlias = dict[str, Any]
Fault: TypeAlias = Callable[[str], Exception]

_LEVELS: Final = 3 * NESTING_DEPTH  # a sequence is an attribute, its list of items and an item


def _invalid(detail: str) -> Exception:
    return refuse(Code.UPSTREAM_INVALID, detail)


def parse_rows(data: bytes, fault: Fault = _invalid) -> list[Row]:
    """Parse a reply into rows; an empty body (204) is no rows.

    Raises what `fault` makes of a detail (Refusal `upstream-invalid` unless told otherwise) when the reply is not a
    list of objects of objects, is larger than JUDGED_JSON_BYTES or nests deeper than NESTING_DEPTH sequences.
    """
    if not data:
        return []
    if len(data) > JUDGED_JSON_BYTES:
        raise fault(f"JSON of more than {JUDGED_JSON_BYTES} bytes")
    try:
        rows = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise fault("not JSON") from None
    if type(rows) is not list:
        raise fault("not a list of rows")
    for row in rows:
        if type(row) is not dict:
            raise fault("a row that is no object")
        for attribute in row.values():
            if type(attribute) is not dict:
                raise fault("an attribute that is no object")
            # Nearly every value is a string or a number: only what holds more is looked into.
            value = attribute.get("Value")
            if value and type(value) is list and type(value[0]) in _CONTAINERS and _deeper(value, _LEVELS):
                raise fault(f"sequences nested deeper than {NESTING_DEPTH}")
    return rows


_CONTAINERS: Final = frozenset({dict, list})


def _deeper(value: object, levels: int) -> bool:
    """Whether containers nest deeper than `levels`. Recursion ends there, too."""
    if isinstance(value, dict):
        inside: Iterable[object] = value.values()
    elif isinstance(value, list):
        inside = value
    else:
        return False
    return levels == 0 or any(_deeper(item, levels - 1) for item in inside)


def write_rows(rows: list[Row], fault: Fault = _invalid) -> bytes:
    """Return rows as compact JSON. Raises the fault when something in them nests too deep to be written."""
    try:
        return orjson.dumps(rows)
    except TypeError:  # a depth beyond orjson's own bound, in a member that no standard names
        raise fault("JSON nested too deep") from None


def cut(row: Row, tags: Iterable[str]) -> None:
    """Take attributes out of a row."""
    for tag in tags:
        row.pop(tag, None)
