"""Reading leadglass.yaml: strict YAML 1.2, strict types, and every fault with file, line and path.

The one place that reads the environment, and only for settings that say `env:NAME`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from leadglass.codec import strictyaml
from leadglass.config.settings import Settings
from leadglass.limits import MIB
from leadglass.model.errors import ConfigurationError
from leadglass.model.settings import ResolveContext

_FILE_BYTES = MIB


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in the file. `line` is 1-based; `path` is the dotted way to the setting."""

    file: str
    line: int
    path: str
    problem: str
    fix: str = ""

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.path}: {self.problem}"
            if self.path
            else (f"{self.file}:{self.line}: {self.problem}")
        )


class Document:
    """A YAML file as plain data that still knows its lines."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            text = file.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"cannot read {file}: {error.strerror}", hint="`leadglass init` writes one to start from"
            ) from None
        if len(text) > _FILE_BYTES:
            raise ConfigurationError(f"{file} is larger than {_FILE_BYTES} bytes", hint="is this the right file?")
        self._tree = strictyaml.load(str(file), text)

    @property
    def json(self) -> bytes:
        """The data as JSON. Raises ConfigurationError for what JSON cannot say (dates, binary, aliases to itself)."""
        try:
            return orjson.dumps(_plain(self._tree))
        except (TypeError, RecursionError, orjson.JSONEncodeError):
            raise ConfigurationError(
                "holds a value that is neither text, number, true/false, list nor mapping",
                where=str(self.file),
                hint="quote dates and times",
            ) from None

    def secrets(self) -> Iterator[tuple[tuple[str | int, ...], Path]]:
        """Yield where a secret is named by `file:PATH`, and that file."""
        for path, value in _leaves(self._tree, ()):
            if isinstance(value, str) and value.startswith("file:"):
                yield path, self.file.absolute().parent / value.removeprefix("file:")

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line (1-based) of the deepest part of `path` that the file has."""
        return strictyaml.line(self._tree, path)


def _leaves(node: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    if not isinstance(node, Mapping | list):
        yield path, node
        return
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
        yield from _leaves(value, (*path, key))


def _plain(node: object) -> object:
    if isinstance(node, Mapping):
        return {str(key) if isinstance(key, str) else key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (str, int, float):  # ruamel's scalars are subclasses that carry their style
        if isinstance(node, kind):
            return kind(node)
    return node


_REFERENCE = "docs/configuration.md"
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a setting",
    "too_short": "must hold at least {min_length}",
    "too_long": "may hold at most {max_length}",
    "string_too_short": "must not be empty",
    "model_type": "must be a mapping of settings",
}


def _fault(document: Document, error: ErrorDetails) -> Fault:
    path = tuple(part for part in error["loc"] if part != "[key]")  # how pydantic says that the key itself is at fault
    shown = ".".join(map(str, path))
    words = _WORDS.get(error["type"])
    problem = words.format(**error.get("ctx", {})) if words else error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        fix = f"add it; {_REFERENCE} says what it is"
    elif error["type"] == "extra_forbidden":
        near = get_close_matches(str(path[-1]), _names(Settings), n=1, cutoff=0.75)
        fix = f"is {near[0]} meant? else remove it" if near else f"remove it; {_REFERENCE} lists all there are"
    else:
        row = "".join("[]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
        fix = f"{_REFERENCE} says what {row or 'the file'} may be"
    return Fault(str(document.file), document.line(path), shown, problem, fix)


def _names(model: type[BaseModel]) -> set[str]:
    """Return the names of all settings, whatever mapping they belong to."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                names |= _names(kind)
    return names


def _faults(document: Document, error: ValidationError) -> list[Fault]:
    """Return the faults in `document` that pydantic found, in the order of their lines.

    A list all of whose items are wrong is not also too short.
    """
    details = error.errors(include_url=False, include_input=False)
    wrong = {other["loc"][:depth] for other in details for depth in range(len(other["loc"]))}
    told = [one for one in details if not (one["type"] == "too_short" and one["loc"] in wrong)]
    return sorted((_fault(document, detail) for detail in told), key=lambda fault: fault.line)


def parse(file: Path) -> Settings | list[Fault]:
    """Read `file` and return its settings, or every fault. Raises ConfigurationError when it cannot be read at all."""
    document = Document(file)
    context: ResolveContext = {
        "base": file.absolute().parent,  # not resolved: a link, as Kubernetes mounts it, may move under us
        "environ": os.environ,  # noqa: TID251 - this is the door
    }
    try:
        return Settings.model_validate_json(document.json, context=context)
    except ValidationError as error:
        return _faults(document, error)


def load(file: Path) -> Settings:
    """Return the settings in `file`. Raises ConfigurationError that names the first fault and counts the rest."""
    result = parse(file)
    if isinstance(result, Settings):
        return result
    more = f" (and {len(result) - 1} more)" if len(result) > 1 else ""
    raise ConfigurationError(f"{result[0]}{more}", hint=f"`leadglass config check -c {file}` lists every fault")
