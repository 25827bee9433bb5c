"""The import contracts of pyproject.toml hold, and they bite."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": f"{folder / 'proxy'}:{folder / 'agent'}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_planted_upward_import_breaks_the_contract(tmp_path: Path) -> None:
    for name in ("proxy", "agent"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    clean = lint(tmp_path)
    assert clean.returncode == 0, clean.stdout
    limits = tmp_path / "proxy/leadglass/limits.py"
    limits.write_text(limits.read_text() + "\nimport leadglass.app\n")
    assert lint(tmp_path).returncode != 0


def test_a_planted_cryptography_import_breaks_the_contract(tmp_path: Path) -> None:
    for name in ("proxy", "agent"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / "proxy/leadglass/access/planted.py"
    planted.write_text("import cryptography\n")
    assert lint(tmp_path).returncode != 0


def test_the_ban_on_cryptography_names_every_package_but_its_own() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (banned,) = [set(one["source_modules"]) for one in contracts if one["name"] == "Cryptography only in hazmat"]
    parts = [
        path for path in (ROOT / "proxy/leadglass").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    named = {f"leadglass.{path.stem}" for path in parts if path.stem not in {"__init__", "hazmat"}}
    assert banned == named
