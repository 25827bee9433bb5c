"""Geo databases for tests, in the MaxMind DB format; addresses are those of MaxMind's own test data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

LONDON = "81.2.69.142"
LINKOEPING = "89.160.20.112"
TOKYO = "2001:218::1"


def city(country: str, name: str | None = None) -> dict[str, Any]:
    """Return a record as GeoLite2-City has it."""
    record: dict[str, Any] = {"country": {"iso_code": country, "geoname_id": 1}, "continent": {"code": "EU"}}
    return record if name is None else {**record, "city": {"names": {"en": name, "de": "anders"}}}


CITIES = {"81.2.69.0/24": city("GB", "London"), "89.160.0.0/16": city("SE"), "2001:218::/32": city("JP", "Tōkyō")}


def write(
    file: Path, networks: Mapping[str, Any] | None = None, *, ip_version: int = 6, kind: str = "GeoLite2-City"
) -> Path:
    """Write a database as a new file in place of the old one."""
    made = MMDBWriter(ip_version, kind, languages=["en"], description="of a test", ipv4_compatible=ip_version == 6)
    for block, record in (CITIES if networks is None else networks).items():
        made.insert_network(IPSet([block]), record)
    draft = file.with_name(f"{file.name}.draft")
    made.to_db_file(str(draft))
    draft.replace(file)
    return file
