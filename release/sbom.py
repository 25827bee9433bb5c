"""Writes what an installation is made of, in CycloneDX: every package with version, licence and what it needs.

python -m release.sbom                      dist/leadglass-VERSION.cdx.json and dist/leadglass-agent-VERSION.cdx.json
python -m release.sbom NAME FOLDER FILE     of the packages in a folder that hold the lock of NAME (gateway, agent)
"""

import json
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Any, Final

from leadglass_agent import __version__
from release import stage

NAMES: Final = {"gateway": "leadglass", "agent": "leadglass-agent"}


def write(lock: str, site: Path, file: Path) -> None:
    """Write the SBOM of the packages in `site`. Raises stage.Failed, also when it is not valid CycloneDX."""
    with tempfile.TemporaryDirectory() as folder:
        # A Python that sees these packages and no others.
        venv.create(folder, with_pip=False)
        (packages,) = Path(folder).glob("lib/python*/site-packages")
        (packages / "here.pth").write_text(f"{site.resolve()}\n", encoding="utf-8")
        made = Path(folder) / "sbom.json"
        stage.run(
            sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml", "--mc-type", "application",
            "--output-reproducible", "--spec-version", "1.6", "--output-format", "JSON", "--output-file", made,
            Path(folder) / "bin/python",
        )  # fmt: skip
        document = json.loads(made.read_text(encoding="utf-8"))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(named(document, lock), indent=2) + "\n", encoding="utf-8")


def named(document: dict[str, Any], lock: str) -> dict[str, Any]:
    """Return the SBOM with the name and version of what it is of; the agent asks for less than the project can."""
    about = document["metadata"]["component"]
    about.update(name=NAMES[lock], version=__version__, purl=f"pkg:generic/{NAMES[lock]}@{__version__}")
    if lock == "agent":
        project = tomllib.loads((stage.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted = {requirement.partition(">")[0] for requirement in project["dependencies"]}
        (root,) = [one for one in document["dependencies"] if one["ref"] == about["bom-ref"]]
        root["dependsOn"] = [one for one in root["dependsOn"] if one.partition("==")[0] in wanted]
    return document


def both() -> None:
    """Write that of the gateway and that of the agent, each from an installation of its lock. Raises stage.Failed."""
    for lock, name in NAMES.items():
        with tempfile.TemporaryDirectory() as folder:
            site, wheels = Path(folder) / "site", Path(folder) / "wheels"
            stage.wheel(wheels)
            python = f"{sys.version_info.major}.{sys.version_info.minor}"
            stage.install(lock, site, wheels, python=python, architecture=stage.own_architecture())
            file = stage.ROOT / f"dist/{name}-{__version__}.cdx.json"
            write(lock, site, file)
            sys.stdout.write(f"{file.relative_to(stage.ROOT)}\n")


def main(arguments: list[str]) -> int:
    """Write one, or both."""
    if not arguments:
        return stage.spoken(both)
    lock, site, file = arguments
    return stage.spoken(lambda: write(lock, Path(site), Path(file)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
