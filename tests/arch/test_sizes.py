"""A file over 400 lines or a function over 60 is a sign that two ideas share it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES = 400
FUNCTION_LINES = 60


def sources() -> list[Path]:
    return sorted(p for top in ("proxy", "agent", "release", "tests", "bench") for p in (ROOT / top).rglob("*.py"))


def long_functions(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES
    assert list(long_functions(text)) == []


def test_a_long_function_is_seen() -> None:
    body = "\n".join("    x = 1" for _ in range(FUNCTION_LINES))
    assert list(long_functions(f"def f():\n{body}\n")) == ["f has 61 lines"]
