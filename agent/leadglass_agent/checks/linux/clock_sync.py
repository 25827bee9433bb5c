"""Whether the clock of this machine is kept right by a time server."""

from typing import Final

from leadglass_agent import commands
from leadglass_agent.checks.base import Check, Result, Surroundings, unknown

SECONDS: Final = 1.0
_LEAP, _OFFSET, _FIELDS = 13, 4, 14  # columns of `chronyc -c tracking`


def parse_chrony(output: bytes) -> Result:
    """Judge `chronyc -n -c tracking` (comma-separated; offset in seconds, leap status last)."""
    fields = output.decode("ascii", "replace").strip().split(",")
    if len(fields) != _FIELDS:
        return unknown("chronyc printed something else than its tracking")
    try:
        offset = abs(float(fields[_OFFSET]))
    except ValueError:
        return unknown("chronyc printed no offset")
    if fields[_LEAP] == "Not synchronised":
        return Result("fail", {"synchronised": False}, "chrony has no time server")
    value = {"synchronised": True, "within_a_second": offset <= SECONDS}
    if offset > SECONDS:
        return Result("fail", value, f"the clock is {offset:.0f} s off")
    return Result("pass", value)


def parse_timedatectl(output: bytes) -> Result:
    """Judge `timedatectl show`."""
    pairs = dict(line.split("=", 1) for line in output.decode("ascii", "replace").splitlines() if "=" in line)
    if pairs.get("NTPSynchronized") == "yes":
        return Result("pass", {"synchronised": True})
    if pairs.get("NTPSynchronized") == "no":
        return Result("fail", {"synchronised": False}, "the clock is not synchronised; timedatectl set-ntp true")
    return unknown("timedatectl does not say whether the clock is synchronised")


def _collect(_: Surroundings) -> Result:
    if commands.find("chronyc"):
        output = commands.run("chronyc", "-n", "-c", "tracking", seconds=5)
        if output.code == 0:
            return parse_chrony(output.stdout)
    output = commands.run("timedatectl", "show", seconds=5)
    return (
        parse_timedatectl(output.stdout) if output.code == 0 else unknown("neither chrony nor systemd keeps the clock")
    )


CHECK = Check(
    id="clock_sync",
    title="Clock",
    passes="a time server keeps the clock, within a second",
    reads="chronyc, timedatectl",
    values="`synchronised`, `within_a_second`",
    interval=120,
    collect=_collect,
)
