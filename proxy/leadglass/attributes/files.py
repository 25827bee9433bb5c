"""Files of data that people edit: strict YAML 1.2 or JSON, as plain data that can name the line of a fault.

Refused: what `codec.strictyaml` refuses, aliases (ten lines could stand for gigabytes), and whatever JSON cannot say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from leadglass.codec import strictjson, strictyaml
from leadglass.limits import NESTING_DEPTH
from leadglass.model.errors import ConfigurationError, ConfigurationErrors


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a file as JSON, and the text it came from."""

    path: Path
    text: bytes
    json: bytes

    def fault(self, at: Sequence[str | int], problem: str) -> ConfigurationError:
        """Return the error for what stands at a path into the data."""
        return self.faults([(at, problem)])

    def faults(self, told: Iterable[tuple[Sequence[str | int], str]], hint: str = "") -> ConfigurationErrors:
        """Return the error for what is told of paths into the data."""
        file = str(self.path)
        plain = self.path.suffix == ".json"
        tree = None if plain else strictyaml.load(file, self.text)  # anew: only faults need lines
        return ConfigurationErrors(
            [
                ConfigurationError(
                    f"{'.'.join(map(str, at))}: {problem}" if at else problem,
                    where=file if plain else f"{file}:{strictyaml.line(tree, at)}",
                    hint=hint,
                )
                for at, problem in told
            ]
        )


def read(path: Path, yaml_bytes: int, json_bytes: int) -> Document:
    """Read a file of at most so many bytes; JSON by its suffix. Raises ConfigurationError."""
    is_json = path.suffix == ".json"
    limit = json_bytes if is_json else yaml_bytes
    try:
        with path.open("rb") as file:
            text = file.read(limit + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(text) > limit:
        hint = "" if is_json else "write long lists as JSON: they may be larger and are read faster"
        raise ConfigurationError(f"is larger than {limit} bytes", where=str(path), hint=hint)
    try:
        value = strictjson.loads(text) if is_json else _yaml(path, text)
        return Document(path, text, orjson.dumps(value))
    except (ValueError, TypeError) as error:  # also of orjson, for what JSON cannot say
        kind = "JSON" if is_json else "YAML"
        raise ConfigurationError(f"is not usable {kind}: {str(error).splitlines()[0]}", where=str(path)) from None


def _yaml(path: Path, text: bytes) -> object:
    value = strictyaml.load(str(path), text, lines=False)
    strictyaml.spelt_out(value, NESTING_DEPTH)
    return value
