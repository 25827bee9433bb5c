"""Whether security updates are waiting: apt on Debian's family, dnf on Fedora's."""

import re
from typing import Final

from leadglass_agent import commands
from leadglass_agent.checks.base import Check, Result, Surroundings, unknown

DAYS: Final = 7
_INSTALL = re.compile(rb"^Inst (?P<package>[a-z0-9.+-]+)(?: \[[^\]]*\])? \((?P<from>[^)]*)\)", re.MULTILINE)
_LISTS: Final = "/var/lib/apt/lists"


def parse_apt(output: bytes, lists_age_days: int | None) -> Result:
    """Judge `apt-get --simulate dist-upgrade`; `lists_age_days` is the age of the package lists, None without any."""
    if lists_age_days is None:
        return unknown("there are no package lists; run apt-get update")
    waiting = [match["package"].decode("ascii") for match in _INSTALL.finditer(output) if b"ecurity" in match["from"]]
    value = {"security_updates": len(waiting), "lists_age_days": lists_age_days}
    if waiting:
        more = ", ..." if len(waiting) > 3 else ""  # noqa: PLR2004 - a sentence names three
        return Result("fail", value, f"{len(waiting)} security updates are waiting: {', '.join(waiting[:3])}{more}")
    if lists_age_days > DAYS:
        return unknown(f"the package lists are {lists_age_days} days old; run apt-get update", value)
    return Result("pass", value)


def parse_dnf(output: bytes) -> Result:
    """Judge `dnf --quiet --cacheonly updateinfo list --security`: a line for each waiting package."""
    lines = [line for line in output.splitlines() if len(line.split()) >= 3]  # noqa: PLR2004 - id, severity, package
    value = {"security_updates": len(lines)}
    if lines:
        return Result("fail", value, f"{len(lines)} security updates are waiting")
    return Result("pass", value)


def _lists_age(around: Surroundings) -> int | None:
    folder = around.path(_LISTS)
    times = [path.stat().st_mtime for path in folder.glob("*Release")] if folder.is_dir() else []
    return max(0, int((around.now() - folder.stat().st_mtime) // 86400)) if times else None


def _collect(around: Surroundings) -> Result:
    if commands.find("apt-get"):
        output = commands.run("apt-get", "--simulate", "--quiet", "-o", "Debug::NoLocking=true", "dist-upgrade")
        return parse_apt(output.stdout, _lists_age(around)) if output.code == 0 else unknown("apt-get failed")
    if commands.find("dnf"):
        output = commands.run("dnf", "--quiet", "--cacheonly", "updateinfo", "list", "--security")
        return parse_dnf(output.stdout) if output.code == 0 else unknown("dnf failed; does it have a cache?")
    return unknown("neither apt nor dnf is here")


CHECK = Check(
    id="os_patch",
    title="Operating system updates",
    passes=f"no security update is waiting, by package lists of at most {DAYS} days",
    reads="apt-get --simulate, or dnf --cacheonly",
    values="`security_updates`, `lists_age_days`",
    interval=3600,
    collect=_collect,
)
