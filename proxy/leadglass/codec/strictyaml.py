"""Strict YAML 1.2 (https://yaml.org/spec/1.2.2): one document, no key twice, no directive, no tag, a line for every part.

What two readers could read differently is refused: `NO` is the text NO, and neither `%YAML 1.1` nor `!!bool` can make
it false. What a tree may hold beyond that is for the caller, whose file it is.
"""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scanner import RoundTripScanner, Scanner, ScannerError

from leadglass.model.errors import ConfigurationError

_DIRECTIVE: Final = "YAML directives are not taken"
_TAG: Final = "YAML tags are not taken"
_HINTS: Final = {
    _DIRECTIVE: "remove the line with %",
    _TAG: "remove the tag, or put quotes around text that begins with !",
}


class _Strict:
    """Refuses what changes how other text is read. Of the scanner, which alone knows where a line begins."""

    reader: Any

    def fetch_directive(self) -> NoReturn:
        raise ScannerError(None, None, _DIRECTIVE, self.reader.get_mark())

    def fetch_tag(self) -> NoReturn:
        raise ScannerError(None, None, _TAG, self.reader.get_mark())


class _WithLines(_Strict, RoundTripScanner):
    """For a tree with lines."""


class _Plain(_Strict, Scanner):
    """For plain data."""


def load(where: str, text: bytes, *, lines: bool = True) -> Any:  # noqa: ANN401 - what YAML holds
    """Return the tree in `text`; `where` names the file in errors. Raises ConfigurationError with file and line.

    Without `lines` it is read in less time, as plain data that `line` cannot look into.
    """
    yaml = YAML(typ="rt") if lines else YAML(typ="safe", pure=True)
    yaml.Scanner = _WithLines if lines else _Plain
    yaml.allow_duplicate_keys = False
    try:
        return yaml.load(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigurationError("is not UTF-8", where=where, hint="save it as UTF-8") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (
            str(error.problem or "not YAML").splitlines()[0].partition(" with value")[0]
        )  # a value may be of people
        raise ConfigurationError(
            problem,
            where=f"{where}:{mark.line + 1 if mark else 1}",
            hint=_HINTS.get(problem, "a key may stand once, and text that looks like something else needs quotes"),
        ) from None
    except (YAMLError, RecursionError, ValueError):
        raise ConfigurationError("is not YAML", where=where, hint="mend the YAML") from None


def spelt_out(tree: object, depth: int) -> None:
    """Make sure that each part of a tree stands where it is written, within `depth` levels.

    Ten lines of aliases could stand for gigabytes. Raises ValueError.
    """
    _spelt_out(tree, set(), depth)


def _spelt_out(node: object, seen: set[int], depth: int) -> None:
    if not isinstance(node, dict | list):
        return
    if depth == 0:
        raise ValueError("nested too deeply")
    if id(node) in seen:
        raise ValueError("anchors and aliases are not taken")
    seen.add(id(node))
    for item in node.values() if isinstance(node, dict) else node:
        _spelt_out(item, seen, depth - 1)


def line(tree: object, path: Sequence[str | int]) -> int:
    """Return the line (1-based) of the deepest part of `path` that a tree with lines has."""
    node: Any = tree
    found = 0
    for step in path:
        try:
            marks = node.lc
            found = (marks.item if isinstance(node, list) else marks.key)(step)[0]
            node = node[step]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return found + 1
