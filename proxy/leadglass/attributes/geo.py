"""Where in the world an address is: country, and city where it is known.

The source is a file in the MaxMind DB format that the operator supplies (GeoLite2, GeoIP2, DB-IP, IPinfo), read again when
it changes; without one, the country that the regional registries say a block was assigned to (the package iptocc, which
carries their lists and asks nobody). A file that cannot be used leaves the one before in force, loudly; where there is
none, nothing is known, which rules take for a no. It is held in memory: a mapped one that somebody cuts short is SIGBUS.

Addresses that belong to nobody in the world (private, shared, loopback, link-local) are in no country.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from ipaddress import IPv4Address, IPv6Address
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from maxminddb.const import MODE_FD
from maxminddb.errors import InvalidDatabaseError
from maxminddb.reader import Reader

from leadglass.attributes.settings import GeoSettings
from leadglass.clock import rfc3339
from leadglass.epochs import Epochs
from leadglass.hazmat.files import Stamp, stamp
from leadglass.limits import CITY_CHARS, FILE_WATCH_SECONDS, GEO_BYTES
from leadglass.model.errors import ConfigurationError
from leadglass.model.request import IPAddress
from leadglass.tasks import Tasks

_log = logging.getLogger("leadglass.attributes")
_CODE: Final = re.compile(r"[A-Z]{2}")  # ISO 3166-1 alpha-2
_LOOKED_AT: Final = 1_000  # records of a new file that are read before it is believed
EPOCH: Final = "attributes"

Note: TypeAlias = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Location:
    """What is known; both None when nothing is."""

    country: str | None = None
    city: str | None = None


NOWHERE: Final = Location()
Finder: TypeAlias = Callable[[IPAddress], Location]


@dataclass(frozen=True, slots=True)
class Database:
    """A file that was read. `kind` is its own name for what it is, `built` epoch seconds."""

    reader: Reader
    kind: str
    built: int

    def find(self, address: IPAddress) -> Location:
        """Return where an address is. A file whose bytes are spoilt raises whatever its reader makes of them."""
        if address.version == 6 and self.reader.metadata().ip_version != 6:  # noqa: PLR2004 - of IP
            return NOWHERE
        return _location(self.reader.get(address))


def _location(record: object) -> Location:
    """Read a record of MaxMind or DB-IP (nested), or of IPinfo (flat)."""
    if not isinstance(record, dict):
        return NOWHERE
    country, city = record.get("country"), record.get("city")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    names = city.get("names") if isinstance(city, dict) else None
    name = names.get("en") if isinstance(names, dict) else city
    return Location(
        code if isinstance(code, str) and _CODE.fullmatch(code) else None,
        name if isinstance(name, str) and 0 < len(name) <= CITY_CHARS and name.isprintable() else None,
    )


def load(path: Path) -> Database:
    """Read a file and look into it. Raises ConfigurationError."""
    hint = "copy it anew, to another name first, and rename it: a file that is written in place is read half"
    try:
        with path.open("rb") as stream:
            data = stream.read(GEO_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(data) > GEO_BYTES:
        raise ConfigurationError(f"is larger than {GEO_BYTES} bytes", where=str(path), hint="use one with less in it")
    try:
        reader = Reader(BytesIO(data), MODE_FD)
        meta = reader.metadata()
        found = Database(reader, str(meta.database_type), int(meta.build_epoch))
        known = any(location.country for location in _sample(found))
    except (InvalidDatabaseError, Exception) as error:  # noqa: BLE001 - whatever its bytes make of the reader
        raise ConfigurationError(
            f"is no MaxMind database, or spoilt: {type(error).__name__}", where=str(path), hint=hint
        ) from None
    if not known:
        raise ConfigurationError(
            f"is a {found.kind} and knows no countries", where=str(path), hint="use one of countries or cities"
        )
    return found


def _sample(database: Database) -> Iterable[Location]:
    """Return what is read from all over a file, so that one that is cut short or spoilt is found out."""
    first = islice((_location(record) for _, record in database.reader), _LOOKED_AT)
    spread = [IPv4Address(octet << 24 | 0x010101) for octet in range(256)]
    longer = [IPv6Address((0x2000 + step * 0x10) << 112) for step in range(256)]
    return [*first, *map(database.find, chain[IPAddress](spread, longer))]


def registries() -> tuple[Finder, str]:
    """Return the embedded table and its name."""
    from importlib.metadata import version  # late, as the next: a gateway with a file of its own needs neither

    from iptocc import country_code

    def find(address: IPAddress) -> Location:
        return _location({"country_code": country_code(str(address))})

    return find, f"registries (iptocc {version('iptocc')})"


def nowhere(_: IPAddress) -> Location:
    """Know of no address where it is."""
    return NOWHERE


class Geo:
    """The source in force. `start` before use and `close` after. `changed` is called when another file is in force."""

    def __init__(self, settings: GeoSettings, epochs: Epochs, note: Note) -> None:
        self._file, self._epochs, self._note, self._tasks = settings.database, epochs, note, Tasks()
        self._seen: Stamp | None = None
        self._looked = self._told = False
        self.changed: Callable[[], None] = lambda: None
        self._find: Finder = nowhere
        self.source = "none"
        if self._file is None and settings.embedded:
            self._find, self.source = registries()

    async def start(self) -> None:
        """Read the file, and watch it from then on."""
        if self._file is not None:
            await self.look()
            self._tasks.spawn(self._watch(), name="geo database")

    async def close(self) -> None:
        """Stop watching."""
        await self._tasks.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(FILE_WATCH_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Take over the file if it has changed; one that cannot be used is left out, loudly."""
        if self._file is None:
            return
        now = stamp(self._file)
        if self._looked and now == self._seen:
            return
        self._looked, self._seen = True, now
        try:
            found = await asyncio.to_thread(load, self._file)
        except ConfigurationError as error:
            state = "no country is known" if self._find is nowhere else "the one before stays in force"
            _log.error("the geo database is not usable, %s: %s", state, error)
            self._note("geo-refused", {"problem": str(error), "in_force": self.source})
            return
        self._find, self._told = found.find, False
        self.source = f"{found.kind} of {rfc3339(found.built)[:10]}"
        _log.info("countries are those of %s", self.source)
        self._note("geo-loaded", {"database": found.kind, "built": rfc3339(found.built)})
        self._epochs.bump(EPOCH)
        self.changed()

    def find(self, address: IPAddress) -> Location:
        """Return where an address is. Never raises: what cannot be told is not known."""
        if not address.is_global or address.is_multicast:
            return NOWHERE
        try:
            return self._find(address)
        except Exception as error:  # noqa: BLE001 - whatever the bytes of a spoilt file make of the reader
            if not self._told:
                self._told = True
                _log.error("the geo database is spoilt: %s", type(error).__name__)
                self._note("geo-refused", {"problem": f"spoilt: {type(error).__name__}", "in_force": self.source})
            return NOWHERE
