"""Every module has the test file that stands where the module stands."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

# Modules tested through others. This list may only shrink.
EXEMPT: dict[str, str] = {}


def mirrored(package: Path, tests: Path) -> dict[str, Path]:
    """Return module -> the test file it should have, for all modules that hold code."""
    found = {}
    for module in sorted(package.rglob("*.py")):
        relative = module.relative_to(package)
        if module.name.startswith("__") or module.name == "settings.py":
            continue  # settings are tested with the configuration as a whole
        found[str(relative)] = tests / relative.parent / f"test_{relative.name}"
    return found


def missing(modules: dict[str, Path]) -> list[str]:
    return [name for name, test in modules.items() if not test.exists()]


def test_every_module_of_the_gateway_has_its_test() -> None:
    assert sorted(missing(mirrored(ROOT / "proxy/leadglass", ROOT / "tests"))) == sorted(EXEMPT)


def test_every_module_of_the_agent_has_its_test() -> None:
    assert missing(mirrored(ROOT / "agent/leadglass_agent", ROOT / "tests/agent")) == []


def test_a_module_without_a_test_is_seen(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/alone.py").write_text("x = 1\n")
    assert missing(mirrored(tmp_path / "package", tmp_path / "tests")) == ["alone.py"]
