"""Where a client address is: in which named networks, of which policy sees only the names, and in which country.

The table is `networks` of `networks.yaml`: names with CIDR blocks. An IPv4-mapped IPv6 address or block is the IPv4
one it stands for (RFC 4291 section 2.5.5.2), so `::ffff:10.0.0.1` is inside `10.0.0.0/8`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from leadglass.attributes.files import Document, read
from leadglass.attributes.geo import NOWHERE, Finder, Location, nowhere
from leadglass.codec.address import Network, block, canonical
from leadglass.limits import CLIENT_ADDRESSES, NETWORKS_NAMED, TABLE_BYTES
from leadglass.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Place:
    """A client address in its canonical form, the names of the networks it is in, and where in the world, if known."""

    ip: str
    networks: tuple[str, ...]
    location: Location = NOWHERE


class Networks:
    """The table of named networks in force. Raises ConfigurationError when a block is malformed.

    `locate` says where in the world an address is; `forget` is to be called when it would say otherwise.
    """

    def __init__(self, table: Mapping[str, Sequence[str]], locate: Finder = nowhere) -> None:
        self._locate = locate
        self._blocks: list[tuple[Network, str]] = []
        self._places: dict[str, Place] = {}
        self.replace(table)

    @classmethod
    def load(cls, path: Path) -> "Networks":
        """Read the table from a file: its key `networks`; other keys are for rules. Raises ConfigurationError."""
        return cls(load(path))

    def replace(self, table: Mapping[str, Sequence[str]]) -> None:
        """Put another table in force, whole or not at all. Raises ConfigurationError."""
        blocks = [(_block(name, text), name) for name, texts in table.items() for text in texts]
        if len(blocks) > NETWORKS_NAMED:
            raise ConfigurationError(f"more than {NETWORKS_NAMED} blocks are named")
        self._blocks, self._places = blocks, {}

    def forget(self) -> None:
        """Look all addresses up anew."""
        self._places = {}

    def place(self, ip: str) -> Place:
        """Return where an address is. What is no address, such as that of a unix socket, is in no network."""
        place = self._places.get(ip)
        if place is None:
            if len(self._places) >= CLIENT_ADDRESSES:
                self._places.clear()
            place = self._places[ip] = self._find(ip)
        return place

    def whereabouts(self, ip: str) -> tuple[str | None, str | None]:
        """Return country and city of an address, as far as they are known."""
        location = self.place(ip).location
        return location.country, location.city

    def _find(self, ip: str) -> Place:
        try:
            address = canonical(ip)
        except ValueError:
            return Place(ip, ())
        names = {name for one, name in self._blocks if address.version == one.version and address in one}
        return Place(str(address), tuple(sorted(names)), self._locate(address))


def _block(name: str, text: str) -> Network:
    try:
        return block(text)
    except ValueError as error:
        raise ConfigurationError(f"network {name}: {error}", hint="write a block as 10.0.0.0/8 or fc00::/7") from None


def load(path: Path) -> dict[str, list[str]]:
    """Read the table of a file. Raises ConfigurationError with file and line."""
    document = read(path, TABLE_BYTES, TABLE_BYTES)
    value: Any = orjson.loads(document.json)
    table = value.get("networks") if isinstance(value, dict) else None
    if not isinstance(table, dict):
        raise document.fault((), "holds no mapping `networks`")
    for name, texts in table.items():
        _check(document, name, texts)
    return table


def _check(document: Document, name: str, texts: object) -> None:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise document.fault(("networks", name), "must be a list of CIDR blocks in text")
    for place, text in enumerate(texts):
        try:
            _block(name, text)
        except ConfigurationError as error:
            raise document.fault(("networks", name, place), error.problem) from None
