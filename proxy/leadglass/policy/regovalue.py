"""Rego values as text: read what `opa_value_dump` writes, and write what Rego's own `%v` shows.

JSON has no sets; Rego writes them `{1, 2}` and the empty one `set()`. Numbers written without a fraction or an
exponent are integers of any size, as in OPA.
"""

import json
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from leadglass import limits

Value: TypeAlias = "bool | int | float | str | list[Value] | Set | Object | None"


@dataclass(frozen=True, slots=True)
class Set:
    """A set, its members in Rego's order."""

    members: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Object:
    """An object; keys may be any value."""

    pairs: tuple[tuple["Value", "Value"], ...]


_DECODE: Final = json.JSONDecoder()
_BARE: Final = re.compile(r"-?\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_ESCAPES: Final = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def parse(text: bytes) -> Value:
    """Read one value. Raises ValueError on anything else."""
    reader = _Reader(text.decode())
    value = reader.value(0)
    reader.end()
    return value


class _Reader:
    """A recursive descent over the text, bounded in depth."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise ValueError("trailing text")

    def value(self, depth: int) -> Value:
        if depth > limits.POLICY_NESTING:
            raise ValueError("nested too deeply")
        self._blank()
        text, at = self._text, self._at
        if text.startswith("set()", at):
            self._at += 5
            return Set(())
        first = text[at : at + 1]
        if first == "[":
            return [value for value, _ in self._members("]", depth)]
        if first == "{":
            return self._braces(depth)
        if bare := _BARE.match(text, at):  # Rego keeps a number as it was written, `.5` too
            self._at = bare.end()
            return float(bare[0])
        try:
            scalar, self._at = _DECODE.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(str(error)) from None
        if scalar is None or isinstance(scalar, bool | int | float | str):
            return scalar
        raise ValueError("not a scalar")

    def _braces(self, depth: int) -> "Set | Object":
        members = self._members("}", depth)
        if members and all(value is None for _, value in members):
            return Set(tuple(key for key, _ in members))
        pairs = [(key, value[0]) for key, value in members if value is not None]
        if len(pairs) != len(members):
            raise ValueError("half a set, half an object")
        return Object(tuple(pairs))

    def _members(self, close: str, depth: int) -> "list[tuple[Value, tuple[Value] | None]]":
        members: list[tuple[Value, tuple[Value] | None]] = []
        self._at += 1
        while True:
            self._blank()
            if self._take(close):
                return members
            if members and not self._take(","):
                raise ValueError("a comma is missing")
            key = self.value(depth + 1)
            self._blank()
            paired = close == "}" and self._take(":")
            members.append((key, (self.value(depth + 1),) if paired else None))

    def _take(self, mark: str) -> bool:
        if found := self._text.startswith(mark, self._at):
            self._at += len(mark)
        return found

    def _blank(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1


def quote(text: str) -> str:
    """Quote as Go's `%q` does: printable characters stay, the rest are escaped."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char.isprintable():
            out.append(char)
        elif char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif ord(char) < 0x80:  # noqa: PLR2004 - ASCII
            out.append(f"\\x{ord(char):02x}")
        else:
            out.append(f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}")  # noqa: PLR2004 - BMP
    return '"' + "".join(out) + '"'


def show(value: Value) -> str:
    """Write a value as Rego writes it inside another."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, Set):
        return "{" + ", ".join(map(show, value.members)) + "}" if value.members else "set()"
    if isinstance(value, Object):
        return "{" + ", ".join(f"{show(key)}: {show(member)}" for key, member in value.pairs) + "}"
    return json.dumps(value)  # null, true, false and numbers
