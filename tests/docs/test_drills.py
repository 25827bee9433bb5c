"""Every drill that a page names has its test, and every test of a drill is named."""

import ast
import re
from pathlib import Path

import pytest

from support.docs import ROOT, page

DRILLS = "tests/system/test_drills.py"
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)::(test_[a-z_]+)`")
WANTED = {"PACS down", "IdP down", "disk full", "certificate expired", "clock wrong", "restore to new hardware"}


def rows(text: str) -> dict[str, tuple[str, str]]:
    """Return drill -> file and test, of the table under the heading Drills."""
    section = text.partition("\n## Drills\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    found = {}
    for line in lines:
        if line.startswith("|---"):
            continue
        named = NAMED.search(line)
        assert named is not None, f"no test is named: {line}"
        found[line.split("|")[1].strip()] = (named[1], named[2])
    return found


def tried(file: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_drill_has_its_test() -> None:
    named = rows(page("docs/runbook.md"))
    assert set(named) >= WANTED
    for drill, (file, test) in named.items():
        assert test in tried(ROOT / file), drill
    assert tried(ROOT / DRILLS) == {test for file, test in named.values() if file == DRILLS}


def test_a_drill_without_a_test_is_seen() -> None:
    with pytest.raises(AssertionError, match="no test is named"):
        rows("\n## Drills\n\n| drill | test |\n| earthquake | none |\n")
