"""JSON that every reader understands alike (I-JSON, RFC 7493): what two parsers could read differently is refused."""

import json
import math
from typing import Any, Final, NoReturn

from leadglass.limits import NESTING_DEPTH

INTEGER_MAX: Final = 2**53 - 1  # RFC 7493 section 2.2


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def loads(data: bytes, depth: int = NESTING_DEPTH) -> Any:  # noqa: ANN401 - JSON is of any type
    """Return the value that `data` holds. Raises ValueError.

    Refused: what is not UTF-8, members that repeat, lone surrogates, NaN and infinities, integers beyond 2^53-1, more
    than `depth` levels, anything after the value.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    _walk(value, depth)
    return value


def _walk(value: object, depth: int) -> None:
    if isinstance(value, str):
        value.encode("utf-8")  # UnicodeEncodeError is a ValueError
    elif isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise ValueError("an integer beyond 2^53-1")
    elif isinstance(value, float):
        if not math.isfinite(value):  # 1e999
            raise ValueError("a number too large")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError("nested too deep")
        for item in value:
            _walk(item, depth - 1)
        if isinstance(value, dict):
            for item in value.values():
                _walk(item, depth - 1)
