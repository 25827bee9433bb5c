"""A permit is made by the policy package alone, a sealed body by the obligation plan alone (law 6)."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "proxy" / "leadglass"
MAKERS = {"Permit": "policy", "Sealed": "obligations"}
COPIERS = {"replace", "copy", "deepcopy", "__new__", "__replace__", "_make", "loads"}


def makers(text: str) -> Iterator[tuple[str, int]]:
    """Yield every place where one of the guarded types is called, aliased, subclassed or built around its door."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in MAKERS:
                yield name, node.lineno
            if name in COPIERS | {"partial", "cast", "map"}:
                yield from ((one, node.lineno) for one in _named(node.args) if name != "cast")
        elif isinstance(node, ast.ClassDef):
            yield from ((one, node.lineno) for one in _named(node.bases))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            yield from ((one, node.lineno) for one in _named([node.value]))
        elif isinstance(node, ast.alias) and node.asname and node.name in MAKERS:
            yield node.name, node.lineno


def _named(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name in MAKERS:
            yield name


def test_only_their_packages_make_permits_and_sealed_bodies() -> None:
    found = []
    for file in sorted(ROOT.rglob("*.py")):
        package = file.relative_to(ROOT).parts[0]
        for name, line in makers(file.read_text(encoding="utf-8")):
            if MAKERS[name] != package:
                found.append(f"{file.relative_to(ROOT)}:{line}: {name}")
    assert found == []


def test_permits_are_made_in_one_file() -> None:
    made = {file.name for file in (ROOT / "policy").rglob("*.py") if list(makers(file.read_text(encoding="utf-8")))}
    assert made == {"permits.py"}


def test_planted_makers_are_seen() -> None:
    planted = [
        "Permit(decision, question)",
        "permit.Permit(1, 2)",
        "P = Permit",
        "from leadglass.model.permit import Permit as P",
        "class Mine(Permit): pass",
        "object.__new__(Permit)",
        "functools.partial(Sealed, 200)",
        "map(model.Sealed, rows)",
    ]
    for text in planted:
        assert list(makers(text)), text
    assert list(makers("def f(permit: Permit) -> Sealed: ...")) == []
