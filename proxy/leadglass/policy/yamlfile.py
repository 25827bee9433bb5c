"""Tables, which people edit: strict YAML of plain values only, without aliases that make ten lines into gigabytes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from leadglass import limits
from leadglass.codec import strictyaml
from leadglass.model.errors import ConfigurationError

_EXACT: Final = 2**53  # larger numbers are not the same in every reader of JSON


class YamlFile:
    """A YAML file: `value` is plain data (dict, list, str, int, float, bool, None)."""

    def __init__(self, where: str, text: bytes) -> None:
        """Read `text`; `where` names it in errors. Raises ConfigurationError with file and line."""
        self.where = where
        if len(text) > limits.TABLE_BYTES:
            raise ConfigurationError(f"is larger than {limits.TABLE_BYTES} bytes", where=where)
        self._tree = strictyaml.load(where, text)
        self._seen: set[int] = set()
        self.value = self._plain(self._tree, ())

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line (1-based) of the deepest part of `path` that the file has."""
        return strictyaml.line(self._tree, path)

    def fault(self, path: Sequence[str | int], problem: str, hint: str = "") -> ConfigurationError:
        """Return the error for what stands at `path`."""
        shown = ".".join(map(str, path))
        return ConfigurationError(
            f"{shown}: {problem}" if shown else problem, where=f"{self.where}:{self.line(path)}", hint=hint
        )

    def _plain(self, node: object, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - what YAML holds
        if len(path) > limits.NESTING_DEPTH:
            raise self.fault(path, "nested too deeply")
        if isinstance(node, Mapping | list):
            if id(node) in self._seen:
                raise self.fault(path, "anchors and aliases are not taken", "write it out")
            self._seen.add(id(node))
        if getattr(node, "merge", None):
            raise self.fault(path, "merge keys are not taken", "write it out")
        if isinstance(node, Mapping):
            return {self._key(key, path): self._plain(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [self._plain(item, (*path, index)) for index, item in enumerate(node)]
        if node is None or isinstance(node, bool):
            return node
        if isinstance(node, str) and _encodes(node):
            return str(node)  # ruamel's scalars are subclasses that carry their style
        if isinstance(node, int | float) and abs(node) <= _EXACT:
            return int(node) if isinstance(node, int) else float(node)
        raise self.fault(path, "is neither text, plain number, true, false, list nor mapping", "quote it")

    def _key(self, key: object, path: tuple[str | int, ...]) -> str:
        if isinstance(key, str) and key != "<<" and _encodes(key):
            return str(key)
        raise self.fault((*path, str(key)), "a key must be text", "quote it")


def _encodes(text: str) -> bool:
    """Return whether every character is one (a lone surrogate is none)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
