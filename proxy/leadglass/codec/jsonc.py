"""JSON as configuration files of others have it: comments, commas behind the last value, and `${NAME}` of an environment.

What JsonCpp (Orthanc) reads is read: `//` and `/* */` outside of strings, a comma too many. `${NAME:-default}` becomes its
default, as Orthanc puts it in place before it reads; `${NAME}` stays as it is, a text where it stood for another value:
whose environment that is, only the other program knows. A name that stands twice in one object is refused: JsonCpp takes
the last without a word, and a person who reads the file takes the first.
"""

import json
import re
from typing import Any, Final

from leadglass.codec import strictjson

# No two alternatives begin alike, and nothing is repeated within a repetition: a hostile file costs no more than its length.
_STRING: Final = r'(?P<string>"(?:[^"\\\n]|\\.)*+")'
_PARTS: Final = re.compile(
    _STRING
    + r'|(?P<comment>//[^\n]*+|/\*.*?\*/)|(?P<open>/\*|")|(?P<variable>\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}"\n]*)?\})',
    re.DOTALL,
)
_COMMAS: Final = re.compile(_STRING + r"|,(?=\s*+[}\]])", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def variables(text: str) -> tuple[str, ...]:
    """Return the names of an environment that a text needs to be known."""
    return tuple(match[1] for match in _VARIABLE.finditer(text) if match[2] is None)


def _settled(text: str) -> str:
    return _VARIABLE.sub(lambda match: match[0] if match[2] is None else match[2], text)


def _part(match: re.Match[str]) -> str:
    text = match[0]
    if match["string"]:
        return _settled(text)
    if match["open"]:
        raise ValueError(f"{'a comment' if text == '/*' else 'a string'} is never closed")
    if match["variable"]:
        settled = _settled(text)
        return json.dumps(text) if settled == text else settled
    return "\n" * text.count("\n") + " "  # lines stay where they are


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{json.dumps(twin[:64])} stands twice in one object")
    return members


def loads(data: bytes) -> Any:  # noqa: ANN401 - JSON is of any type
    """Return the value that `data` holds. Raises ValueError, with the line where there is one.

    Bounds are those of strict JSON: UTF-8, no twins, no infinities, a bounded nesting.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"is not UTF-8 (line {line})") from None
    plain = _COMMAS.sub(lambda match: match["string"] or "", _PARTS.sub(_part, text))
    try:
        json.loads(plain, object_pairs_hook=_no_twins)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} (line {error.lineno})") from None
    except RecursionError:
        raise ValueError("is nested too deep") from None
    return strictjson.loads(plain.encode())
