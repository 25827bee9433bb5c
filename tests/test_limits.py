"""Every bound is a positive constant that something reads, and they fit one another."""

import ast
import re
from pathlib import Path

import pytest

from leadglass import limits

LINES = Path(limits.__file__).read_text(encoding="utf-8").splitlines()
SOURCES = [
    path.read_text(encoding="utf-8") for path in Path(limits.__file__).parent.rglob("*.py") if path.name != "limits.py"
]
NAMED = [
    (node.target.id, node.lineno)
    for node in ast.parse("\n".join(LINES)).body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
]


@pytest.mark.parametrize(("name", "line"), NAMED, ids=[name for name, _ in NAMED])
def test_every_bound_is_final_and_positive(name: str, line: int) -> None:
    value = getattr(limits, name)
    assert isinstance(value, int | float)
    assert value > 0
    assert "Final" in LINES[line - 1]


@pytest.mark.parametrize("name", [name for name, _ in NAMED])
def test_every_bound_bounds_something(name: str) -> None:
    used = re.compile(rf"\b{name}\b")
    assert any(used.search(text) for text in SOURCES) or any(used.search(line.partition("=")[2]) for line in LINES), (
        f"{name} is read nowhere"
    )


def test_bounds_fit_one_another() -> None:
    assert limits.STORE_HEADER_BYTES < limits.STORE_BYTES
    assert limits.SEARCH_ROWS <= limits.STUDIES_JUDGED
    assert 3 * limits.PROVIDER_SECONDS < limits.CONTROL_SECONDS  # metadata, code and keys: then it is said why
    assert limits.FACTS_RECHECK_SECONDS < limits.FACTS_SECONDS
    assert limits.QUERY_VALUE_CHARS < limits.HEAD_BYTES
