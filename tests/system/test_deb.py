"""The agent's Debian package: what is in it, and installed, run, upgraded and purged on this machine."""

import json
import os
import re
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from leadglass_agent import __version__
from release import stage
from release.deb import build
from support.tools import missing, tool

Staged = tuple[Path, build.Target]
NAME = "leadglass-agent"
STATE = Path("/var/lib/leadglass-agent")

pytestmark = pytest.mark.system


def ran(*words: str | Path, code: int = 0, environment: dict[str, str] | None = None) -> str:
    command, given = [*map(str, words)], {**os.environ, **(environment or {})}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def packages(staged: Staged, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the package, and a newer one."""
    tool("dpkg-deb")
    root, target = staged
    folder = tmp_path_factory.mktemp("packages")
    return [build.pack(root, replace(target, revision=one), folder, compression="none") for one in ("1", "2")]


def members(package: Path) -> list[tarfile.TarInfo]:
    done = subprocess.run([tool("dpkg-deb"), "--fsys-tarfile", str(package)], capture_output=True, check=True)
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        return archive.getmembers()


def test_it_says_what_it_is_and_needs(packages: list[Path], staged: Staged) -> None:
    _, target = staged
    minor = int(target.python.partition(".")[2])
    fields = dict(
        re.findall(r"^([A-Z][\w-]+): (.*)$", ran("dpkg-deb", "--field", packages[0]), re.MULTILINE),
    )
    assert fields["Package"] == NAME
    assert fields["Version"] == f"{__version__}-1+py{target.python}"
    assert fields["Depends"] == f"python3 (>= 3.{minor}), python3 (<< 3.{minor + 1}), libc6 (>= 2.28)"
    assert packages[0].name == f"{NAME}_{fields['Version']}_{fields['Architecture']}.deb"


def test_it_puts_files_where_packages_may_and_they_are_roots(packages: list[Path]) -> None:
    found = members(packages[0])
    tops = {"/".join(member.name.split("/")[1:4]) for member in found if not member.isdir()}
    assert tops == {f"usr/bin/{NAME}", f"usr/lib/{NAME}", "usr/lib/systemd", "usr/share/doc", "usr/share/man"}
    for member in found:
        assert (member.uid, member.gid) == (0, 0), member.name
        program = member.isdir() or member.name == f"./usr/bin/{NAME}"
        assert stat.S_IMODE(member.mode) == (0o755 if program else 0o644), member.name
        assert int(member.mtime) <= stage.epoch() or os.environ.get("SOURCE_DATE_EPOCH"), member.name
    assert not [member.name for member in found if member.name.endswith(".pyc")]
    assert not [member.name for member in found if member.name.startswith(f"./usr/lib/{NAME}/leadglass/")], (
        "the gateway"
    )


def test_nothing_in_it_names_the_machine_it_was_built_on(staged: Staged) -> None:
    root, _ = staged
    ours = str(stage.ROOT).encode()
    texts = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".so"]
    assert [str(path) for path in texts if ours in path.read_bytes()] == []


def test_the_same_tree_gives_the_same_package(packages: list[Path], staged: Staged, tmp_path: Path) -> None:
    root, target = staged
    again = build.pack(root, target, tmp_path, compression="none")
    assert again.read_bytes() == packages[0].read_bytes()
    other = build.pack(root, replace(target, revision="3"), tmp_path, compression="none")
    assert other.read_bytes() != packages[0].read_bytes()


def test_the_list_of_what_is_in_it_is_valid_and_whole(staged: Staged) -> None:
    root, _ = staged
    text = (root / f"usr/share/doc/{NAME}/sbom.cdx.json").read_text(encoding="utf-8")
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str('{"bomFormat": "Other"}') is not None, "a fault is seen"
    document = json.loads(text)
    about = document["metadata"]["component"]
    assert (about["name"], about["version"]) == (NAME, __version__)
    listed = {f"{one['name']}-{one['version']}".lower().replace("_", "-") for one in document["components"]}
    folders = {path.name for path in (root / f"usr/lib/{NAME}").glob("*.dist-info")}
    there = {name.removesuffix(".dist-info").lower().replace("_", "-") for name in folders}
    assert listed == there - {f"leadglass-{__version__}"}
    assert [one["name"] for one in document["components"] if not one.get("licenses") or not one.get("purl")] == []
    (root_needs,) = [one["dependsOn"] for one in document["dependencies"] if one["ref"] == about["bom-ref"]]
    assert {one.partition("==")[0] for one in root_needs} == {
        "aiohttp",
        "cryptography",
        "orjson",
        "psutil",
        "rich",
        "typer",
    }


@pytest.mark.parametrize("name", ["postinst", "prerm", "postrm"])
def test_scripts_of_the_package_are_sound(name: str) -> None:
    file = stage.ROOT / f"release/deb/{name}"
    assert file.read_text(encoding="utf-8").startswith("#!/bin/sh\nset -e\n")
    ran("sh", "-n", file)


@pytest.fixture
def free_machine() -> Iterator[None]:
    """A machine that lets packages be installed, and knows nothing of this one; left as it was."""
    if os.geteuid() or not Path("/usr/bin/py3compile").exists():
        missing("Debian, as root, with python3")
    dpkg = tool("dpkg")
    if STATE.exists() or subprocess.run([dpkg, "-s", NAME], capture_output=True, check=False).returncode == 0:
        pytest.skip(f"{NAME} is on this machine already, and stays as it is")
    try:
        yield
    finally:
        subprocess.run([dpkg, "--purge", NAME], capture_output=True, check=False)


@pytest.mark.timeout(300)
def test_it_is_installed_runs_is_upgraded_and_leaves_nothing(
    packages: list[Path], free_machine: None, tmp_path: Path
) -> None:
    first, second = packages
    unit = Path("/etc/systemd/system/multi-user.target.wants/leadglass-agent.service")
    ran("dpkg", "--force-unsafe-io", "--install", first)
    assert ran("/usr/bin/leadglass-agent", "--version") == f"{NAME} {__version__}\n"
    (tmp_path / "typer.py").write_text("raise SystemExit('planted')\n", encoding="utf-8")
    planted = {"PYTHONPATH": str(tmp_path)}
    assert ran("/usr/bin/leadglass-agent", "--version", environment=planted) == f"{NAME} {__version__}\n"
    assert "no device is enrolled" in ran("/usr/bin/leadglass-agent", "status", code=1)
    assert json.loads(ran("/usr/bin/leadglass-agent", "report", "--json", code=1))["forbidden_software"]
    assert stat.S_IMODE(STATE.stat().st_mode) == 0o700
    assert unit.is_symlink()
    assert "/usr/bin/leadglass-agent run" in unit.resolve().read_text(encoding="utf-8")
    assert ran("dpkg", "--verify", NAME) == ""
    assert list(Path(f"/usr/lib/{NAME}/leadglass_agent/__pycache__").glob("cli.*.pyc")), "compiled, once"

    kept = STATE / "agent.toml"
    kept.write_text("report_every = 60\n", encoding="utf-8")
    ran("dpkg", "--force-unsafe-io", "--install", second)
    assert "-2+py" in ran("dpkg-query", "--show", NAME)
    assert kept.read_text(encoding="utf-8") == "report_every = 60\n"
    assert unit.is_symlink()
    ran("dpkg", "--remove", NAME)
    assert kept.exists()
    assert not Path(f"/usr/lib/{NAME}").exists()
    ran("dpkg", "--purge", NAME)
    assert not STATE.exists()
    assert not [*Path("/etc/systemd/system").rglob("leadglass-agent*")]
    assert not [*Path("/var/lib/systemd").rglob("leadglass-agent*")]


@pytest.mark.parametrize(("older", "newer"), [("3.11", "3.13"), ("3.9", "3.11")])
def test_a_package_for_a_newer_python_is_newer(older: str, newer: str) -> None:
    versions = [build.Target(python, "amd64").version for python in (older, newer)]
    ran(tool("dpkg"), "--compare-versions", versions[0], "lt", versions[1])
