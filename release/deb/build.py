"""Lays the package out, and packs it."""

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from leadglass_agent import __version__
from release import sbom, stage
from release.deb import manual

NAME: Final = "leadglass-agent"
_HERE: Final = Path(__file__).parent
_UNIT: Final = stage.ROOT / "agent/systemd/leadglass-agent.service"
_SCRIPTS: Final = ("postinst", "prerm", "postrm")
_LIBRARIES: Final = f"usr/lib/{NAME}"
_DOCS: Final = f"usr/share/doc/{NAME}"

_CONTROL: Final = """\
Package: {name}
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: python3 (>= {python}), python3 (<< {next}), libc6 (>= {glibc})
Suggests: chrony | systemd-timesyncd, clamav, nftables
Section: admin
Priority: optional
Description: tells a Leadglass gateway how this machine is
 The agent of a workstation that shows medical images. It reports to a Leadglass
 gateway whether disks are encrypted, a firewall is up, updates are in and the
 like, proves which machine it is, and carries viewers on it to the gateway.
 .
 It runs once the machine is enrolled with `leadglass-agent enrol`.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What a package is for: a Python (`3.11`), an architecture as Debian calls it, and its revision."""

    python: str
    architecture: str
    revision: str = "1"

    @property
    def version(self) -> str:
        """Return the package's version; one for a newer Python is newer, so that an upgrade of Debian takes it."""
        return f"{__version__}-{self.revision}+py{self.python}"

    @property
    def file(self) -> str:
        """Return the name that the package has as a file."""
        return f"{NAME}_{self.version}_{self.architecture}.deb"


def lay_out(root: Path, target: Target) -> None:
    """Put every file of the package where it will be, below `root`. Raises stage.Failed."""
    with tempfile.TemporaryDirectory() as wheels:
        stage.wheel(Path(wheels))
        site = root / _LIBRARIES
        stage.install("agent", site, Path(wheels), python=target.python, architecture=target.architecture)
    docs = root / _DOCS
    sbom.write("agent", site, docs / "sbom.cdx.json")
    shutil.rmtree(site / "leadglass")  # the gateway, which the wheel holds too
    shutil.copy(_HERE / "copyright", docs / "copyright")
    _packed(docs / "changelog.gz", (stage.ROOT / "CHANGELOG.md").read_bytes())
    _packed(root / f"usr/share/man/man1/{NAME}.1.gz", manual.page(datetime.fromtimestamp(stage.epoch(), UTC)).encode())
    program = root / f"usr/bin/{NAME}"
    program.parent.mkdir(parents=True)
    shutil.copy(_HERE / NAME, program)
    unit = root / f"usr/lib/systemd/system/{_UNIT.name}"
    unit.parent.mkdir(parents=True)
    text = _UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("=/opt/leadglass/bin/", "=/usr/bin/"), encoding="utf-8")
    for path in _below(root):
        path.chmod(0o755 if path.is_dir() or path == program else 0o644)


def pack(root: Path, target: Target, folder: Path, *, compression: str = "xz") -> Path:
    """Write the package of what is laid out below `root`, and return it. Raises stage.Failed."""
    docs = root / _DOCS
    about = f"{NAME} ({target.version}) stable; urgency=medium\n\n  * See changelog.gz beside this file.\n\n -- "
    when = format_datetime(datetime.fromtimestamp(stage.epoch(), UTC))
    _packed(docs / "changelog.Debian.gz", f"{about}{maintainer()}  {when}\n".encode())
    (docs / "changelog.Debian.gz").chmod(0o644)
    control = root / "DEBIAN"
    shutil.rmtree(control, ignore_errors=True)
    files = [path for path in _below(root) if path.is_file()]
    control.mkdir(mode=0o755)
    major, minor = map(int, target.python.split("."))
    text = _CONTROL.format(
        name=NAME, version=target.version, architecture=target.architecture, maintainer=maintainer(),
        size=sum(path.stat().st_size // 1024 + 1 for path in files), python=target.python, next=f"{major}.{minor + 1}",
        glibc=".".join(map(str, stage.GLIBC)),
    )  # fmt: skip
    (control / "control").write_text(text, encoding="utf-8")
    sums = "".join(f"{_md5(path)}  {path.relative_to(root)}\n" for path in files)
    (control / "md5sums").write_text(sums, encoding="utf-8")
    for name in _SCRIPTS:
        shutil.copy(_HERE / name, control / name)
        (control / name).chmod(0o755)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / target.file
    stage.run("dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", root.resolve(), made.resolve())
    return made


def maintainer() -> str:
    """Return who is asked about this package: who builds it (DEBFULLNAME, DEBEMAIL), as in all of Debian's tools."""
    return f"{os.environ.get('DEBFULLNAME', 'Leadglass')} <{os.environ.get('DEBEMAIL', 'leadglass@localhost')}>"


def _below(root: Path) -> Iterator[Path]:
    yield from sorted(root.rglob("*"))


def _packed(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content, 9, mtime=0))


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
