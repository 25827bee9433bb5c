"""The pages of the project as tests read them, and the generator beside them."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(```+)([^\n]*)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_LEFT_OUT = {".venv", ".tools", "vectors", ".git", "node_modules"}


def generator() -> ModuleType:
    """Return docs/generate.py as a module."""
    known = sys.modules.get("docs_generate")
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_generate"] = module
    spec.loader.exec_module(module)
    return module


def pages() -> list[Path]:
    """Return every Markdown page of the tree."""
    return sorted(path for path in ROOT.rglob("*.md") if not _LEFT_OUT.intersection(path.relative_to(ROOT).parts))


def page(name: str) -> str:
    """Return the text of one page, such as `docs/cli.md`."""
    return (ROOT / name).read_text(encoding="utf-8")


def fences(text: str, *languages: str) -> Iterator[str]:
    """Yield the fenced blocks in these languages."""
    for match in _FENCE.finditer(text):
        if match[2].strip() in languages:
            yield match[3]


def prose(text: str) -> str:
    """Return the page without its fenced blocks."""
    return _FENCE.sub("", text)


def rows(text: str) -> set[str]:
    """Return what stands in backticks in the first cell of the page's table rows."""
    return set(re.findall(r"^\| `([^`]+)`", text, re.MULTILINE))
