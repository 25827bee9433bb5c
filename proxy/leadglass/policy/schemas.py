"""JSON Schema (draft-07), compiled once: what an input, a decision and a table must look like.

A keyword that the validator does not know would be a rule that is never checked, so it is an error here.
Source: JSON Schema draft-07.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import fastjsonschema
import orjson

from leadglass.model.errors import ConfigurationError

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_PLAIN: Final = frozenset(
    {
        *("$schema", "$id", "$ref", "$comment", "title", "description", "examples", "type", "enum", "const", "format"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("pattern", "required", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    }
)
_ONE: Final = frozenset(
    {"additionalProperties", "additionalItems", "contains", "propertyNames", "not", "if", "then", "else"}
)
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf"})
_NAMED: Final = frozenset({"properties", "patternProperties", "definitions"})
_STEP: Final = re.compile(r"\[([0-9]+)\]|\.?([^.\[\]]+)")


class SchemaFault(Exception):
    """A value does not fit. `path` leads to the part; `problem` says what is wrong, without quoting the value."""

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(f"{'.'.join(map(str, path)) or 'value'} {problem}")
        self.path, self.problem = path, problem


class Schema:
    """One compiled schema."""

    def __init__(self, where: str, text: bytes) -> None:
        """Compile. Raises ConfigurationError for what is no schema, or one with keywords that would not be checked."""
        try:
            schema = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ConfigurationError(f"not JSON: {error}", where=where) from None
        if not isinstance(schema, dict) or schema.get("$schema", _DRAFT) != _DRAFT:
            raise ConfigurationError(f"is not a draft-07 schema ({_DRAFT})", where=where)
        _known(schema, where)
        schema.pop("$id", None)  # references are within the file
        self.document: Mapping[str, Any] = schema
        try:
            self._check: Callable[[Any], Any] = fastjsonschema.compile(schema, use_default=False)
        except (fastjsonschema.JsonSchemaDefinitionException, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"is not a usable schema: {error}", where=where) from None

    def check(self, value: object) -> None:
        """Raise SchemaFault unless `value` fits."""
        try:
            self._check(value)
        except fastjsonschema.JsonSchemaValueException as error:
            path = _path(error.name.removeprefix("data"))
            problem = error.message.removeprefix(error.name).strip()
            raise SchemaFault(path, problem) from None


def _path(name: str) -> tuple[str | int, ...]:
    return tuple(int(index) if index else key for index, key in _STEP.findall(name))


def _known(schema: object, where: str) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise ConfigurationError("a schema must be an object or true or false", where=where)
    for keyword, value in schema.items():
        if keyword in _NAMED:
            for part in value.values():
                _known(part, where)
        elif keyword in _MANY or (keyword == "items" and isinstance(value, list)):
            for part in value:
                _known(part, where)
        elif keyword in _ONE or keyword == "items":
            _known(value, where)
        elif keyword not in _PLAIN:
            raise ConfigurationError(f"the keyword {keyword!r} would not be checked", where=where)
