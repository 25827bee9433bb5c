"""`leadglass init`: a folder to start from."""

import os
import re
import shutil
import sys
from collections.abc import Iterable
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from leadglass.cli.voice import Exit, fail, spoken
from leadglass.config import introduced

if TYPE_CHECKING:  # `--help` needs none of it
    from leadglass.config.orthanc import Learned

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_DAY: Final = 86_400
_TABLES_TO_EDIT = ("roles", "posture", "networks", "mfa", "oncology")


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write. Made when it is not there.")] = Path(),
    host: Annotated[
        list[str] | None,
        typer.Option(
            help="Host name or address under which people reach the gateway; repeat for more. Else localhost."
        ),
    ] = None,
    from_orthanc: Annotated[
        list[Path] | None,
        typer.Option(help="What Orthanc is started with, a file or folder (Debian: /etc/orthanc); repeat for more."),
    ] = None,
    observe: Annotated[
        int | None,
        typer.Option(min=1, max=30, help="For introduction: observe for so many days, and enforce by itself then."),
    ] = None,
) -> None:
    """Write a commented leadglass.yaml, tables and facts files, and a certificate to start with.

    Nothing that exists is overwritten.
    """
    _check_names(host or ())
    file = folder / "leadglass.yaml"
    if file.exists():
        fail(f"{file} exists", "name another folder, or edit the file", Exit.NO)
    learned = _learned(from_orthanc)
    try:
        _write(folder, host, learned, from_orthanc or [], observe)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        fail(f"cannot write into {folder}: {problem}", "name a folder that you may write to")
    if learned is not None:
        _say(learned)
    sys.stdout.write(
        f"wrote {file}, and beside it tls/, policies/data/ and facts/\n\n"
        "Next:\n"
        f"  1. edit {file}: public_url, upstreams, identity\n"
        f"  2. leadglass config check -c {file}\n"
        f"  3. leadglass serve -c {file}\n"
        f"  4. leadglass device code -c {file} --owner NAME    # then, on their machine: leadglass-agent enrol\n"
    )


def _write(
    folder: Path, host: list[str] | None, learned: "Learned | None", files: list[Path], days: int | None
) -> None:
    """Write the folder. Raises OSError, ValueError."""
    from leadglass.clock import SystemClock, rfc3339  # late: `--help` needs none of these
    from leadglass.hazmat.servercert import make_server_files
    from leadglass.policy.sources import shipped
    from leadglass.policy.upgrade import remember

    for name in ("", "var", "secrets", "facts", "policies/data"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "tls").exists():
        make_server_files(folder / "tls", tuple(host or ("localhost", "127.0.0.1")), SystemClock().now())
    templates = resources.files("leadglass.cli") / "templates"
    text = _for((templates / "leadglass.yaml").read_text("utf-8"), host)
    if learned is not None:
        text = introduced.upstream(text, learned, files)
        _keep(folder / introduced.SECRET, learned.secret)
    if days is not None:
        text = introduced.observing(text, rfc3339(SystemClock().now() + days * _DAY))
    (folder / "leadglass.yaml").write_text(text, encoding="utf-8")
    facts = folder / "facts/patients.yaml"
    if not facts.exists():
        facts.write_bytes((templates / "facts/patients.yaml").read_bytes())
        facts.chmod(0o600)
    for table in _TABLES_TO_EDIT:
        target = folder / f"policies/data/{table}.yaml"
        if not target.exists():
            shutil.copyfile(shipped() / f"data/{table}.yaml", target)
    remember(folder / "policies")


def _check_names(hosts: Iterable[str]) -> None:
    for name in hosts:
        if not _HOST.fullmatch(name) and not _is_address(name):
            fail(
                f"{name!r} is no host name",
                "write pacs.example.org or 192.0.2.1, without https:// and port",
                Exit.USAGE,
            )


def _learned(paths: list[Path] | None) -> "Learned | None":
    if not paths:
        return None
    from leadglass.config import orthanc

    with spoken():
        return orthanc.learn(orthanc.read(paths))


def _keep(file: Path, secret: str | None) -> None:
    """Write a secret into a file of its own, 0600; one that is there stays. Raises OSError."""
    if secret is None or file.exists():
        return
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(secret + "\n")


def _say(learned: "Learned") -> None:
    """Say on the terminal what stands in the file, too: somebody has to act on it."""
    for level, words in introduced.WORDS.items():
        for remark in (one for one in learned.remarks if one.level == level):
            sys.stdout.write(f"{words}: Orthanc's {remark.setting} {remark.found}\n")
            if remark.do:
                sys.stdout.write(f"  fix: {remark.do}\n")
    sys.stdout.write("\n")


def _is_address(name: str) -> bool:
    try:
        return not getattr(ip_address(name), "scope_id", None)
    except ValueError:
        return False


def _for(template: str, hosts: list[str] | None) -> str:
    """Return the configuration for these host names: reached by them, and on the network. Without any, for loopback."""
    if not hosts:
        return template
    origins = ", ".join(f'"https://{f"[{host}]" if ":" in host else host}:8443"' for host in hosts)
    return template.replace("[https://localhost:8443]", f"[{origins}]", 1).replace(
        "127.0.0.1:8443          # 0.0.0.0:8443 to serve the network",
        "0.0.0.0:8443            # 127.0.0.1:8443 for this machine alone",
        1,
    )
