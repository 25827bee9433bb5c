"""Whether what is stored on this machine is encrypted (dm-crypt), mount by mount and swap too."""

import json
from collections.abc import Iterator
from typing import Any, Final

from leadglass_agent import commands
from leadglass_agent.checks.base import Check, Result, Surroundings, unknown

# What must be readable before the key is there, and what holds no data of the machine's users.
_EXEMPT: Final = ("/boot", "/boot/efi", "/efi")
_MEMORY: Final = "/dev/zram"  # compressed memory is no disk


def _mounts(node: dict[str, Any], encrypted: bool) -> Iterator[tuple[str, bool]]:  # noqa: FBT001 - a fold
    if str(node["name"]).startswith(_MEMORY) or node["type"] in {"loop", "rom"}:
        return
    encrypted = encrypted or node["type"] == "crypt"
    for mount in node.get("mountpoints") or []:
        if mount and mount not in _EXEMPT:
            yield str(mount), encrypted
    for child in node.get("children") or []:
        yield from _mounts(child, encrypted)


def parse(output: bytes) -> Result:
    """Judge `lsblk --json --paths --output NAME,TYPE,MOUNTPOINTS`."""
    try:
        devices = json.loads(output)["blockdevices"]
        mounts = sorted(mount for device in devices for mount in _mounts(device, encrypted=False))
    except (ValueError, KeyError, TypeError, RecursionError):
        return unknown("lsblk printed something else than block devices")
    if not any(mount == "/" for mount, _ in mounts):
        return unknown("the root file system is on no block device that can be seen (a container?)")
    plain = [mount for mount, encrypted in mounts if not encrypted]  # a machine may have several swaps
    if plain:
        return Result("fail", {"unencrypted": plain[:16]}, f"not encrypted: {', '.join(plain[:5])}")
    return Result("pass", {"unencrypted": []})


def _collect(_: Surroundings) -> Result:
    output = commands.run("lsblk", "--json", "--paths", "--output", "NAME,TYPE,MOUNTPOINTS")
    return parse(output.stdout) if output.code == 0 else unknown("lsblk failed")


CHECK = Check(
    id="disk_encryption",
    title="Disk encryption",
    passes="every mounted block device but /boot, and swap, lies on dm-crypt",
    reads="lsblk",
    values="`unencrypted`: mount points that are not",
    interval=300,
    collect=_collect,
)
