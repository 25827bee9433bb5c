"""Whether a tunnel is up: WireGuard, or a tun, ppp or IPsec interface."""

from collections.abc import Mapping
from typing import Final

from leadglass_agent.checks.base import Check, Result, Surroundings

_NET: Final = "/sys/class/net"
# ARPHRD_ types of include/uapi/linux/if_arp.h: PPP 512, TUNNEL 768, TUNNEL6 769, IPGRE 778, NONE 65534 (tun, WireGuard).
_PPP: Final = 512
_NONE: Final = 65534


def kind(facts: Mapping[str, str]) -> str | None:
    """Return the sort of tunnel an interface is, None when it is none. `facts` are its files in sysfs."""
    if "DEVTYPE=wireguard" in facts.get("uevent", ""):
        return "wireguard"
    if "tun_flags" in facts:
        # IFF_TUN is 1, IFF_TAP 2: a tap is a bridge's port (virtual machines), not a tunnel of this machine.
        return "tun" if int(facts["tun_flags"], 16) & 3 == 1 else None
    number = int(facts.get("type") or 0)
    if number == _PPP:
        return "ppp"
    return "xfrm" if number == _NONE else None


def parse(interfaces: Mapping[str, Mapping[str, str]]) -> Result:
    """Judge the interfaces: name -> the contents of uevent, flags, type and tun_flags."""
    up = sorted(
        f"{name} ({sort})"
        for name, facts in interfaces.items()
        if int(facts.get("flags") or "0", 16) & 1 and (sort := kind(facts))  # IFF_UP
    )
    if up:
        return Result("pass", {"tunnels": up[:8]})
    return Result("fail", {"tunnels": []}, "no tunnel is up")


def _collect(around: Surroundings) -> Result:
    interfaces = {}
    for folder in sorted(around.path(_NET).iterdir()):
        names = [name for name in ("uevent", "flags", "type", "tun_flags") if (folder / name).is_file()]
        interfaces[folder.name] = {
            name: (folder / name).read_text(encoding="ascii", errors="replace") for name in names
        }
    return parse(interfaces)


CHECK = Check(
    id="vpn",
    title="VPN",
    passes="an interface that is a tunnel is up",
    reads=_NET,
    values="`tunnels`: names and sorts",
    interval=15,
    collect=_collect,
)
