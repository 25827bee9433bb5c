"""Refusals before anyone is identified: the first ones of a minute and source are written, the rest are counted.

Noise from one address can then neither fill the disk nor hide how much of it there was. The table of sources is
bounded: beyond it sources are counted together, and none of theirs is written singly.
"""

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from leadglass.limits import ANONYMOUS_LISTED, ANONYMOUS_SOURCES

_MINUTE = 60.0


@dataclass(slots=True)
class _Source:
    written: int = 0
    counted: Counter[str] = field(default_factory=Counter)


def source_of(ip: str) -> str:
    """Return the source that an address counts as: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        address = ip_address(ip)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), 64), strict=False))
    return ip


class Noise:
    """Counts one minute at a time."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._since = float("-inf")
        self._sources: dict[str, _Source] = {}
        self._others: Counter[str] = Counter()

    def admit(self, ip: str, code: str, monotonic: float, *, scarce: bool) -> bool:
        """Return whether this refusal gets a line of its own; else it is counted. None does while disk is scarce."""
        if monotonic - self._since >= _MINUTE and not self._counted():
            self._sources.clear()
            self._since = monotonic
        name = source_of(ip)
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) >= ANONYMOUS_SOURCES:
                self._others[code] += 1
                return False
            source = self._sources[name] = _Source()
        if source.written < self._per_minute and not scarce:
            source.written += 1
            return True
        source.counted[code] += 1
        return False

    def _counted(self) -> bool:
        return bool(self._others) or any(source.counted for source in self._sources.values())

    def summary(self, monotonic: float, *, final: bool = False) -> dict[str, Any] | None:
        """Return the fields of the event that stands for what was counted, once a minute is over. Starts a new one."""
        if (monotonic - self._since < _MINUTE and not final) or not self._counted():
            return None
        loud = sorted(
            ((name, source) for name, source in self._sources.items() if source.counted),
            key=lambda item: -item[1].counted.total(),
        )
        others = Counter(self._others)
        for _, source in loud[ANONYMOUS_LISTED:]:
            others.update(source.counted)
        fields = {
            "sources": [
                {"source": name, "refusals": source.counted.total(), "reasons": dict(source.counted)}
                for name, source in loud[:ANONYMOUS_LISTED]
            ],
            "others": dict(others),
            "refusals": sum(source.counted.total() for _, source in loud) + self._others.total(),
        }
        self._sources.clear()
        self._others.clear()
        self._since = monotonic
        return fields
